"""How people stand: legs and trunk by directions, arms by where the hands rest, kept out of the body.

Pose rotations are those of `body.Skeleton`. Vectors of a side are (out, up, forward): out is away from the body.
"""

import numpy as np

from .body import Skeleton, cross, rotation, rotation_between

STANCES = {"stand": 0.28, "shift": 0.27, "walk": 0.2, "cross": 0.1, "wide": 0.15}
ARMS = {"hang": 0.44, "hip": 0.15, "bent": 0.10, "front": 0.08, "back": 0.06, "out": 0.07, "up": 0.05, "thigh": 0.05}
# The arms' names with, for each: the frame of the target, the wrist's place in it as lowest and highest
# (out, up, forward) in dm from the hip joint or the shoulder, the elbow's way, and where palm and fingers face.
ARM_TARGETS = {
    "hang": ("shoulder", (0.35, -4.9, -0.3), (1.0, -4.5, 0.7), (0.3, 0, -1), (-1, 0, -0.25), (0, -1, 0.15)),
    "thigh": ("hip", (0.75, -0.9, 0.4), (1.0, -0.2, 0.9), (0.8, 0, -0.6), (-1, 0, -0.5), (-0.1, -1, 0.2)),
    "hip": ("hip", (0.6, 1.0, -0.2), (0.75, 1.5, 0.15), (1, 0, -0.45), (-1, -0.1, 0), (-0.35, -0.6, 0.8)),
    "bent": ("shoulder", (-0.2, -2.6, 2.0), (0.9, -1.0, 2.8), (0.6, -0.8, -0.3), (-1, 0, 0.2), (-0.2, 0.3, 1)),
    "front": ("hip", (-0.9, 1.2, 1.6), (-0.4, 2.6, 1.9), (1, -0.4, -0.1), (-0.3, 0.1, -1), (-1, 0.1, 0.1)),
    "back": ("hip", (-0.5, 0.2, -1.7), (0.1, 1.2, -1.4), (1, 0, -0.6), (0, 0, 1), (-1, -0.4, 0)),
    "out": ("shoulder", (2.2, -3.6, 0.0), (4.0, -1.0, 1.2), (0.2, -0.6, -0.8), (-0.3, -1, 0), (0.8, -0.2, 0.2)),
    "up": ("shoulder", (-0.2, 1.5, 0.6), (0.8, 2.8, 1.2), (1, 0.3, -0.1), (-1, -0.2, -0.3), (-0.5, 1, -0.3)),
    "anywhere": ("shoulder", (-1.5, -4.6, -1.5), (4.8, 4.4, 4.0), (0.5, -0.6, -0.5), (-1, -0.2, 0), (0.3, -0.5, 0.6)),
}
# Stances of sport and dance, with lowest and highest degrees of either leg: thigh forward, thigh out, knee bent.
ACTIVE_STANCES = {
    "lunge": (((25, 65), (0, 12), (30, 75)), ((-30, -5), (0, 10), (5, 50))),
    "squat": (((30, 80), (5, 30), (50, 110)), ((30, 80), (5, 30), (50, 110))),
    "kick": (((20, 80), (-5, 30), (0, 70)), ((-8, 8), (0, 8), (0, 10))),
    "straddle": (((-5, 15), (18, 40), (0, 15)), ((-5, 15), (18, 40), (0, 15))),
    "run": (((-35, 0), (0, 10), (30, 100)), ((10, 45), (0, 8), (10, 50))),
}
POSES = ("standing", "active")
HAND_LENGTH, CLEARANCE = 1.7, 0.42  # dm; clearance of the hand's middle from the skin


def sample_pose(skeleton: Skeleton, body: np.ndarray, rng, look: float) -> tuple[dict, str]:
    """A pose and its name, "stance-left arm-right arm".

    Args:
        body: (V,3) the shaped base mesh.
        look: degrees to the camera from straight ahead; the head turns towards it as far as a neck does.
    """
    stance = str(rng.choice(list(STANCES), p=list(STANCES.values())))
    pose = _trunk(rng, stance)
    _head(pose, rng, look)
    _legs(pose, skeleton, rng, stance)
    left = str(rng.choice(list(ARMS), p=list(ARMS.values())))
    right = left if rng.random() < 0.3 else str(rng.choice(list(ARMS), p=list(ARMS.values())))
    surface = Surface(skeleton, body, pose)
    for side, name in (("L", left), ("R", right)):
        Arm(skeleton, side).reach(pose, name, rng, surface)
    return pose, f"{stance}-{left}-{right}"


