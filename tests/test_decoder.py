"""What strangers send is opened in a process of bounded memory and time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hostile_files import HOSTILE
from PIL import Image

from scagan_hub import Pose, gallery
from scagan_hub.images.opening import open_image
from scagan_hub.photos import decoder
from scagan_hub.photos.decoder import Decoders


@pytest.fixture(scope="module")
def opened():
    decoders = Decoders(1)
    yield decoders
    decoders.close()


@pytest.mark.parametrize("what", HOSTILE)
def test_what_asks_for_too_much_is_a_line(opened, tmp_path, what):
    (tmp_path / "photo.png").write_bytes(HOSTILE[what])
    started = psutil.Process().cpu_times()
    with pytest.raises(ValueError, match=r"^photo\.png: [^\n]+$"):
        opened.picture(tmp_path / "photo.png")
    ended = psutil.Process().cpu_times()
    assert ended.user + ended.system - started.user - started.system < 1  # here nothing is done
    child = opened.all[0].process
    if child is not None:
        assert psutil.Process(child.pid).memory_info().rss < decoder.MEMORY
    gallery.person("person01")[0].save(tmp_path / "honest.png")
    assert opened.picture(tmp_path / "honest.png").size == gallery.SIZE


def test_what_asked_for_too_much_costs_nothing_the_second_time(opened, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(HOSTILE["a JPEG of 1,000 scans"])
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(decoder.TooMuch, match=r"^photo\.jpg: takes more than 3 s[^\n]+$"):
            opened.picture(tmp_path / "photo.jpg")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_pictures_come_as_open_image_gives_them(opened, tmp_path, format, mode):
    image = gallery.person("person03")[0].convert(mode)
    image = image.convert("RGB") if (format, mode) in (("JPEG", "RGBA"), ("JPEG", "P")) else image
    image.save(tmp_path / "photo", format)
    np.testing.assert_array_equal(opened.picture(tmp_path / "photo"), open_image(tmp_path / "photo"))


def test_a_large_one_is_scaled_down_and_turned_upright(opened, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    image = Image.new("RGB", (8192, 100), "red")
    image.paste("blue", (0, 0, 4096, 100))
    image.save(tmp_path / "photo.png", exif=exif)
    picture = opened.picture(tmp_path / "photo.png")
    assert picture.size == (50, 4096)
    assert picture.getpixel((20, 100)) == (0, 0, 255) and picture.getpixel((20, 4000)) == (255, 0, 0)


def test_poses_are_read_there(opened, tmp_path):
    pose = gallery.pose("person02-view3")
    (tmp_path / "one.json").write_text(json.dumps(pose.to_dict()))
    (tmp_path / "many.json").write_text(json.dumps([pose.to_dict()] * 3))
    assert opened.poses(tmp_path / "one.json", (1, 1)) == [pose]
    assert opened.poses(tmp_path / "many.json", most=3) == [pose] * 3
    with pytest.raises(ValueError, match="at most 2"):
        opened.poses(tmp_path / "many.json", most=2)
    (tmp_path / "deep.json").write_text("[" * 5_000_000)
    (tmp_path / "path.json").write_text('"/etc/passwd"')
    for name in ("deep", "path", "none"):
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            opened.poses(tmp_path / f"{name}.json", most=5)
    assert isinstance(opened.poses(tmp_path / "one.json", (1, 1))[0], Pose)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_one_is_replaced(opened, tmp_path):
    gallery.person("person01")[0].save(tmp_path / "photo.png")
    opened.picture(tmp_path / "photo.png")
    os.kill(opened.all[0].process.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert opened.picture(tmp_path / "photo.png").size == gallery.SIZE


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_it_ends_with_its_program_however_that_ends(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(HOSTILE["a JPEG of 1,000 scans"])
    code = (
        "import sys, threading; from scagan_hub.photos.decoder import Decoders; d = Decoders(1); d.all[0].start()\n"
        "print(d.all[0].process.pid, flush=True); d.picture(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "photo.jpg")]
    environment = os.environ | {"PYTHONPATH": str(Path(decoder.__file__).parents[2])}
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    child = psutil.Process(int(program.stdout.readline()))
    time.sleep(0.3)
    program.kill()
    program.wait()
    child.wait(2)
