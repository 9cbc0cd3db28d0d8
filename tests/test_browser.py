"""The demo's page in a real browser: Debian's chromium, as a visitor uses it."""

import base64
import io
import json
import re
import shutil
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from scagan_hub import Pose, gallery
from scagan_hub.poses.motion import motion

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (on Debian: apt-get install chromium)"),
]
WAIT = 30_000  # milliseconds, for a machine that is busy
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, demo):
    """Opens the page, its first picture shown; in the end nothing was wrong, and no other host was asked."""
    host, faults, contexts = urlsplit(demo.local_url).netloc, [], []

    def visit(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if elsewhere(request.url, host) else None)
        page.goto(demo.local_url)
        page.locator(".shown img").wait_for()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def elsewhere(url: str, host: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host


def shown(page) -> np.ndarray:
    """The picture that the page shows."""
    url = page.locator(".shown img").first.get_attribute("src")
    return np.array(Image.open(io.BytesIO(page.request.get(url).body())).convert("RGB"))


def until_shown(page, expected: np.ndarray | None = None, unlike: np.ndarray | None = None) -> np.ndarray:
    """Waits until the page shows this picture, or another one than that."""
    for _ in range(WAIT // 200):
        picture = shown(page)
        if np.array_equal(picture, expected) if expected is not None else not np.array_equal(picture, unlike):
            return picture
        page.wait_for_timeout(200)
    raise AssertionError("the page never showed the picture that was expected")


def made(pipe, person: str, pose) -> np.ndarray:
    image, source_pose = gallery.person(person)
    return np.array(pipe(image, pose, source_pose).images[0])


def choose(page, name: str):
    page.get_by_alt_text(name, exact=True).first.click()


def joint(page, name: str):
    return page.locator(f"circle[aria-label^='{name},']:visible").first


def drag(page, name: str, by: tuple[int, int]):
    joint(page, name).scroll_into_view_if_needed()
    box = joint(page, name).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up()


def saved_pose(page) -> dict:
    with page.expect_download() as download:
        page.get_by_role("link", name="Pose", exact=True).click()
    return json.loads(download.value.path().read_text())


def test_choose_a_person_and_a_pose_in_the_dark(visit, pipes):
    page = visit(color_scheme="dark")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(value) for value in background[4:-1].split(",")[:3]) < 60
    choose(page, "person05")
    until_shown(page, made(pipes["first"], "person05", gallery.pose("person05-view2")))
    choose(page, "person05-view4")
    until_shown(page, made(pipes["first"], "person05", gallery.pose("person05-view4")))
    page.get_by_text("protocol unpadded").wait_for()
    assert page.locator(".strip.road img").count() == 6
    assert saved_pose(page) == gallery.pose("person05-view4").to_dict()


def test_the_skeleton_is_pulled_hidden_mirrored_and_reset(visit):
    page = visit()
    first, before = shown(page), saved_pose(page)
    drag(page, "right wrist", (-40, -60))
    picture = until_shown(page, unlike=first)
    after = saved_pose(page)
    moved = [i for i in range(18) if after["keypoints"][i] != before["keypoints"][i]]
    assert moved == [4] and after["keypoints"][4][1] < before["keypoints"][4][1] - 10

    joint(page, "right wrist").focus()
    page.keyboard.press("Shift+ArrowDown")
    picture = until_shown(page, unlike=picture)
    assert saved_pose(page)["keypoints"][4][1] == pytest.approx(after["keypoints"][4][1] + 8, abs=0.01)
    joint(page, "right wrist").focus()
    page.keyboard.press("Delete")
    picture = until_shown(page, unlike=picture)
    assert saved_pose(page)["keypoints"][4] == [0, 0, 0]
    page.get_by_role("button", name="Show the right wrist").click()
    picture = until_shown(page, unlike=picture)

    page.get_by_role("button", name="Mirror").click()
    until_shown(page, unlike=picture)
    neck = saved_pose(page)["keypoints"][1]
    assert neck[0] == pytest.approx(175 - before["keypoints"][1][0], abs=0.01)
    page.get_by_role("button", name="Reset").click()
    until_shown(page, first)
    assert saved_pose(page) == before


def test_a_photo_and_a_json_take_the_place_of_what_is_bundled(visit, tmp_path):
    page = visit()
    picture = shown(page)
    pages = [gallery.person(name)[0].resize((352, 512)) for name in ("person04", "person02")]
    crowd = Image.new("RGB", (704, 512))
    for i, person in enumerate(pages):
        crowd.paste(person, (352 * i, 0))
    crowd.save(tmp_path / "crowd.png")
    page.get_by_role("button", name="Use a photo of your own").click()
    page.locator("input[type=file]").first.set_input_files(tmp_path / "crowd.png")
    picture = until_shown(page, unlike=picture)
    page.get_by_text("2 people are in the photo").wait_for()
    choose(page, "somebody 2")
    picture = until_shown(page, unlike=picture)

    pose = gallery.pose("person09-view3").to_dict()
    (tmp_path / "pose.json").write_text(json.dumps(pose))
    page.get_by_role("tab", name="JSON").click()
    page.locator("input[type=file][accept='.json']").first.set_input_files(tmp_path / "pose.json")
    until_shown(page, unlike=picture)
    assert saved_pose(page) == pose
    page.get_by_role("tab", name="Bundled").click()  # and back
    choose(page, "person03")
    choose(page, "person03-view2")
    page.get_by_text("protocol unpadded").wait_for()


def test_a_bad_photo_is_told_and_the_next_is_drawn(visit, tmp_path):
    page = visit()
    (tmp_path / "no.png").write_text("no picture")
    page.get_by_role("button", name="Use a photo of your own").click()
    page.locator("input[type=file]").first.set_input_files(tmp_path / "no.png")
    page.get_by_text("no.png: not a picture").wait_for()
    picture = shown(page)
    choose(page, "person07")
    until_shown(page, unlike=picture)


def test_what_was_there_comes_back_when_an_upload_goes(visit, tmp_path):
    page = visit()
    first, pose = shown(page), saved_pose(page)
    gallery.person("person04")[0].resize((352, 512)).save(tmp_path / "photo.png")
    page.get_by_role("button", name="Use a photo of your own").click()
    page.locator("input[type=file]").first.set_input_files(tmp_path / "photo.png")
    until_shown(page, unlike=first)
    page.get_by_role("button", name="Remove Image").locator("visible=true").first.click()
    until_shown(page, first)

    (tmp_path / "no.png").write_text("no picture")
    (tmp_path / "pose.json").write_text(json.dumps(gallery.pose("person09-view3").to_dict()))
    (tmp_path / "no.json").write_text("no pose")
    for tab, accept, clear, good, bad in (
        ("Photo", "", "Remove Image", "photo.png", "no.png"),
        ("JSON", "[accept='.json']", "Clear", "pose.json", "no.json"),
    ):
        page.get_by_role("tab", name=tab, exact=True).click()
        file = page.locator(f"input[type=file]{accept}").locator("nth=0" if accept else "nth=1")
        file.set_input_files(tmp_path / good)
        until_shown(page, unlike=first)
        page.get_by_role("button", name=clear).locator("visible=true").last.click()
        until_shown(page, first)
        file.set_input_files(tmp_path / bad)
        page.get_by_text(f"{bad}:").first.wait_for()
        page.get_by_role("button", name="Generate").click()
        page.wait_for_timeout(1000)
        assert saved_pose(page) == pose and np.array_equal(shown(page), first)


def test_a_pulled_pose_stays_when_another_person_comes(visit, pipes):
    page = visit()
    first = shown(page)
    drag(page, "right wrist", (-40, -60))
    until_shown(page, unlike=first)
    pulled = saved_pose(page)
    choose(page, "person05")
    until_shown(page, made(pipes["first"], "person05", Pose.from_dict(pulled)))
    assert saved_pose(page) == pulled
    page.get_by_role("button", name="Reset").click()
    until_shown(page, made(pipes["first"], "person05", gallery.pose("person05-view2")))


def test_a_second_finger_pulls_nothing(visit):
    page = visit()
    before = saved_pose(page)
    page.evaluate(
        """() => {
          const svg = [...document.querySelectorAll("svg[role=group]")].find((svg) => svg.checkVisibility());
          svg.setPointerCapture = () => {};
          const at = (name) => {
            const box = svg.querySelector(`circle[aria-label^="${name},"]`).getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
          };
          const send = (type, pointerId, [clientX, clientY], by = 0) =>
            svg.dispatchEvent(new PointerEvent(type, {pointerId, clientX: clientX + by, clientY, bubbles: true}));
          const wrist = at("right wrist"), ankle = at("left ankle");
          send("pointerdown", 1, wrist);
          send("pointerdown", 2, ankle);
          send("pointermove", 2, ankle, 40);
          send("pointerup", 2, ankle, 40);
          send("pointermove", 1, wrist, -30);
          send("pointerup", 1, wrist, -30);
        }"""
    )
    page.wait_for_timeout(1500)
    after = saved_pose(page)
    assert [i for i in range(18) if after["keypoints"][i] != before["keypoints"][i]] == [4]
    assert after["keypoints"][4][0] < before["keypoints"][4][0] - 5


def test_models_are_switched_and_compared(visit, pipes):
    page = visit()
    pose = gallery.pose("person01-view2")
    until_shown(page, made(pipes["first"], "person01", pose))
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Model").click()
    page.get_by_role("option", name="second").click()
    until_shown(page, made(pipes["second"], "person01", pose))

    page.get_by_role("tab", name="Compare").click()
    page.locator(".slider-wrap img").nth(1).wait_for()
    cards = page.locator(".strip.cards figure")
    cards.nth(4).wait_for()
    first_card = cards.nth(0).locator("img").get_attribute("src")
    captions = [cards.nth(i).locator("img").get_attribute("alt") for i in range(cards.count())]
    assert captions == [
        "Copy of the source", "Aligned, nothing learned", "Model first", "Model second", "The true picture"
    ]  # fmt: skip
    choose(page, "person03")
    copied = gallery.person("person03")[0]
    page.wait_for_function("before => document.querySelector('.strip.cards img').src !== before", arg=first_card)
    url = cards.nth(0).locator("img").get_attribute("src")
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    assert np.abs(np.array(picture).astype(int) - np.array(copied)).mean() < 4  # it was made smaller in bytes
    for metric, pick in (("SSIM", max), ("L1", min), ("PSNR", max)):
        column = page.locator(f".strip.cards dt:text-is('{metric}') + dd")
        values = [float(text.split()[0]) for text in column.all_inner_texts()]
        best = [i for i in range(len(values)) if "best" in (column.nth(i).get_attribute("class") or "")]
        assert [values[i] for i in best] == [pick(values)] * len(best) and best


def test_films_are_cancelled_and_made_of_key_poses_and_of_a_json(visit, tmp_path):
    page = visit()
    page.get_by_role("tab", name="Animate").click()
    page.get_by_label("number input for Pictures").fill("96")
    page.get_by_role("button", name="Animate").click()
    page.get_by_text(re.compile(r"Picture \d+ of 96")).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled.").wait_for()

    page.get_by_label("number input for Pictures").fill("4")
    page.get_by_label("Key poses").click()
    add = page.get_by_role("button", name="Add this pose")
    joint(page, "left wrist").wait_for()
    add.click()
    page.locator(".strip.keys figure").nth(0).wait_for()
    drag(page, "left wrist", (30, -60))
    add.click()
    page.locator(".strip.keys figure").nth(1).wait_for()
    page.get_by_role("button", name="Animate").click()
    page.get_by_text("4 pictures,").wait_for()
    video = page.locator(".film video")
    assert page.wait_for_function("video => video.videoWidth", arg=video.element_handle()).json_value() == 176

    (tmp_path / "walk.json").write_text(json.dumps([pose.to_dict() for pose in motion("walk", 5)]))
    page.get_by_label("JSON file").click()
    page.get_by_label("WebP").click()
    page.locator("input[type=file][accept='.json']").last.set_input_files(tmp_path / "walk.json")
    page.get_by_text("walk.json").wait_for()
    page.get_by_role("button", name="Animate").click()
    page.get_by_text("5 pictures,").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Film").click()
    with Image.open(download.value.path()) as film:
        assert (film.format, film.n_frames, film.size) == ("WEBP", 5, (176, 256))


def test_on_a_phone_by_touch(visit):
    page = visit(**PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["viewport"]["width"]
    picture, before = shown(page), saved_pose(page)
    joint(page, "left wrist").scroll_into_view_if_needed()
    box = joint(page, "left wrist").bounding_box()
    x, y = box["x"] + 5, box["y"] + 5
    touch = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 15, "y": y - 30}]),
        ("touchMove", [{"x": x + 30, "y": y - 60}]),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    until_shown(page, unlike=picture)
    assert saved_pose(page)["keypoints"][7][1] < before["keypoints"][7][1] - 10
    for tab in ("Compare", "Animate", "Figures"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
    page.get_by_text("Published: Table 1 of the paper").wait_for()
    assert page.get_by_text("Nothing was measured on these weights").count() == 2
