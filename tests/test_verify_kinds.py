"""`scagan verify` on 27 kinds of damage to a sound data set with parsing maps: each is named, and nothing else is."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from released import FASHION, rewrite, write_split

from scagan_hub import gallery
from scagan_hub.cli import main
from scagan_hub.data import PosePairs
from scagan_hub.data.judge import swapped
from scagan_hub.data.layouts import identity, person
from scagan_hub.data.verify import verify

HELD_OUT = ("test_900007", "test_900008")  # of the bundled people; the others are trained on


def sound(folder):
    """The bundled people, parted into train and test."""
    for split in ("train", "test"):
        for kind in ("", "_parsing"):
            (folder / f"{split}{kind}").mkdir(parents=True)
    for kind in ("", "_parsing"):
        for path in (gallery.FOLDER / f"test{kind}").iterdir():
            split = "test" if path.name.startswith(HELD_OUT) else "train"
            shutil.copy(path, folder / f"{split}{kind}")
    for table in ("annotation", "pairs"):
        header, *lines = (gallery.FOLDER / f"{table}-test.csv").read_text().splitlines()
        for split in ("train", "test"):
            own = [line for line in lines if line.startswith(HELD_OUT) == (split == "test")]
            (folder / f"{table}-{split}.csv").write_text("\n".join([header, *own]) + "\n")
    return folder


@pytest.fixture
def data(tmp_path):
    return sound(tmp_path / "data")


def train(who: int, view: int) -> str:
    return f"test_90000{who}_{view}"


def joints(data, name: str, change, split: str = "train") -> None:
    """Writes the pose of a picture anew: `change` of x and y (18,), which it returns."""
    path = data / f"annotation-{split}.csv"
    lines = path.read_text().splitlines()
    (i,) = (i for i, line in enumerate(lines) if line.startswith(name))
    label, y, x = lines[i].split(":")
    x, y = change(np.array(json.loads(x), float), np.array(json.loads(y), float))
    lines[i] = f"{label}:{json.dumps(y.tolist())}:{json.dumps(x.tolist())}"
    path.write_text("\n".join(lines) + "\n")


def swap(x, y):
    order = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
    return x[order], y[order]


def facing(data) -> str:
    """A picture of train that is damaged otherwise by nothing, of someone who looks into the camera."""
    poses = PosePairs(data, "train").annotations
    order = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
    return next(name for name in sorted(poses) if "_5." not in name and swapped(poses[name][None, order])[0])


def append(path, line: str) -> None:
    path.write_text(path.read_text() + line + "\n")


def palette(array) -> Image.Image:
    image = Image.fromarray(array.astype(np.uint8))
    image.putpalette([0] * 768)
    return image


def damage(data) -> dict[tuple[str, str], str]:
    """Every kind of damage, each to an item of its own; what it is by (kind, item)."""
    images, maps = data / "train", data / "train_parsing"
    pairs, poses = data / "pairs-train.csv", data / "annotation-train.csv"
    found = {("swapped", f"train/{facing(data)}"): "left and right swapped"}
    joints(data, facing(data), swap)

    (images / f"{train(1, 5)}.webp").unlink()
    found["missing", f"train/{train(1, 5)}.webp"] = "no image"
    path = images / f"{train(2, 5)}.webp"
    path.write_bytes(path.read_bytes()[:200])
    found["unreadable", f"train/{train(2, 5)}.webp"] = "cut short"
    (images / "notes.txt").write_text("no picture")
    found["unreadable", "train/notes.txt"] = "no picture"
    found["unpaired", "train/notes.txt"] = "no picture, and in no pair"
    path = images / f"{train(3, 5)}.webp"
    Image.open(path).resize((256, 256)).save(path)
    found["wrong size", f"train/{train(3, 5)}.webp"] = "another size"
    joints(data, train(5, 5), lambda x, y: (np.append(180, x[1:]), y))
    found["out of range", f"train/{train(5, 5)}.webp"] = "a joint outside"
    joints(data, train(6, 5), lambda x, y: (x * 0 - 1, y * 0 - 1))
    found["missing", f"train/{train(6, 5)}.webp"] = "no joint"
    rewrite(poses, f"{train(1, 4)}.webp:[", f"{train(1, 4)}.webp:[1,")
    found["unreadable", f"train/{train(1, 4)}.webp"] = "a line of 19 joints"
    found["missing", f"train/{train(1, 4)}.webp"] = "and so no pose"
    shutil.copy(images / f"{train(2, 4)}.webp", images / "test_900001_9.webp")
    (data / "train.lst").write_text("elsewhere.webp\n")
    found["unpaired", "train/test_900001_9.webp"] = "in no pair"
    found["missing", "train/elsewhere.webp"] = "listed alone"
    (maps / f"{train(2, 4)}.png").unlink()
    found["missing", f"train/{train(2, 4)}.webp"] = "no parsing map"
    palette(np.full((256, 176), 9)).save(maps / f"{train(3, 4)}.png")
    found["unreadable", f"train_parsing/{train(3, 4)}.png"] = "other classes"
    palette(np.ones((256, 256))).save(maps / f"{train(5, 4)}.png")
    found["wrong size", f"train_parsing/{train(5, 4)}.png"] = "a map of another size"
    palette(np.zeros((256, 176))).save(maps / f"{train(6, 4)}.png")
    found["blank", f"train_parsing/{train(6, 4)}.png"] = "a map of nobody"
    shutil.copy(maps / f"{train(1, 1)}.png", maps / f"{train(1, 3)}.png")
    found["other parsing", f"train_parsing/{train(1, 3)}.png"] = "a map of another picture of the person"
    Image.new("RGB", (176, 256), "white").save(images / f"{train(2, 3)}.webp")
    found["blank", f"train/{train(2, 3)}.webp"] = "a blank picture"
    shutil.copy(images / f"{train(3, 2)}.webp", images / f"{train(3, 3)}.webp")
    shutil.copy(maps / f"{train(3, 2)}.png", maps / f"{train(3, 3)}.png")
    found["duplicate", f"train/{train(3, 3)}.webp"] = "a picture under two names"
    append(pairs, f"{train(1, 1)}.webp,{train(1, 1)}.webp")
    found["self pair", f"pairs-train.csv: {train(1, 1)}.webp,{train(1, 1)}.webp"] = "a picture paired with itself"
    append(pairs, f"{train(1, 1)}.webp,{train(1, 2)}.webp")
    found["duplicate", f"pairs-train.csv: {train(1, 1)}.webp,{train(1, 2)}.webp"] = "a pair twice"
    append(pairs, f"{train(1, 1)}.webp,{train(2, 1)}.webp")
    found["two people", f"pairs-train.csv: {train(1, 1)}.webp,{train(2, 1)}.webp"] = "a pair of two people"
    append(poses, next(line for line in poses.read_text().splitlines() if line.startswith(train(5, 1))))
    found["duplicate", f"train/{train(5, 1)}.webp"] = "annotated twice"
    os.mkfifo(images / "pipe.webp")
    found["unreadable", "train/pipe.webp"] = "a pipe"
    found["unpaired", "train/pipe.webp"] = "a pipe, and in no pair"
    Image.open(images / f"{train(6, 1)}.webp").save(data / "test" / "test_900007_0.webp", lossless=True)
    found["in both splits", "test/test_900007_0.webp"] = "a picture of train in test, in another file"
    append(data / "pairs-test.csv", "test_900008_0.webp,test_900008_77.webp")
    found["missing", "test/test_900008_77.webp"] = "paired, without image and pose"
    return found


def faults(data) -> set[tuple[str, str]]:
    return {(fault.kind, fault.item) for fault in verify(data).faults}


def test_sound_data_and_foreign_files_are_no_fault(data):
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._a.webp"):
        (data / "train" / name).write_bytes(b"\x00\x05\x16\x07")
        (data / "test_parsing" / name).write_bytes(b"x")
    assert verify(data).faults == []


def test_every_kind_of_damage_is_named_and_nothing_else(data, capsys):
    expected = damage(data)
    assert main(["verify", str(data), "--processes", "1"]) == 1
    out, err = capsys.readouterr()
    kinds = {tuple(line.split(": ")[:2]) for line in out.splitlines()}
    assert faults(data) == expected.keys() and len(expected) >= 27
    assert err.count("\n") == 1 and len(kinds) > 20


def test_tables_made_for_another_frame_are_named(data):
    for name in PosePairs(data, "train").annotations:
        joints(data, name, lambda x, y: (np.where(x < 0, x, np.rint(x * 256 / 176)), y))
    said = [fault for fault in verify(data).faults if fault.kind == "other frame"]
    assert [fault.item for fault in said] == ["annotation-train.csv"] and "176 x 256" in said[0].what


def test_one_person_in_both_splits_is_found_under_other_names(tmp_path):
    write_split(tmp_path, "train", FASHION["train"], "fasion-resize-", (256, 176))
    other = [f"WOMEN-Dresses-id_00002718-03_{view}.jpg" for view in ("1_front", "2_side")]
    write_split(tmp_path, "test", other, "fasion-resize-", (256, 176))
    (fault,) = verify(tmp_path, processes=1).faults
    assert (fault.kind, fault.item) == ("in both splits", "WOMENDressesid00002718")


@pytest.mark.parametrize(
    ("names", "who"),
    [
        (
            [
                "fashionMENDenimid0000008001_1front.jpg",
                "MENDenimid0000008001_4full.jpg",
                "MEN-Denim-id_00000080-01_2_side.jpg",
                "fasionMENDenimid0000008001_7additional.JPG",
                "img/MEN/Denim/id_00000080/01_3_back.jpg",
                "MEN-Denim-id_00000080-01_1_front_segm.png",
            ],
            "MENDenimid0000008001",
        ),
        (["fashionWOMENBlouses_Shirtsid0000000102_1front.jpg", "WOMEN-Blouses_Shirts-id_00000001-02_2_side.jpg"], None),
        (["anna_1_front.jpg", "anna_2_side.jpg", "anna_3_back.jpg"], "anna"),
        (["fashion_show_1.jpg", "fashion_show_2.jpg"], "fashion_show"),
    ],
)
def test_views_and_spellings_are_of_one_person(names, who):
    assert {identity(name) for name in names} == {who or identity(names[0])}


def test_a_colour_is_another_garment_on_the_same_person():
    one, other = "MEN-Denim-id_00000080-01_1_front.jpg", "fashionMENDenimid0000008002_1front.jpg"
    assert identity(one) != identity(other) and person(one) == person(other) == "MENDenimid00000080"
    assert person(one) != person("WOMEN-Denim-id_00000080-01_1_front.jpg")


def test_two_lines_of_one_picture_that_differ_are_not_trained_on(people):
    rows = (people / "annotation-train.csv").read_text().splitlines()
    append(people / "annotation-train.csv", rows[1].replace("[", "[-1, ", 1).replace(", ", ",", 1).rsplit(",", 19)[0])
    with pytest.raises(ValueError, match="annotation-train.csv"):
        PosePairs(people, "train")
    (people / "annotation-train.csv").write_text("\n".join([*rows, rows[1]]) + "\n")
    assert len(PosePairs(people, "train")) == 4  # the same twice says nothing else
    name, y, x = rows[1].split(":")
    append(people / "annotation-train.csv", f"{name}:{x}:{y}")
    with pytest.raises(ValueError, match="line 7: .*another line of that name says otherwise"):
        PosePairs(people, "train")