def sample_active_pose(skeleton: Skeleton, body: np.ndarray, rng, look: float) -> tuple[dict, str]:
    """`sample_pose` of somebody who moves: legs apart or bent, trunk bent any way, arms anywhere."""
    stance = str(rng.choice(list(ACTIVE_STANCES)))
    lean = np.clip(rng.normal(8, 15), -15, 50)
    pose = _bent_trunk(rng.normal(0, 16), lean, rng.normal(0, 9))
    _head(pose, rng, look)
    legs = [ACTIVE_STANCES[stance][number] for number in rng.permutation(2)]
    for side, sign, ranges in zip("LR", (1, -1), legs, strict=True):
        forward, out, bent = (rng.uniform(*degrees) for degrees in ranges)
        thigh, shin = (_leg_direction(degrees, out) for degrees in (forward, forward - bent))
        _leg(pose, skeleton, side, thigh, shin, sign * rng.uniform(0, 25), rng.uniform(0, 40))
    left, right = ("anywhere" if rng.random() < 0.7 else str(rng.choice(list(ARMS))) for _ in "LR")
    surface = Surface(skeleton, body, pose)
    for side, name in (("L", left), ("R", right)):
        Arm(skeleton, side).reach(pose, name, rng, surface)
    return pose, f"{stance}-{left}-{right}"


def _trunk(rng, stance: str) -> dict:
    twist, lean = rng.normal(0, 7), rng.normal(0.5, 2.5)
    tilt = rng.normal(0, 2.5) + (rng.choice([-1, 1]) * rng.uniform(2, 5) if stance == "shift" else 0)
    return _bent_trunk(twist, lean, tilt)


def _bent_trunk(twist: float, lean: float, tilt: float) -> dict:
    """The pose of a trunk by degrees: turned, forward and sideways."""
    pose = {"root": rotation([0, 0, 1], tilt) @ rotation([0, 1, 0], twist * 0.5)}
    for bone, share in (("spine05", 0.2), ("spine04", 0.25), ("spine03", 0.25), ("spine02", 0.15), ("spine01", 0.15)):
        back = rotation([1, 0, 0], lean * share) @ rotation([0, 0, 1], -tilt * share * 1.3)
        pose[bone] = rotation([0, 1, 0], -twist * share) @ back
    return pose


def _head(pose: dict, rng, look: float) -> None:
    turn = np.clip(look, -60, 60) * rng.uniform(0.4, 1) if abs(look) < 110 and rng.random() < 0.5 else 0
    yaw, nod = np.clip(rng.normal(0, 12) + turn, -55, 55), np.clip(rng.normal(2, 6), -9, 15)
    tilt = np.clip(rng.normal(0, 4), -10, 10)
    for bone, share in (("neck01", 0.2), ("neck02", 0.2), ("neck03", 0.2), ("head", 0.4)):
        leaning = rotation([1, 0, 0], nod * share) @ rotation([0, 0, 1], tilt * share)
        pose[bone] = rotation([0, 1, 0], yaw * share) @ leaning


def _legs(pose: dict, skeleton: Skeleton, rng, stance: str) -> None:
    """Directions (out, up, forward) of thigh and shin; one leg of an uneven stance is the free one."""
    u, free = rng.uniform, str(rng.choice(["L", "R"]))
    for side, sign in (("L", 1), ("R", -1)):
        if stance == "stand":
            thigh, shin = (u(0.03, 0.1), -1, u(-0.03, 0.05)), (u(0, 0.04), -1, u(-0.08, -0.02))
        elif stance == "wide":
            thigh, shin = (u(0.16, 0.3), -1, u(-0.03, 0.08)), (u(0.14, 0.24), -1, u(-0.1, -0.02))
        elif side != free:
            thigh, shin = {
                "shift": ((u(0, 0.06), -1, 0), (u(-0.02, 0.03), -1, -0.04)),
                "walk": ((u(0.02, 0.06), -1, u(-0.25, -0.08)), (0, -1, u(-0.6, -0.3))),
                "cross": ((u(0, 0.04), -1, -0.03), (0, -1, -0.06)),
            }[stance]
        else:
            thigh, shin = {
                "shift": ((u(0.1, 0.2), -1, u(0.1, 0.24)), (u(0, 0.06), -1, u(-0.25, -0.1))),
                "walk": ((u(0, 0.05), -1, u(0.25, 0.42)), (0, -1, u(-0.05, 0.1))),
                "cross": ((u(-0.16, -0.06), -1, u(0.14, 0.2)), (-0.06, -1, -0.03)),
            }[stance]
        lifted = u(10, 28) if stance == "walk" and side != free else 0  # the heel of the leg behind
        _leg(pose, skeleton, side, thigh, shin, sign * u(2, 18), lifted)


