"""The demo, served: its endpoint through gradio's client, its page in a real browser."""

import importlib.util
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from scagan_hub import ScaGan, evaluation, gallery
from scagan_hub.content import Content
from scagan_hub.models import ISNet, PCTNet

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("app", ROOT / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pipe() -> ScaGan:
    """An untrained pipeline of the demo's form and picture size."""
    torch.manual_seed(0)
    is_net = {"width": 4, "modulation_width": 4, "start": "pose", "aligned_channels": 4, "render": "blend"}
    pct_net = PCTNet(width=4, prior_channels=1, residual_blocks=1)
    return ScaGan(pct_net, ISNet(patch_size=2, **is_net), Content(prior="aligned", alignment="limbs"))


@pytest.fixture(scope="module")
def demo(app, pipe):
    demo = app.build_demo(pipe)
    demo.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def client(demo):
    return Client(demo.local_url, verbose=False)


@pytest.fixture
def generate(client):
    """Calls the endpoint; returns the generated picture, the comparison (paths or None) and the line of figures."""

    def call(*args, **kwargs):
        picture, edges, skeleton, comparison, figures = client.predict(*args, **kwargs, api_name="/generate")
        for path, mode in ((picture, "RGB"), (edges, "L"), (skeleton, "RGB")):
            with Image.open(path) as image:
                assert (image.size, image.mode) == (gallery.SIZE, mode)
        return read(picture), comparison, figures

    return call


def read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def given(path: Path, content) -> dict:
    """A file with this content (JSON of what isn't text), to upload."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return handle_file(path)


def test_bundled_person_and_pose(generate, pipe):
    picture, comparison, figures = generate("person03", "person03-view2")
    image, source_pose = gallery.person("person03")
    expected = pipe(image, gallery.pose("person03-view2"), source_pose).images[0]
    np.testing.assert_array_equal(picture, np.array(expected))
    truth = np.array(gallery.truth("person03", "person03-view2"))
    np.testing.assert_array_equal(read(comparison[0]), picture)
    np.testing.assert_array_equal(read(comparison[1]), truth)

    pair = picture[None], truth[None]
    measured = [metric(*pair, "unpadded")[0] for metric in (evaluation.ssim, evaluation.l1, evaluation.psnr)]
    shown = [float(figure) for figure in re.findall(r"\*\*(-?[\d.]+)", figures)]
    np.testing.assert_allclose(shown, measured, atol=0.051)
    np.testing.assert_allclose(shown[:2], measured[:2], atol=0.00051)
    assert "`unpadded`" in figures


def test_nothing_is_measured_where_the_truth_is_unknown(app, generate):
    _, comparison, figures = generate(person="person03", pose="person05-view4")
    assert comparison is None and figures == app.UNMEASURED


def test_uploads_take_the_place_of_what_is_bundled(app, generate, tmp_path):
    image, pose = gallery.person("person04")
    image.resize((352, 512)).save(tmp_path / "photo.jpg")
    photo = handle_file(tmp_path / "photo.jpg")
    drawn, comparison, figures = generate("person01", "person04-view3", photo)
    assert comparison is None and figures == app.UNMEASURED
    assert not np.array_equal(drawn, generate("person01", "person04-view3")[0])

    as_named = generate("person02", "person04-view1")[0]
    of_json = generate("person02", pose_json=given(tmp_path / "pose.json", pose.to_dict()))
    np.testing.assert_array_equal(of_json[0], as_named)
    assert of_json[1] is None  # though the default pose's truth is known
    detected = generate("person02", pose_photo=photo)[0]
    assert np.abs(detected.astype(int) - as_named).mean() < np.abs(detected.astype(int) - drawn).mean()


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"person": "person99"}, "person01 to person24"),
        ({"person": ""}, "no person"),
        ({"pose": "../../person"}, "person01-view1 to person24-view6"),
        ({"pose": ""}, "no target pose"),
        ({"photo": ("photo.png", "no picture")}, "photo.png: not a picture"),
        ({"pose_photo": ("photo.png", "no picture")}, "photo.png: not a picture"),
        ({"photo": ("grey.png", None)}, "nobody"),
        ({"pose_photo": ("grey.png", None)}, "nobody"),
        ({"pose_json": ("pose.json", "{")}, "pose.json: not readable as JSON"),
        ({"pose_json": ("pose.json", '"/etc/passwd"')}, "pose JSON"),
        ({"pose_json": ("pose.json", [[1, 1, 1]] * 17)}, "expected 18 joints"),
        ({"pose_json": ("pose.json", {"people": []})}, "no person"),
        ({"pose_json": ("pose.txt", "{}")}, ".json"),
    ],
)
def test_bad_input_is_told_in_one_line(client, tmp_path, capfd, request_, word):
    Image.new("RGB", (200, 300), "grey").save(tmp_path / "grey.png")
    for name, value in request_.items():
        if isinstance(value, tuple):
            path = tmp_path / value[0]
            request_[name] = handle_file(path) if value[1] is None else given(path, value[1])
    with pytest.raises(AppError) as error:
        client.predict(**request_, api_name="/generate")
    text = str(error.value)
    assert word in text and len(text.splitlines()) == 1
    assert "gradio" not in text and str(tmp_path) not in text and "Traceback" not in text


def test_files_of_the_server_cannot_be_named(demo):
    """A path that nobody uploaded is refused, not read."""
    import httpx

    file = {
        "path": str(ROOT / "scagan_hub/assets/gallery/test/test_900001_0.webp"),
        "meta": {"_type": "gradio.FileData"},
    }
    url = f"{demo.local_url}gradio_api/call/generate"
    event = httpx.post(url, json={"data": ["person01", "person01-view2", file, None, None]}).json()["event_id"]
    answer = httpx.get(f"{url}/{event}", timeout=60).text
    assert answer.startswith("event: error") and "test_900001_0" not in answer


def test_only_generate_is_open_and_the_queue_is_bounded(app, demo, client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/generate"]
    names = [parameter["parameter_name"] for parameter in endpoints["/generate"]["parameters"]]
    assert names == ["person", "pose", "photo", "pose_photo", "pose_json"]
    assert demo._queue.max_size == app.QUEUE
    assert demo.max_file_size == 20 * 1024**2 and not demo.analytics_enabled


def test_main_says_what_is_wrong_with_the_model(app, tmp_path, capsys):
    assert app.main(["--model", str(tmp_path / "nowhere")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "nowhere" in lines[0]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (on Debian: apt-get install chromium)")
def test_page_in_a_browser(demo, pipe, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    host, faults = urlsplit(demo.local_url).netloc, []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if elsewhere(request.url, host) else None)
        page.goto(demo.local_url)
        for name in ("person05", "person05-view4"):
            with page.expect_response("**/gradio_api/run/**"):
                page.get_by_alt_text(name, exact=True).click()
            page.locator(f".selected img[alt={name}]").wait_for()
        page.get_by_role("button", name="Generate").click()
        page.get_by_text("protocol unpadded").wait_for()
        page.locator(".slider-wrap img").nth(1).wait_for()
        shown = page.locator(".image-frame img").first
        (tmp_path / "shown.png").write_bytes(page.request.get(shown.get_attribute("src")).body())
        browser.close()
    assert faults == []
    image, source_pose = gallery.person("person05")
    expected = pipe(image, gallery.pose("person05-view4"), source_pose).images[0]
    np.testing.assert_array_equal(read(tmp_path / "shown.png"), np.array(expected))


def elsewhere(url: str, host: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host
