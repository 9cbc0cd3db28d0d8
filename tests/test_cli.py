"""The command line: pictures and films that appear whole, and one clear line for whatever is wrong."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from scagan_hub.cli import main
from scagan_hub.images.video import write_animation


@pytest.fixture
def files(tmp_path, tiny_folder, picture, pose, other_pose):
    """A folder with a photo, its pose, another pose and an empty folder for results; generate's usual arguments."""
    picture.save(tmp_path / "photo.png")
    (tmp_path / "source.json").write_text(json.dumps(pose.to_dict()))
    (tmp_path / "target.json").write_text(json.dumps(other_pose.to_dict()))
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def generate(files, tiny_folder, capsys):
    """Runs `scagan generate`; returns the exit status and the lines on stderr."""

    def run(**changed):
        options = {"source": "photo.png", "pose": "target.json", "output": "out/picture.png"}
        options |= {"source_pose": "source.json"} | changed
        source = files / options.pop("source")
        argv = ["generate", str(source), "--model", str(tiny_folder)]
        for name, value in options.items():
            argv += [f"--{name.replace('_', '-')}", str(files / value)]
        status = main(argv)
        return status, capsys.readouterr().err.splitlines()

    return run


def refused(result, *words):
    status, lines = result
    assert status == 1 and len(lines) == 1 and lines[0].startswith("scagan: error: "), lines
    assert all(word in lines[0] for word in words), lines[0]


def test_help_and_bad_paths_need_no_torch():
    script = (
        "import sys; from scagan_hub.cli import main\n"
        "for argv in (['--help'], ['generate', '--help'], ['animate', '--help'], ['convert', '--help'], "
        "        ['people', '--help'], ['prepare', '--help'], ['verify', '--help']):\n"
        "    try: main(argv)\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "arguments = ['--pose', 'nowhere', '--output']\n"
        "assert main(['generate', 'nowhere.png', *arguments, 'picture.png']) == 1\n"
        "assert main(['generate', 'nowhere.png', *arguments, 'nowhere/picture.png']) == 1\n"
        "assert main(['animate', 'nowhere.png', '--poses', 'nowhere', '--output', 'film.gif']) == 1\n"
        "assert main(['convert', 'nowhere.pth', '--output', 'model']) == 1\n"
        "assert main(['prepare', 'nowhere', '--output', 'set']) == main(['verify', 'nowhere']) == 1\n"
        "print(sorted({'torch', 'diffusers', 'gradio'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stderr.splitlines()) == 6 and "Traceback" not in done.stderr


def test_generate(generate, files, tiny_pipe, picture, pose, other_pose):
    assert generate() == (0, [])
    with Image.open(files / "out/picture.png") as image:
        expected = tiny_pipe(picture, other_pose, pose).images[0]
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    assert [path.name for path in (files / "out").iterdir()] == ["picture.png"]
    assert generate(output="out/picture.jpg")[0] == 0


def test_bundled_names_and_a_photo_without_its_pose(files, tiny_folder):
    from scagan_hub import gallery

    person, pose = gallery.people()[0], gallery.poses()[0]
    output = files / "out" / "picture.png"
    image, _ = gallery.person(person)
    photo = Image.new("RGB", (700, 600), image.getpixel((0, 0)))
    photo.paste(image.resize((352, 512), Image.Resampling.BICUBIC), (150, 40))
    photo.save(files / "large.jpg")
    for source in (person, str(files / "large.jpg")):
        argv = ["generate", source, "--pose", pose, "--model", str(tiny_folder), "--output", str(output)]
        assert main(argv) == 0
        with Image.open(output) as picture:
            assert picture.size == (44, 64)
        output.unlink()


def test_backdrops(files, tiny_folder, picture, monkeypatch):
    from scagan_hub.photos import cutout

    monkeypatch.setattr(cutout, "person_mask", lambda image, pose: Image.new("L", image.size, 255))
    size = (picture.width * 5, picture.height * 5)
    picture.resize(size).save(files / "large.png")
    argv = ["generate", str(files / "large.png"), "--source-pose", str(files / "source.json")]
    argv += ["--pose", str(files / "target.json"), "--output", str(files / "out/picture.png"), "--model"]
    argv += [str(tiny_folder), "--backdrop"]
    for backdrop, expected in (("plain", picture.size), ("keep", size)):
        assert main([*argv, backdrop]) == 0
        with Image.open(files / "out/picture.png") as image:
            assert image.size == expected


def test_what_is_no_backdrop_is_refused(files, capsys):
    argv = ["generate", str(files / "photo.png"), "--pose", str(files / "target.json"), "--backdrop", "meadow"]
    argv += ["--source-pose", str(files / "source.json"), "--output", str(files / "out/picture.png")]
    refused((main(argv), capsys.readouterr().err.splitlines()), "backdrop", "'meadow'")
    assert not list((files / "out").iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_animate(files, tiny_folder, suffix):
    (files / "poses").mkdir()
    for name in ("2", "1"):
        (files / "poses" / f"{name}.json").write_text((files / "target.json").read_text())
    (files / "poses" / "3.json").write_text((files / "source.json").read_text())
    argv = ["animate", str(files / "photo.png"), "--source-pose", str(files / "source.json")]
    argv += ["--poses", str(files / "poses"), "--model", str(tiny_folder)]
    output = files / "out" / f"film{suffix}"
    assert main([*argv, "--output", str(output)]) == 0
    assert len(read_film(output)) == (3 if suffix == ".mp4" else 2)  # Pillow joins equal pictures
    assert [path.name for path in (files / "out").iterdir()] == [output.name]


def test_animate_takes_a_json_list(files, tiny_folder, pose, other_pose):
    poses = files / "poses.json"
    poses.write_text(json.dumps([pose.to_dict(), other_pose.to_dict()]))
    argv = ["animate", str(files / "photo.png"), "--source-pose", str(files / "source.json"), "--model"]
    argv += [str(tiny_folder), "--poses", str(poses), "--output", str(files / "out/film.webp")]
    assert main(argv) == 0
    assert len(read_film(files / "out/film.webp")) == 2


def read_film(path) -> list[np.ndarray]:
    if path.suffix == ".mp4":
        import av

        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with Image.open(path) as film:
        frames = []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")))
        return frames


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_films_show_the_pictures_in_order(tmp_path, suffix):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    write_animation([Image.new("RGB", (45, 63), colour) for colour in colours], tmp_path / f"film{suffix}")
    frames = read_film(tmp_path / f"film{suffix}")
    height, width = (62, 44) if suffix == ".mp4" else (63, 45)
    assert [frame.shape for frame in frames] == [(height, width, 3)] * 3
    for frame, colour in zip(frames, colours, strict=True):
        np.testing.assert_allclose(frame.mean((0, 1)), colour, atol=12)


def test_films_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="at least one picture"):
        write_animation([], tmp_path / "film.gif")
    with pytest.raises(ValueError, match=r"\.mp4, \.gif, \.webp"):
        write_animation([Image.new("RGB", (44, 64))], tmp_path / "film.avi")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"scagan-hub\[video\]"):
        write_animation([Image.new("RGB", (44, 64))], tmp_path / "film.mp4")


