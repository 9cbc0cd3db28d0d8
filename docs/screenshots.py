"""Pictures of the demo's tabs as they open with the bundled weights, on a desktop and on a phone.

    python docs/screenshots.py                  # writes docs/images/demo_*.webp, each under 200 KB

Needs playwright and Debian's chromium. Nobody chooses what is shown: the first person, the first pose; in the tab
"Pose" the right wrist is pulled up and to the side, in "Animate" the walk is made.
"""

import io
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from scagan_hub import DEMO_MODEL, ScaGan  # noqa: E402
from scagan_hub.demo import LAUNCH, build_demo  # noqa: E402

FOLDER = ROOT / "docs" / "images"
MOST = 200_000  # bytes
WAIT = 90_000  # milliseconds
DEVICES = {
    "desktop": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
}


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("screenshots: error: no chromium on the PATH (on Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    demo = build_demo(ScaGan.from_pretrained(DEMO_MODEL))
    demo.launch(prevent_thread_lock=True, quiet=True, **LAUNCH)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for device, options in DEVICES.items():
            page = browser.new_page(**options)
            page.set_default_timeout(WAIT)
            page.goto(demo.local_url)
            for tab, (prepare, top) in TABS.items():
                page.get_by_role("tab", name=tab).first.click()
                prepare(page)
                page.wait_for_timeout(1000)
                save(page, FOLDER / f"demo_{tab.lower()}_{device}.webp", top if device == "phone" else None)
            page.close()
        browser.close()
    demo.close()
    return 0


def save(page: Page, path: Path, top: str | None):
    """The whole page as WebP, or what is seen of it below `top`; as good as its size allows."""
    page.locator(top or "body").first.evaluate("element => element.scrollIntoView()")
    picture = Image.open(io.BytesIO(page.screenshot(full_page=top is None))).convert("RGB")
    for quality in (85, 70, 50, 30):
        picture.save(path, quality=quality, method=6)
        if path.stat().st_size < MOST:
            print(f"{path.relative_to(ROOT)}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")
            return
    raise ValueError(f"{path}: {path.stat().st_size} bytes; expected less than {MOST}")


def pose(page: Page):
    page.locator(".strip.road img").first.wait_for()
    before = page.locator(".shown img").get_attribute("src")
    joint = page.locator("circle[aria-label^='right wrist,']:visible")
    joint.scroll_into_view_if_needed()
    box = joint.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 45, box["y"] - 75, steps=4)
    page.mouse.up()
    page.wait_for_function("before => document.querySelector('.shown img').getAttribute('src') !== before", arg=before)


def compare(page: Page):
    page.locator(".strip.cards img").first.wait_for()


def animate(page: Page):
    page.get_by_role("button", name="Animate").click()
    page.locator(".film video").wait_for()


def figures(page: Page):
    page.get_by_role("button", name="Plots").first.click()


TABS = {  # how each is prepared, and where a phone's view of it begins
    "Pose": (pose, "h3:has-text('Pull the joints')"),
    "Compare": (compare, "[role=tablist]"),
    "Animate": (animate, "[role=tablist]"),
    "Figures": (figures, "[role=tablist]"),
}

if __name__ == "__main__":
    sys.exit(main())
