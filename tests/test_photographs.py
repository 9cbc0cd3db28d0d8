"""Of `benchmarks/photographs.py` and `clips.py` what needs neither packages nor weights."""

import numpy as np
import photographs
import pytest
from clips import CLIPS, Clip, read_frames
from held_out import put
from PIL import Image

from scagan_hub import gallery
from scagan_hub.evaluation import comparison


def picture(colour) -> Image.Image:
    return Image.new("RGB", gallery.SIZE, colour)


def test_pairs_are_spread_evenly_and_no_frame_comes_twice():
    for clip in CLIPS:
        pairs = clip.pairs(5)
        frames = [frame for pair in pairs for frame in pair]
        assert len(set(frames)) == 10 and clip.first <= min(frames) and max(frames) <= clip.last
        assert {target - source for source, target in pairs} == {(clip.last - clip.first + 1) // 2}
        steps = np.diff([source for source, _ in pairs])
        assert steps.max() - steps.min() <= 1
    with pytest.raises(ValueError, match="at most 50 pairs"):
        CLIPS[1].pairs(51)


def test_the_person_nearest_to_the_middle_of_the_window_is_taken(monkeypatch):
    right, left = (gallery.pose("person23-view1").transform((0.1, 0.1), (x, 0), (100, 50)) for x in (80, 40))
    seen = []
    monkeypatch.setattr("clips.detect_people", lambda image: seen.append(image.size) or [right, left])
    clip = Clip("somebody", CLIPS[0].package, "a/b.mp4", first=2, window=(0, 0, 100, 50), drift=10)
    frame = Image.new("RGB", (125, 50))
    assert clip.photo(2, frame)[1] == left
    assert clip.photo(4, frame)[0].size == (100, 50)
    assert clip.photo(7, frame)[0].size == (75, 50)  # the window ends where the frame does
    assert Clip("somebody", CLIPS[0].package, "a/b.mp4").photo(0, frame)[1] == right  # the largest
    monkeypatch.setattr("clips.detect_people", lambda image: [])
    assert clip.photo(2, frame) is None


def test_frames_are_found_by_number(tmp_path):
    pytest.importorskip("av")
    from scagan_hub.images.video import write_animation

    write_animation([Image.new("RGB", (64, 64), (40 * i,) * 3) for i in range(6)], tmp_path / "film.mp4")
    frames = read_frames(tmp_path / "film.mp4", [4, 1])
    assert {number: round(np.asarray(frame).mean() / 40) for number, frame in frames.items()} == {1: 1, 4: 4}
    with pytest.raises(ValueError, match="expected a frame 9"):
        read_frames(tmp_path / "film.mp4", [9])


def test_sheet_has_two_blocks_side_by_side_and_is_small_enough():
    blocks = [[[picture(colour)] * 5] * 2 for colour in ("red", "lime", "blue")]
    titles = ["photo", "its own pose", *photographs.POSES]
    sheet = photographs.layout(blocks, [picture("black")] * 3, titles)
    (width, height), gap = photographs.CELL, photographs.GAP
    assert sheet.width == 10 * width + gap <= 1600
    top = photographs.HEAD + height + gap
    assert sheet.getpixel((10, top + 10)) == sheet.getpixel((5 * width - 10, top + 2 * height - 10)) == (255, 0, 0)
    assert sheet.getpixel((5 * width + gap + 10, top + 10)) == (0, 255, 0)
    assert sheet.getpixel((10, top + 2 * height + gap + 10)) == (0, 0, 255)
    assert sheet.getpixel((2 * width + 10, top - gap - 10)) == (0, 0, 0)  # the poses stand above their columns
    assert sheet.getpixel((10, top - gap - 10)) == (255, 255, 255)
    noise = np.random.default_rng(0).integers(256, size=(400, 400, 3), dtype=np.uint8)
    assert len(photographs.webp(Image.fromarray(noise))) <= photographs.MOST


def test_figures_are_of_the_person_alone_and_drawn_clip_by_clip(tmp_path, monkeypatch):
    pose = gallery.pose("person23-view1")
    monkeypatch.setattr(photographs, "detected", lambda picture: photographs.keypoints(pose))
    person = np.zeros(gallery.SIZE[::-1], bool)
    person[60:200, 60:120] = True
    beside = np.where(person[..., None], np.asarray(picture("navy")), np.uint8(0))
    figures = photographs.Figures(lambda a, b: np.abs(a.astype(float) - b).mean((1, 2, 3)))
    for clip in (0, 0, 1):
        made = {
            photographs.COPY: picture("red"),
            "Before, cut out": picture("black"),
            "Model, cut out": Image.fromarray(beside),
        }
        figures.add(clip, made, picture("navy"), person, pose)
    table = figures.table()
    equal = table["rows"]["Model, cut out"]
    assert equal["LPIPS"] == equal["L1"] == 0 and equal["SSIM"] == pytest.approx(1) and equal["PCKh-BlazePose"] == 1
    assert table["rows"]["Before, cut out"]["L1"] == pytest.approx(128 / 255 / 3)
    assert table["differences"]["to"] == "Before, cut out" and list(table["differences"]["rows"]) == ["Model, cut out"]
    text = comparison.measured(table)
    assert "| Model, cut out | 0.000 [0.000, 0.000] | 1.000 [1.000, 1.000] |" in text and "3 pairs of frames" in text
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- photographs -->\nold\n<!-- /photographs -->\nb\n")
    put(page, text, "photographs")
    assert page.read_text() == f"a\n<!-- photographs -->\n{text}\n<!-- /photographs -->\nb\n"
