"""A data set's folder as one of the Hub: what `datasets.load_dataset` makes of it, where that package is installed."""

import json

import numpy as np
import pytest
from PIL import Image
from test_places import write_rendered

from scagan_hub.data import PosePairs
from scagan_hub.data.hub import front_matter, write_metadata
from scagan_hub.data.verify import verify


@pytest.fixture
def folder(tmp_path):
    folder = write_rendered(tmp_path / "rendered")
    write_metadata(folder)
    (folder / "README.md").write_text(front_matter(folder, "Rendered people", "cc0-1.0", ["synthetic"]))
    return folder


def test_rows_say_what_the_tables_say(folder):
    data = PosePairs(folder, "train")
    rows = [json.loads(line) for line in (folder / "metadata-train.jsonl").read_text().splitlines()]
    assert {row["person"] for row in rows} == {"train_0", "train_1"}
    for row in rows:
        assert (folder / row["file_name"]).is_file() and (folder / row["parsing_file_name"]).is_file()
        name = row["file_name"].removeprefix("train/")
        np.testing.assert_array_equal(np.float32(row["keypoints"]), data.annotations[name])
        assert row["targets"] == [target for source, target in data.pairs if source == name]
    assert verify(folder).faults == []  # the rows are no foreign file


def test_load_dataset_gives_images_maps_keypoints_and_people(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "test": 4}
    row = loaded["train"][0]
    assert row["person"] == "train_0" and np.shape(row["keypoints"]) == (18, 3) and row["targets"] == ["train_0_1.png"]
    for name, kind in (("image", "train"), ("parsing", "train_parsing")):
        expected = np.asarray(Image.open(folder / kind / "train_0_0.png"))
        np.testing.assert_array_equal(np.asarray(row[name]), expected)
