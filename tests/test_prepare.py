"""`scagan prepare`: a folder of photos in, a data set that a training reads out."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from scagan_hub import gallery
from scagan_hub.cli import main
from scagan_hub.data import PosePairs
from scagan_hub.data.cropping import crop_inside
from scagan_hub.data.prepare import prepare
from scagan_hub.data.verify import verify

PEOPLE = {"anna": "person01", "ben": "person02"}


def photograph(person: str, view: int) -> Image.Image:
    """A bundled picture as a photo of another size: the person stands somewhere before a wall."""
    picture = gallery.person(person)[0] if view == 1 else gallery.truth(person, f"{person}-view{view}")
    wall = Image.new("RGB", (600, 560), (205, 200, 190))
    wall.paste(picture.resize((352, 512)), (120, 30))
    return wall


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos of two people each, and what else lies in such folders."""
    folder = tmp_path_factory.mktemp("photos")
    for who, person in PEOPLE.items():
        for view in (1, 2):
            photograph(person, view).save(folder / f"{who}_{view}.jpg", quality=95)
    Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(folder / "anna_3.png")
    (folder / "ben_3.jpg").write_bytes((folder / "ben_1.jpg").read_bytes()[:2000])
    (folder / "carl_1.jpg").write_bytes((folder / "ben_1.jpg").read_bytes())
    (folder / ".DS_Store").write_text("hidden")
    return folder


@pytest.fixture(scope="module")
def prepared(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("made") / "set"
    assert main(["prepare", str(photos), "--output", str(output)]) == 0
    return output


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_made_can_be_trained_on(prepared):
    assert verify(prepared).faults == []
    splits = {split: PosePairs(prepared, split, (256, 176)) for split in ("train", "test")}
    assert all(len(data) == 2 and data[0]["source_image"].shape == (3, 256, 176) for data in splits.values())
    origins = {row["name"]: row for row in table(prepared / "photos.csv")}
    for split, data in splits.items():
        for source, target in data.pairs:
            assert origins[source]["identity"] == origins[target]["identity"] and source != target
            assert origins[source]["split"] == split
    assert sorted(row["photo"] for row in origins.values()) == [
        f"{who}_{view}.jpg" for who in PEOPLE for view in (1, 2)
    ]


def test_the_person_and_the_pose_are_where_the_photo_has_them(prepared):
    """The crop is scaled: compared are the directions from the neck, which scaling leaves alone."""
    origins = {row["photo"]: row for row in table(prepared / "photos.csv")}
    row = origins["anna_1.jpg"]
    data = PosePairs(prepared, row["split"])
    _, keypoints = data.view(row["name"])
    truth = gallery.pose("person01-view1")
    common = (keypoints[:, 2].numpy() > 0) & truth.present
    found, true = keypoints.numpy()[common, :2], truth.points[common]
    assert common.sum() >= 10
    scale = np.ptp(found[:, 1]) / np.ptp(true[:, 1])
    np.testing.assert_allclose(found - found.mean(0), scale * (true - true.mean(0)), atol=12)


def test_every_dropped_photo_is_reported_with_its_reason(prepared):
    why = {row["photo"]: row["why"] for row in table(prepared / "dropped.csv")}
    assert why.keys() == {"anna_3.png", "ben_3.jpg", "carl_1.jpg"}
    assert "nobody" in why["anna_3.png"] and "damaged" in why["ben_3.jpg"] and "no other" in why["carl_1.jpg"]


def test_identities_from_a_table_and_from_folders(photos, tmp_path):
    rows = ["name,identity", "anna_1.jpg,one", "ben_2.jpg,one", "anna_2.jpg,two", "ben_1.jpg,two"]
    (tmp_path / "who.csv").write_text("\n".join(rows))
    splits, dropped = prepare(photos, tmp_path / "set", tmp_path / "who.csv", test=0.5)
    assert {v.photo: v.identity for views in splits.values() for v in views} == dict(r.split(",") for r in rows[1:])
    assert dropped["carl_1.jpg"] == "the table of identities doesn't name it"
    for row in rows[1:]:
        name, who = row.split(",")
        (tmp_path / "folders" / who).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folders" / who / name).write_bytes((photos / name).read_bytes())
    splits, dropped = prepare(tmp_path / "folders", tmp_path / "other", test=0.5)
    assert {v.photo: v.identity for views in splits.values() for v in views} == {
        f"{who}/{name}": who for name, who in (row.split(",") for row in rows[1:])
    }
    assert dropped == {}


def test_one_person_is_a_data_set_without_a_test_split(photos, tmp_path, capsys):
    folder = tmp_path / "me"
    folder.mkdir()
    for view in (1, 2):
        (folder / f"anna_{view}.jpg").write_bytes((photos / f"anna_{view}.jpg").read_bytes())
    assert main(["prepare", str(folder), "--output", str(tmp_path / "set")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "taken for people, by what names say before the view: anna (2 photos)"
    assert out[1] == "train: 1 people, 2 images, 2 pairs" and "nobody is held out" in out[2]
    assert len(PosePairs(tmp_path / "set", "train")) == 2 and verify(tmp_path / "set").faults == []
    assert not (tmp_path / "set" / "test").exists()


def test_people_are_grouped_by_the_rules_of_their_names(tmp_path, monkeypatch):
    picture, pose = gallery.person("person01")
    monkeypatch.setattr("scagan_hub.data.prepare.open_image", lambda path: picture)
    monkeypatch.setattr("scagan_hub.data.prepare.Pose.detect", lambda photo: pose)
    names = ["MEN-Denim-id_00000080-01_1_front.jpg", "MEN-Denim-id_00000080-01_2_side.jpg"]
    names += ["MEN-Denim-id_00000080-02_1_front.jpg", "MEN-Denim-id_00000080-02_2_side.jpg"]
    names += ["WOMEN/Tees/id_00000011/01_1_front.jpg", "WOMEN/Tees/id_00000011/01_3_back.jpg"]
    for name in names:
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"")
    told = []
    splits, dropped = prepare(tmp_path / "photos", tmp_path / "set", test=0.5, announce=told.append)
    assert "DeepFashion" in str(told[0]) and "MENDenimid00000080 (4 photos)" in str(told[0]) and not dropped
    people = {
        view.identity: [v for views in splits.values() for v in views if v.identity == view.identity]
        for views in splits.values()
        for view in views
    }
    assert {who: len(views) for who, views in people.items()} == {"MENDenimid00000080": 4, "WOMENTeesid00000011": 2}
    assert len({view.outfit for view in people["MENDenimid00000080"]}) == 2
    (split,) = (name for name, views in splits.items() if views[0].identity.startswith("MEN"))
    assert len(PosePairs(tmp_path / "set", split)) == 4  # none of two colours


@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((600, 560), (120, 30)),
        ((300, 512), (-26, 0)),
        ((500, 520), (0, 8)),
        ((900, 300), (200, -20)),
        ((176, 256), (0, 0)),
    ],
)
def test_crops_have_no_bars(size, place):
    large = 1 if size == (176, 256) else 2
    photo = Image.fromarray(np.random.RandomState(0).randint(0, 256, (size[1], size[0], 3)).astype(np.uint8))
    pose = gallery.pose("person01-view1").transform((large, large), place, size)
    found, moved = crop_inside(photo, pose)
    pixels = np.asarray(found).astype(int)
    assert found.size == moved.size == (176, 256) and moved.present.sum() >= 8
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert np.ptp(edge, axis=0).min() > 50  # photo, not a bar