def _leg(pose: dict, skeleton: Skeleton, side: str, thigh, shin, toes: float, lifted: float) -> None:
    """Add a leg's rotations: directions of thigh and shin, degrees of the toes to the left and of the heel's lift."""
    root, way = pose["root"], np.array([1 if side == "L" else -1, 1, 1])
    hip, knee, ankle = (skeleton.at(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot"))
    upper = rotation_between(root @ (knee - hip), np.array(thigh) * way) @ root
    lower = rotation_between(upper @ (ankle - knee), np.array(shin) * way) @ upper
    foot = rotation([0, 1, 0], toes) @ rotation([1, 0, 0], lifted)
    pose[f"upperleg01.{side}"], pose[f"lowerleg01.{side}"] = root.T @ upper, upper.T @ lower
    pose[f"foot.{side}"] = lower.T @ foot


def _leg_direction(forward: float, out: float) -> tuple[float, float, float]:
    """(out, up, forward) of a bone that hangs down, swung by degrees."""
    a, b = np.radians([forward, out])
    return np.sin(b), -np.cos(b) * np.cos(a), np.cos(b) * np.sin(a)


class Surface:
    """The posed trunk and thighs, thinned out: what hands and forearms must not pass through."""

    def __init__(self, skeleton: Skeleton, body: np.ndarray, pose: dict):
        trunk, bones = skeleton.assets.trunk, skeleton.assets.bones
        turns, places = skeleton.solve(pose)
        self.points = skeleton.skin(body[trunk], skeleton.assets.weights[trunk], turns, places)
        centre = np.tile(places[0] * [1, 0, 1], (len(trunk), 1))
        legs = self.points[:, 1] < places[bones["upperleg01.L"], 1] - 0.6
        for side, sign in (("L", 1), ("R", -1)):
            own = legs & ((self.points[:, 0] - places[0, 0]) * sign > 0)
            centre[own] = places[bones[f"upperleg01.{side}"]] * [1, 0, 1]
        out = self.points * [1, 0, 1] - centre
        self.outward = out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-9)

    def push(self, points: np.ndarray, clearance: float) -> np.ndarray:
        """(3,) how to move `points` (N,3) so that the deepest of them clears the surface."""
        gaps = ((points[:, None] - self.points) ** 2).sum(2)
        near = gaps.argmin(1)
        depth = clearance - ((points - self.points[near]) * self.outward[near]).sum(1)
        depth[gaps[np.arange(len(points)), near] > 1.5**2] = 0
        worst = depth.argmax()
        return max(0.0, depth[worst]) * self.outward[near[worst]]


class Arm:
    """Two-bone inverse kinematics of an arm, in the frames of its rest pose."""

    def __init__(self, skeleton: Skeleton, side: str):
        self.skeleton, self.side, self.sign = skeleton, side, 1 if side == "L" else -1
        at = {bone: skeleton.at(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist")}
        self.upper, self.fore = at["lowerarm01"] - at["upperarm01"], at["wrist"] - at["lowerarm01"]
        self.hinge = cross(self.upper, self.fore)
        index, middle, little = (skeleton.at(f"finger{n}-1.{side}") - at["wrist"] for n in "235")
        self.hand, self.palm = middle, -self.sign * cross(index, little)

    def reach(self, pose: dict, name: str, rng, surface: Surface) -> None:
        """Add the arm's rotations to `pose`."""
        frame, low, high, elbow, palm, fingers = ARM_TARGETS[name]
        way = np.array([self.sign, 1, 1])
        lift = {"up": 22, "out": 6}.get(name, 0) + rng.normal(0, 2)
        pose[f"clavicle.{self.side}"] = rotation([0, 0, 1], self.sign * lift * 0.6)
        pose[f"shoulder01.{self.side}"] = rotation([0, 0, 1], self.sign * lift * 0.4)
        turns, places = self.skeleton.solve(pose)
        bones = self.skeleton.assets.bones
        shoulder, base = bones[f"upperarm01.{self.side}"], bones[f"upperleg01.{self.side}"]
        parent = turns[self.skeleton.assets.parents[shoulder]]
        origin, turn = (places[shoulder], turns[bones["spine01"]]) if frame == "shoulder" else (places[base], turns[0])
        target = origin + turn @ (rng.uniform(low, high) * way)
        elbow, palm, fingers = (turn @ ((np.array(v) + rng.normal(0, 0.12, 3)) * way) for v in (elbow, palm, fingers))
        for _ in range(8):
            upper, fore = self._bend(places[shoulder], target, elbow)
            hand = _towards(fore, fingers, 55)
            wrist = places[shoulder] + upper + fore
            along = np.array([0, 0.35, 0.7, 1.0])[:, None] * HAND_LENGTH
            limb = np.concatenate([wrist + along * hand, wrist - np.array([[0.25], [0.5]]) * fore])
            push = surface.push(limb, CLEARANCE)
            if push @ push < 1e-3:
                break
            target = target + push
        self._turn(pose, parent, upper, fore, hand, palm)
        _fingers(pose, self, name, rng)

    def _bend(self, shoulder, target, elbow) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of upper arm and forearm from `shoulder` to `target`, or as far towards it as they reach."""
        a, b = np.linalg.norm(self.upper), np.linalg.norm(self.fore)
        way = target - shoulder
        distance = np.clip(np.linalg.norm(way), abs(a - b) + 0.6, 0.985 * (a + b))
        way = way / np.linalg.norm(way)
        side = elbow - (elbow @ way) * way
        side /= np.linalg.norm(side)
        along = (a * a - b * b + distance * distance) / (2 * distance)
        upper = along * way + np.sqrt(max(a * a - along * along, 0)) * side
        return upper, distance * way - upper

    def _turn(self, pose, parent, upper, fore, hand, palm) -> None:
        """Turns from the directions; twists of arm and forearm are spread over their two bones each."""
        hinge = cross(upper, fore)
        s = self.side
        swing = rotation_between(parent @ self.upper, upper) @ parent
        twist = twist_between(swing @ self.hinge, hinge, upper)
        first, second = rotation(upper, 0.5 * twist) @ swing, rotation(upper, twist) @ swing
        lower = rotation_between(second @ self.fore, fore) @ second
        at_wrist = rotation_between(lower @ self.hand, hand) @ lower
        roll = np.clip(twist_between(at_wrist @ self.palm, palm, hand), -85, 85)
        wrist = rotation(hand, roll) @ at_wrist
        half = rotation(fore, 0.6 * roll) @ lower
        for bone, before, after in (
            ("upperarm01", parent, first),
            ("upperarm02", first, second),
            ("lowerarm01", second, lower),
            ("lowerarm02", lower, half),
            ("wrist", half, wrist),
        ):
            pose[f"{bone}.{s}"] = before.T @ after


def twist_between(a: np.ndarray, b: np.ndarray, axis: np.ndarray) -> float:
    """Degrees about `axis` from `a` to `b`, both seen along it."""
    axis = axis / np.linalg.norm(axis)
    a, b = a - (a @ axis) * axis, b - (b @ axis) * axis
    return float(np.degrees(np.arctan2(cross(a, b) @ axis, a @ b)))


def _towards(a: np.ndarray, b: np.ndarray, limit: float) -> np.ndarray:
    """Unit direction from `a` towards `b`, turned by `limit` degrees at most."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    angle = np.degrees(np.arccos(np.clip(a @ b, -1, 1)))
    return rotation(cross(a, b), min(angle, limit)) @ a if 0.1 < angle < 179.9 else a


def _fingers(pose: dict, arm: Arm, name: str, rng) -> None:
    """Close the splayed fingers of the rest pose and curl them, the little one most; flat where the hand lies."""
    at, side = arm.skeleton.at, arm.side
    palm = arm.palm / np.linalg.norm(arm.palm)
    middle = at(f"finger3-2.{side}") - at(f"finger3-1.{side}")
    curl = rng.uniform(3, 10) if name in ("hip", "front", "thigh", "back") else rng.uniform(12, 26)
    for finger in "2345":
        way = at(f"finger{finger}-2.{side}") - at(f"finger{finger}-1.{side}")
        close = rotation(palm, 0.75 * twist_between(way, middle, palm))
        bend = cross(way, palm)
        more = 1 + 0.18 * (int(finger) - 2)
        pose[f"finger{finger}-1.{side}"] = close @ rotation(bend, curl * more)
        pose[f"finger{finger}-2.{side}"] = rotation(bend, 1.4 * curl * more)
        pose[f"finger{finger}-3.{side}"] = rotation(bend, 0.8 * curl * more)
    thumb = at(f"finger1-2.{side}") - at(f"finger1-1.{side}")
    pose[f"finger1-1.{side}"] = rotation(cross(thumb, middle + 0.3 * palm), rng.uniform(8, 20))
    pose[f"finger1-2.{side}"] = rotation(cross(thumb, middle + 0.5 * palm), rng.uniform(4, 14))
