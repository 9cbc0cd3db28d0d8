"""The demo's endpoint `/generate`, served, through gradio's client."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from huggingface_hub import RepoCard
from PIL import Image

from scagan_hub import ScaGan, evaluation, gallery
from scagan_hub.demo import animate, measures, server
from scagan_hub.demo.drawing import draw
from scagan_hub.demo.models import Models
from scagan_hub.demo.requests import Request, Source, Target
from scagan_hub.training.components import components
from scagan_hub.training.recipes import by_recipe

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def client(demo):
    return Client(demo.local_url, verbose=False)


@pytest.fixture
def pipe(pipes):
    return pipes["first"]


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


def test_nothing_is_measured_where_the_truth_is_unknown(generate):
    _, comparison, figures = generate(person="person03", pose="person05-view4")
    assert comparison is None and figures == measures.UNMEASURED


def test_uploads_take_the_place_of_what_is_bundled(generate, tmp_path):
    image, pose = gallery.person("person04")
    image.resize((352, 512)).save(tmp_path / "photo.jpg")
    photo = handle_file(tmp_path / "photo.jpg")
    drawn, comparison, figures = generate("person01", "person04-view3", photo)
    assert comparison is None and figures == measures.UNMEASURED
    assert not np.array_equal(drawn, generate("person01", "person04-view3")[0])

    as_named = generate("person02", "person04-view1")[0]
    of_json = generate("person02", pose_json=given(tmp_path / "pose.json", pose.to_dict()))
    np.testing.assert_array_equal(of_json[0], as_named)
    assert of_json[1] is None  # though the default pose's truth is known
    detected = generate("person02", pose_photo=photo)[0]
    assert np.abs(detected.astype(int) - as_named).mean() < np.abs(detected.astype(int) - drawn).mean()


def test_a_moved_skeleton_is_taken_before_all_else(generate):
    named, as_skeleton = gallery.pose("person04-view1"), gallery.pose("person04-view3")
    picture, comparison, _ = generate("person02", "person02-view2", skeleton=as_skeleton.to_dict())
    np.testing.assert_array_equal(picture, generate("person02", "person04-view3")[0])
    assert comparison is None
    untouched = named.to_dict() | {"base": named.to_dict()["keypoints"]}
    of_name = generate("person02", "person02-view2", skeleton=untouched)
    np.testing.assert_array_equal(of_name[0], generate("person02", "person02-view2")[0])


def test_model_and_precision_are_chosen_by_request(generate, pipes):
    image, source_pose = gallery.person("person06")
    pose = gallery.pose("person06-view2")
    expected = np.array(pipes["second"](image, pose, source_pose).images[0])
    np.testing.assert_array_equal(generate("person06", "person06-view2", model="second")[0], expected)
    first = generate("person06", "person06-view2")[0].astype(int)
    assert np.abs(first - expected).max() > 8
    rounded = generate("person06", "person06-view2", precision="bfloat16")[0].astype(int)
    assert 0 < np.abs(rounded - first).max() < 24  # the same picture but for rounding
    np.testing.assert_array_equal(generate("person06", "person06-view2")[0], first)  # nobody else is changed by it


def test_somebody_of_several_people_is_chosen(generate, tmp_path):
    left, right = (gallery.person(name)[0].resize((352, 512)) for name in ("person04", "person02"))
    crowd = Image.new("RGB", (704, 512))
    crowd.paste(left, (0, 0))
    crowd.paste(right, (352, 0))
    crowd.save(tmp_path / "crowd.png")
    photo = handle_file(tmp_path / "crowd.png")
    first, second = (generate(pose="person03-view2", photo=photo, whose=i)[0] for i in (1, 2))
    assert np.abs(first.astype(int) - second).mean() > 2
    with pytest.raises(AppError, match="from 1 to 2, got 3"):
        generate(pose="person03-view2", photo=photo, whose=3)


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
        ({"skeleton": {"keypoints": [[1, 1, 1]] * 17, "size": [176, 256]}}, "expected 18 joints"),
        ({"skeleton": {"nothing": 1}}, "expected 'keypoints' and 'size'"),
        ({"model": "third"}, "['first', 'second']"),
        ({"precision": "int8"}, "['float32', 'bfloat16']"),
    ],
)
def test_bad_input_is_told_in_one_line(client, tmp_path, request_, word):
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


def test_the_page_knows_backdrops_by_name():
    assert Request().ground() == Request(backdrop="Plain").ground() == "plain"
    assert Request(backdrop="The photo's own").ground() == "keep"
    for wrong in ("keep", "/etc/passwd", str(ROOT / "examples/photo.jpg")):
        with pytest.raises(ValueError, match="backdrop: expected one of Plain"):
            Request(backdrop=wrong).ground()


def test_a_large_photos_picture_is_sent_smaller(pipe):
    image, pose = gallery.person("person04")
    field = Image.new("RGB", (3000, 2000), "grey")
    field.paste(image.resize((880, 1280)), (900, 400))
    source = Source(field, pose.transform((5, 5), (900, 400), field.size))
    assert draw(pipe, source, Target(pose), backdrop="keep").picture.size == (1280, 853)
    assert draw(pipe, source, Target(pose)).picture.size == gallery.SIZE


def test_files_of_the_server_cannot_be_named(demo):
    """A path that nobody uploaded is refused, not read."""
    url, picture = f"{demo.local_url}gradio_api", ROOT / "scagan_hub/assets/gallery/test/test_900001_0.webp"
    (uploaded,) = httpx.post(f"{url}/upload", files={"files": picture.read_bytes()}).json()
    answers = []
    for path in (uploaded, str(picture)):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        values = [None, "person01-view2", file, None, None, None, 0, None, "float32", 1, 1]
        event = httpx.post(f"{url}/call/generate", json={"data": values}).json()["event_id"]
        answers.append(httpx.get(f"{url}/call/generate/{event}", timeout=60).text)
    assert answers[0].startswith("event: complete")
    assert answers[1].startswith("event: error") and "test_900001_0" not in answers[1]


def test_only_generate_is_open_and_the_queue_is_bounded(demo, client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/generate"]
    names = [parameter["parameter_name"] for parameter in endpoints["/generate"]["parameters"]]
    assert names[:5] == ["person", "pose", "photo", "pose_photo", "pose_json"]
    assert names[5:] == ["skeleton", "seed", "model", "precision", "whose", "pose_whose"]
    assert demo._queue.max_size == server.QUEUE
    assert demo.state_session_capacity == server.SESSIONS <= 128  # each is half a megabyte
    assert demo.max_file_size == 20 * 1024**2 and not demo.analytics_enabled


def test_visitors_get_their_own_pictures_when_they_ask_at_once(demo, pipe):
    """Each of four, in threads of their own."""

    def ask(name: str) -> bool:
        picture = Client(demo.local_url, verbose=False).predict(name, f"{name}-view2", api_name="/generate")[0]
        image, source_pose = gallery.person(name)
        expected = np.array(pipe(image, gallery.pose(f"{name}-view2"), source_pose).images[0])
        return np.array_equal(read(picture), expected)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, gallery.people()[:4])) == [True] * 4


def test_files_of_visitors_are_deleted_and_those_of_the_page_stay(demo, generate, tmp_path):
    assert demo.delete_cache == (server.OFTEN, server.HOUR)
    gallery.person("person04")[0].resize((352, 512)).save(tmp_path / "mine.jpg")
    generate(pose="person01-view2", photo=handle_file(tmp_path / "mine.jpg"))
    written = {file for files in demo.temp_file_sets for file in files}
    kept = set().union(*(block.keep_in_cache for block in demo.blocks.values() if hasattr(block, "keep_in_cache")))
    assert any(file.endswith("mine.jpg") for file in written)
    delete_files_created_by_app(demo, age=0)
    left = {file for file in written if Path(file).exists()}
    assert left <= kept and len(left) >= len(gallery.people())


def test_a_gpu_is_borrowed_where_spaces_is_installed(monkeypatch):
    borrowed = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lambda f: borrowed.append(f) or f))
    assert server.on_gpu(len)("abc") == 3 and borrowed == [len]
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert server.on_gpu(max) is max


def test_main_says_what_is_wrong_with_the_model(app, tmp_path, capsys):
    assert app.main(["--model", str(tmp_path / "nowhere")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "nowhere" in lines[0]
    assert app.main(["--model", "one/same", "two/same"]) == 1
    assert "different names" in capsys.readouterr().err


def test_a_models_name_is_its_folders_or_its_runs(app):
    names = [app.model_name(path) for path in ("somebody/scagan", "runs/full/model", "runs/spade/model/", "model")]
    assert names == ["scagan", "full", "spade", "model"]


def test_the_readme_is_a_card_that_the_hub_takes():
    card = RepoCard.load(ROOT / "README.md").data.to_dict()
    assert len(card["short_description"]) <= 60
    assert f"gradio=={card['sdk_version']}\n" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / card["app_file"]).is_file()


def test_health_names_models_device_and_load_time(pipes):
    line = server.health(pipes, 1.23)
    assert line.startswith("health: ok") and "first" in line and "second" in line
    assert "device cpu" in line and "1.2 s" in line and len(line.splitlines()) == 1


def test_models_of_several_sizes_are_refused(pipes, tiny_pipe):
    with pytest.raises(ValueError, match="one size"):
        Models({"first": pipes["first"], "tiny": tiny_pipe})


def test_a_film_ends_in_time_with_the_pictures_that_it_has(pipe, monkeypatch):
    monkeypatch.setattr(animate, "MAX_SECONDS", 0)
    source = Source(*gallery.person("person01"))
    *_, (_, line) = animate._film(pipe, source, 0, "Walk", [], None, 6, 12, "WebP")
    assert line.startswith("1 pictures") and "6 were asked for" in line


def test_a_model_that_needs_parsing_maps_is_refused():
    parsing = ScaGan(*components(by_recipe(data=ROOT, output=ROOT, variant="semantic_content")))
    with pytest.raises(ValueError, match="parsing map"):
        Models({"parsing": parsing})
