"""`scagan verify`: every item that is wrong is named in one pass, and nothing that isn't."""

import shutil

import numpy as np
import pytest
from conftest import HEIGHT, WIDTH
from PIL import Image
from released import FASHION, MARKET, rewrite, set_joint, write_split

from scagan_hub import gallery
from scagan_hub.cli import main
from scagan_hub.data import verify as verifying
from scagan_hub.data.verify import verify


def found(root, **options) -> set[tuple[str, str]]:
    return {(fault.kind, fault.item) for fault in verify(root, **options).faults}


def test_what_is_sound_is_not_complained_about(people, tmp_path, capsys):
    assert verify(people).faults == []
    assert main(["verify", str(people)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["train: 4 images, 4 pairs", "test: 4 images, 4 pairs"] and err == ""
    assert main(["verify", str(gallery.FOLDER)]) == 0
    for split in ("train", "test"):
        write_split(tmp_path / "fashion", split, FASHION[split], "fasion-resize-", (256, 176))
        write_split(tmp_path / "market", split, MARKET[split], "market-", (128, 64))
    assert verify(tmp_path / "fashion").faults == []
    report = verify(tmp_path / "market")  # its distractors are in no pair
    assert report.faults == []
    assert {unused.item for unused in report.unused} == {f"train/{name}" for name in MARKET["train"][2:]}


@pytest.fixture
def damaged(people):
    """`people`, damaged in every way that can be."""
    train, test = people / "train", people / "test"
    (train / "train_0_0.png").unlink()
    (train / "train_0_1.png").write_bytes((train / "train_0_1.png").read_bytes()[:-40])
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(train / "train_1_0.png")
    set_joint(people, "train_1_1.png", 3, WIDTH)
    (test / "notes.txt").write_text("no picture")
    shutil.copy(test / "test_0_0.png", test / "test_2_0.png")
    rewrite(people / "annotation-test.csv", "test_0_1.png:[", "test_0_1.png:[1,")
    (people / "test.lst").write_text("test_0_0.png\ntest_9_9.png\n")
    (people / "test_parsing").mkdir()
    for name in ("test_0_0", "test_0_1"):
        Image.fromarray(np.full((HEIGHT, WIDTH), 3 if name == "test_0_0" else 8, np.uint8)).save(
            people / "test_parsing" / f"{name}.png"
        )
    return people


DAMAGE = {
    ("missing", "train/train_0_0.png"),
    ("unreadable", "train/train_0_1.png"),
    ("wrong size", "train/train_1_0.png"),
    ("out of range", "train/train_1_1.png"),
    ("unpaired", "test/notes.txt"),
    ("unreadable", "test/notes.txt"),
    ("unpaired", "test/test_2_0.png"),
    ("unreadable", "test/test_0_1.png"),  # its line in the annotations
    ("missing", "test/test_0_1.png"),  # and so no annotation
    ("missing", "test/test_9_9.png"),
    ("missing", "test/test_1_0.png"),  # parsing maps
    ("missing", "test/test_1_1.png"),
    ("unreadable", "test_parsing/test_0_1.png"),
}


def test_every_wrong_item_is_named_in_one_pass(damaged, capsys):
    assert found(damaged, image_size=(HEIGHT, WIDTH)) == DAMAGE
    assert main(["verify", str(damaged)]) == 1
    out, err = capsys.readouterr()
    assert all(any(line.startswith(f"{item}: {kind}: ") for line in out.splitlines()) for kind, item in DAMAGE)
    assert f"{len(DAMAGE)} items are wrong: 5 missing, 4 unreadable, 2 unpaired" in err and err.count("\n") == 1


def test_where_no_image_can_be_read_every_one_is_named(people):
    for split in ("train", "test"):
        for path in (people / split).iterdir():
            path.write_bytes(b"no picture")
    assert [fault.kind for fault in verify(people).faults] == ["unreadable"] * 8


def test_worker_processes_find_the_same(damaged, monkeypatch):
    monkeypatch.setattr(verifying, "FEW", 0)
    assert found(damaged, image_size=(HEIGHT, WIDTH), processes=2) == DAMAGE


def test_an_identity_in_both_splits_is_named(people):
    for name in ("test_0_0.png", "test_0_1.png"):
        leaked = name.replace("test_0", "train_0")
        (people / "test" / name).rename(people / "test" / leaked)
        for table in ("annotation", "pairs"):
            path = people / f"{table}-test.csv"
            path.write_text(path.read_text().replace(name, leaked))
    (fault,) = verify(people).faults
    assert str(fault) == "train_0: in both splits: one identity in 2 images of train and 2 images of test"


def test_further_splits_are_looked_at_too(people):
    for path in [*people.glob("*test*")]:
        other = people / path.name.replace("test", "test-garments")
        (shutil.copytree if path.is_dir() else shutil.copy)(path, other)
    report = verify(people)
    assert report.faults == [] and report.looked_at["test-garments"] == (4, 4)
    (people / "test-garments" / "test_0_0.png").write_bytes(b"no picture")
    rewrite(people / "pairs-test-garments.csv", "test_1_0.png,test_1_1.png", "train_1_0.png,test_1_1.png")
    shutil.copy(people / "train" / "train_1_0.png", people / "test-garments")
    assert found(people) == {
        ("unreadable", "test-garments/test_0_0.png"),
        ("missing", "test-garments/train_1_0.png"),  # not annotated
        ("in both splits", "train_1"),
    }


def test_a_whole_table_that_cannot_be_read_is_one_fault_among_the_others(people):
    rewrite(people / "annotation-train.csv", "keypoints_x", "x")
    (people / "pairs-test.csv").unlink()
    kinds = found(people)
    assert ("unreadable", "annotation-train.csv") in kinds and ("missing", "test") in kinds
    assert ("missing", "train/train_0_0.png") in kinds  # not annotated


@pytest.mark.parametrize("argv", [["nowhere"], ["."], [".", "--processes", "0"]])
def test_what_is_no_data_set_is_refused_in_one_line(tmp_path, monkeypatch, capsys, argv):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", *argv]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("scagan: error: ") and err.count("\n") == 1
