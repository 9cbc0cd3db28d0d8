// The skeleton editor. `element`, `props`, `trigger` and `watch` are what gr.HTML gives a script, `BODY` what
// `skeleton.py` knows of the body.
// props.value: {size: [w, h], keypoints: [[x, y, confidence] * 18], base: keypoints to reset to, picture: data URL}
const SVG = "http://www.w3.org/2000/svg";
const GRAB = 26; // screen pixels round a joint within which a pointer takes it: a finger is no mouse
const NUDGE = 300; // milliseconds after the last key until the move is told

const svg = element.querySelector("svg");
const chips = element.querySelector(".missing");
const status = element.querySelector("[role=status]");
const colour = (i) => `hsl(${BODY.hues[i]} 100% 55%)`;
let keypoints, size, selected = null, timer = null, dragging = false;

function node(name, attributes, parent) {
  const child = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) child.setAttribute(key, value);
  parent.append(child);
  return child;
}

function load() {
  const value = props.value;
  if (!value) return;
  size = value.size;
  keypoints = value.keypoints.map((joint) => [...joint]);
  build(value.picture);
}

function build(picture) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  node("image", {href: picture, width: size[0], height: size[1]}, svg);
  BODY.limbs.forEach(([a, b], i) => node("line", {"data-limb": i, stroke: colour(i)}, svg));
  BODY.joints.forEach((name, i) => {
    const joint = node("circle", {"data-joint": i, r: size[1] / 80, fill: colour(i), tabindex: 0, role: "button"}, svg);
    joint.addEventListener("keydown", (event) => key(event, i));
    joint.addEventListener("focus", () => select(i));
  });
  draw();
}

function draw() {
  for (const line of svg.querySelectorAll("line")) {
    const [a, b] = BODY.limbs[line.dataset.limb].map((i) => keypoints[i]);
    line.style.display = a[2] > 0 && b[2] > 0 ? "" : "none";
    [["x1", a[0]], ["y1", a[1]], ["x2", b[0]], ["y2", b[1]]].forEach(([key, value]) => line.setAttribute(key, value));
  }
  for (const circle of svg.querySelectorAll("circle")) {
    const [x, y, confidence] = keypoints[circle.dataset.joint];
    circle.style.display = confidence > 0 ? "" : "none";
    circle.setAttribute("cx", x);
    circle.setAttribute("cy", y);
    circle.setAttribute("aria-label", `${BODY.joints[circle.dataset.joint]}, x ${Math.round(x)}, y ${Math.round(y)}`);
    circle.classList.toggle("selected", Number(circle.dataset.joint) === selected);
  }
  chips.replaceChildren(...absent().map(chip));
}

const absent = () => keypoints.flatMap((joint, i) => (joint[2] > 0 ? [] : [i]));

function chip(i) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `+ ${BODY.joints[i]}`;
  button.setAttribute("aria-label", `Show the ${BODY.joints[i]}`);
  button.addEventListener("click", () => { show(i); tell(); });
  return button;
}

function tell() {
  clearTimeout(timer);
  props.value = {...props.value, keypoints: keypoints.map((joint) => [...joint])};
  trigger("input");
}

function select(i) {
  selected = i;
  status.textContent = i === null ? "" : BODY.joints[i];
  for (const circle of svg.querySelectorAll("circle")) circle.classList.toggle("selected", Number(circle.dataset.joint) === i);
}

function move(i, x, y) {
  const inside = (value, length) => Math.round(Math.min(Math.max(value, 0), length - 1) * 10) / 10;
  keypoints[i] = [inside(x, size[0]), inside(y, size[1]), keypoints[i][2] || 1];
  draw();
}

function hide(i) {
  if (absent().length >= 17) return; // a pose has at least one joint
  keypoints[i][2] = 0;
  select(null);
  draw();
}

function show(i) {
  const placed = (joint) => joint[0] || joint[1];
  if (!placed(keypoints[i])) { // it never was there: near the joint it hangs on
    const limb = BODY.limbs.find(([a, b]) => (a === i || b === i) && keypoints[a === i ? b : a][2] > 0);
    const near = limb ? keypoints[limb[0] === i ? limb[1] : limb[0]] : keypoints.find((joint) => joint[2] > 0);
    move(i, near[0], near[1] + size[1] / 20);
  }
  keypoints[i][2] = 1;
  select(i);
  draw();
}

function mirror() {
  keypoints = BODY.mirrored.map((i) => keypoints[i]).map(([x, y, c]) => (x || y ? [size[0] - 1 - x, y, c] : [x, y, c]));
  draw();
}

function reset() {
  keypoints = props.value.base.map((joint) => [...joint]);
  draw();
}

function key(event, i) {
  const step = event.shiftKey ? 8 : 1;
  const [x, y] = keypoints[i];
  const steps = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]};
  if (event.key in steps) move(i, x + steps[event.key][0], y + steps[event.key][1]);
  else if (event.key === "Delete" || event.key === "Backspace") hide(i);
  else return;
  event.preventDefault();
  clearTimeout(timer);
  timer = setTimeout(tell, NUDGE);
}

function place(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [at.x, at.y];
}

function nearest(event) {
  const [x, y] = place(event), reach = GRAB / svg.getScreenCTM().a;
  const distance = ([jx, jy, c]) => (c > 0 ? Math.hypot(jx - x, jy - y) : Infinity);
  const best = keypoints.reduce((a, joint, i) => (distance(joint) < distance(keypoints[a]) ? i : a), 0);
  return distance(keypoints[best]) <= reach ? best : null;
}

svg.addEventListener("pointerdown", (event) => {
  if (dragging || event.button !== 0) return; // a second finger, or not the main button
  const i = nearest(event);
  select(i);
  if (i === null) return;
  event.preventDefault();
  svg.setPointerCapture(event.pointerId);
  const joint = svg.querySelector(`[data-joint="${i}"]`);
  joint.focus({preventScroll: true});
  const from = place(event), [x, y] = keypoints[i];
  const pointer = event.pointerId;
  let moved = false;
  dragging = true;
  const drag = (event) => {
    if (event.pointerId !== pointer) return;
    const [px, py] = place(event);
    moved = true;
    move(i, x + px - from[0], y + py - from[1]);
  };
  const drop = (event) => {
    if (event.pointerId !== pointer) return;
    dragging = false;
    svg.removeEventListener("pointermove", drag);
    svg.removeEventListener("pointerup", drop);
    svg.removeEventListener("pointercancel", drop);
    if (moved) tell();
  };
  svg.addEventListener("pointermove", drag);
  svg.addEventListener("pointerup", drop);
  svg.addEventListener("pointercancel", drop);
});
// A finger on a joint drags it; anywhere else it scrolls the page.
svg.addEventListener("touchstart", (event) => { if (nearest(event.touches[0]) !== null) event.preventDefault(); }, {passive: false});

const actions = {mirror, reset, hide: () => selected !== null && hide(selected)};
for (const button of element.querySelectorAll("[data-action]"))
  button.addEventListener("click", () => { actions[button.dataset.action](); tell(); });

watch("value", load);
load();
