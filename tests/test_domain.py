"""How far something is from what a model was trained on: held-out people are near, a photo and noise are far."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scagan_hub import DEMO_MODEL, Pose, ScaGan, cli, gallery
from scagan_hub.domain import FILE, Domain, statistics
from scagan_hub.images.opening import open_image
from scagan_hub.photos.crop import fit_photo

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def domain() -> Domain:
    return Domain.read(Path(DEMO_MODEL) / FILE)


def test_held_out_people_are_near(domain):
    views = gallery.poses()
    people = [gallery.truth(name, view) for name in gallery.people() for view in gallery.truths(name)]
    pictures = np.array([domain.picture_score(picture) for picture in people])
    poses = np.array([domain.pose_score(gallery.pose(view)) for view in views])
    assert (pictures > 1).mean() <= 0.03 and (poses > 1).mean() <= 0.03
    assert np.median(pictures) < 0.7 and np.median(poses) < 0.7


def test_photos_and_noise_are_far(domain):
    photo = open_image(ROOT / "examples" / "photo.jpg")
    fitted, pose = fit_photo(photo, Pose.detect(photo))
    assert domain.picture_score(fitted) > 1.3
    noise = np.random.default_rng(0).integers(0, 256, (256, 176, 3), np.uint8)
    assert domain.picture_score(Image.fromarray(noise)) > 3
    blocks = Image.fromarray(noise[:8, :6]).resize(gallery.SIZE, Image.Resampling.NEAREST)
    assert domain.picture_score(blocks) > 1


def test_a_wild_pose_is_far_and_where_it_stands_does_not_matter(domain):
    pose = gallery.pose("person01-view2")
    upside_down = Pose(np.column_stack([pose.points * (1, -1) + (0, 255), pose.present]), pose.size)
    assert domain.pose_score(upside_down) > 2
    moved = pose.transform((2, 2), (300, 40), (800, 800))
    assert domain.pose_score(moved) == pytest.approx(domain.pose_score(pose), abs=1e-3)


def test_statistics_are_finite_for_any_picture():
    for colour in ("black", "white", "#808080"):
        assert np.isfinite(statistics(Image.new("RGB", gallery.SIZE, colour))).all()


def test_a_domain_is_saved_with_its_model(tiny_pipe, domain, tmp_path):
    tiny_pipe.domain = domain
    tiny_pipe.save_pretrained(tmp_path / "model")
    tiny_pipe.domain = None
    again = ScaGan.from_pretrained(tmp_path / "model").domain
    picture, _ = gallery.person("person02")
    assert again.picture_score(picture) == domain.picture_score(picture)
    (tmp_path / "model" / FILE).write_bytes(b"damaged")
    with pytest.raises(ValueError, match="scagan domain"):
        ScaGan.from_pretrained(tmp_path / "model")


def test_the_command_measures_a_data_set(tmp_path, capsys):
    """On the bundled people, each picture twice for training, and again as its test split."""
    header, *lines = (gallery.FOLDER / "annotation-test.csv").read_text().splitlines()[:121]
    for split, prefixes in (("train", ("one_", "two_")), ("test", ("",))):
        (tmp_path / split).mkdir()
        for line in lines:
            name = line.partition(":")[0]
            for prefix in prefixes:
                (tmp_path / split / f"{prefix}{name}").symlink_to(gallery.FOLDER / "test" / name)
        rows = [f"{prefix}{line}" for prefix in prefixes for line in lines]
        (tmp_path / f"annotation-{split}.csv").write_text("\n".join([header, *rows]) + "\n")
        (tmp_path / f"pairs-{split}.csv").write_text("from,to\n")
    command = ["domain", "--data", str(tmp_path), "--model", str(tmp_path)]
    assert cli.main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["training pictures"] == 2 * len(lines)
    assert report["held-out pictures"]["count"] == len(lines)
    assert report["held-out pictures"]["share above 1"] <= 0.03
    assert Domain.read(tmp_path / FILE).pose_score(gallery.pose("person01-view1")) < 1

    (tmp_path / "test").rename(tmp_path / "elsewhere")  # nothing is written unless all is well
    (tmp_path / FILE).write_bytes(b"another")
    assert cli.main(command) == 1
    assert (tmp_path / FILE).read_bytes() == b"another" and capsys.readouterr().err.count("\n") == 1
    (tmp_path / "elsewhere").rename(tmp_path / "test")

    (tmp_path / "annotation-train.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "train").rename(tmp_path / "old")
    (tmp_path / "test").rename(tmp_path / "train")
    assert cli.main(command) == 1
    assert "at least 200" in capsys.readouterr().err