def test_pictures_that_cannot_be_read(generate, files):
    (files / "text.png").write_text("no picture")
    (files / "cut.jpg").write_bytes(b"")
    Image.new("RGB", (300, 300), "red").save(files / "cut.jpg")
    (files / "cut.jpg").write_bytes((files / "cut.jpg").read_bytes()[:700])
    Image.new("RGB", (1, 1)).save(files / "small.png")
    Image.new("1", (14000, 14000)).save(files / "bomb.png")
    refused(generate(source="nowhere.png"), "nowhere.png", "no such photo")
    for name in ("text.png", "cut.jpg", "small.png", "bomb.png"):
        refused(generate(source=name), name)
    assert not list((files / "out").iterdir())


@pytest.mark.parametrize(
    ("keypoints", "word"),
    [
        ([[1, 2, 1]] * 17, "17"),
        ([[1, 2, float("nan")]] * 18, "NaN"),
        ([[0, 0, 0]] * 18, "no person"),
        (None, "no person"),
    ],
)
def test_poses_that_cannot_be_read(generate, files, keypoints, word):
    people = [] if keypoints is None else [{"pose_keypoints_2d": np.ravel(keypoints).tolist()}]
    (files / "pose.json").write_text(json.dumps({"people": people}))
    refused(generate(pose="pose.json"), word)


def test_nobody_in_the_photo(generate, files):
    Image.new("RGB", (200, 300), "grey").save(files / "empty.png")
    refused(generate(pose="empty.png"), "nobody")
    status = main(["generate", str(files / "empty.png"), "--pose", "x", "--output", str(files / "out/picture.png")])
    assert status == 1


@pytest.mark.parametrize(
    ("output", "word"),
    [("out", "folder"), ("none/picture.png", "no folder"), ("out/picture.xyz", ".xyz"), ("out/picture", "''")],
)
def test_outputs_that_cannot_be_written(generate, files, output, word):
    refused(generate(output=output), word)
    assert not list((files / "out").iterdir())


def test_unwritable_folders(generate, files):
    refused(generate(output="/proc/picture.png"), "/proc/picture.png")


def test_models_that_cannot_be_loaded(generate, files, tiny_folder, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    argv = ["generate", str(files / "photo.png"), "--source-pose", str(files / "source.json")]
    argv += ["--pose", str(files / "target.json"), "--output", str(files / "out/picture.png")]
    for model in (files / "nowhere", "somebody/unknown-model", files / "out"):
        assert main([*argv, "--model", str(model)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and str(model) in lines[0]
    assert main([*argv, "--model", str(tiny_folder), "--device", "abacus"]) == 1
    assert "--device abacus" in capsys.readouterr().err


def test_an_interrupted_picture_leaves_nothing(generate, files, monkeypatch):
    def fail(self, path, *_, **__):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    refused(generate(), "No space left")
    assert not list((files / "out").iterdir())


def test_animate_refuses_bad_arguments(files, tiny_folder, capsys):
    argv = ["animate", str(files / "photo.png"), "--source-pose", str(files / "source.json"), "--model"]
    argv += [str(tiny_folder)]
    poses, film = str(files / "target.json"), str(files / "out/film.gif")
    for options, word in [
        (["--poses", str(files / "nowhere"), "--output", film], "no such folder"),
        (["--poses", str(files / "out"), "--output", film], "no file"),
        (["--poses", poses, "--output", str(files / "out/film.avi")], ".avi"),
        (["--poses", poses, "--output", film, "--fps", "0"], "--fps"),
    ]:
        assert main([*argv, *options]) == 1
        error = capsys.readouterr().err
        assert word in error and len(error.splitlines()) == 1
    assert not list((files / "out").iterdir())
