"""The scripts in examples/, each run as its users run it."""

import runpy
from pathlib import Path

import pytest
from PIL import Image

from scagan_hub import gallery

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]([str(argument) for argument in arguments])


def size(path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


def test_quickstart(tmp_path):
    run("quickstart", "--output", tmp_path / "out.png")
    assert size(tmp_path / "out.png") == (3 * 176, 256)


def test_api_client(demo, tmp_path, capsys):
    run("api_client", demo.local_url, "--pose", "person05-view3", "--output", tmp_path / "out.png")
    assert size(tmp_path / "out.png") == (176, 256)
    assert "SSIM" in capsys.readouterr().out


def test_batch_folder(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    gallery.person("person04")[0].resize((352, 512)).save(photos / "one.jpg")
    (photos / "two.txt").write_text("no picture")
    assert run("batch_folder", photos, "--output", tmp_path / "drawn") == 1
    assert "two.txt" in capsys.readouterr().err
    assert size(tmp_path / "drawn" / "one.png") == (176, 256)


@pytest.mark.parametrize("arguments", [(), ("--keys", "person02-view2", "person02-view4")])
def test_animation(tmp_path, arguments):
    run("animation", "--pictures", 3, "--output", tmp_path / "film.webp", *arguments)
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames == 3