def test_a_card_and_rows_for_the_hub_lie_beside_the_images(prepared):
    card = (prepared / "README.md").read_text()
    assert card.startswith("---\n") and "image-to-image" in card and "$" not in card
    for split in ("train", "test"):
        rows = [json.loads(line) for line in (prepared / f"metadata-{split}.jsonl").read_text().splitlines()]
        data = PosePairs(prepared, split)
        assert [row["file_name"] for row in rows] == [f"{split}/{name}" for name in data.annotations]
        assert {(row["file_name"].partition("/")[2], target) for row in rows for target in row["targets"]} == set(
            data.pairs
        )
        assert {row["person"] for row in rows} < set(PEOPLE) and np.shape(rows[0]["keypoints"]) == (18, 3)


def test_bad_input_is_refused_in_one_line_and_nothing_is_left(photos, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("mine")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "b.png").write_bytes((photos / "anna_3.png").read_bytes())
    (tmp_path / "alone" / "a.jpg").write_bytes((photos / "ben_1.jpg").read_bytes())
    (tmp_path / "absent.csv").write_text("name,identity\nghost.jpg,one\n")
    (tmp_path / "columns.csv").write_text("name,person\nben_1.jpg,one\n")
    out = str(tmp_path / "set")
    cases = {
        "no such folder": ["nowhere", "--output", out],
        "found no file": [str(tmp_path / "empty"), "--output", out],
        "not empty": [str(photos), "--output", str(tmp_path / "full")],
        "between 0 and 1": [str(photos), "--output", out, "--test", "1"],
        "are not in": [str(photos), "--output", out, "--identities", str(tmp_path / "absent.csv")],
        "no column 'identity'": [str(photos), "--output", out, "--identities", str(tmp_path / "columns.csv")],
        "got 0 of 2": [str(tmp_path / "alone"), "--output", out],
    }
    before = sorted(tmp_path.rglob("*"))
    for says, argv in cases.items():
        assert main(["prepare", *argv]) == 1
        err = capsys.readouterr().err
        assert err.startswith("scagan: error: ") and says in err and err.count("\n") == 1, (says, err)
    assert sorted(tmp_path.rglob("*")) == before
