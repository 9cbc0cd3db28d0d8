"""Figures by region, of heads and of sharpness: what they are of pictures whose faults are known."""

import json

import numpy as np
import pytest
from test_places import write_rendered

from scagan_hub.cli import main
from scagan_hub.data import PosePairs
from scagan_hub.data.places import NOWHERE, SHOWN
from scagan_hub.evaluation.protocols import find
from scagan_hub.evaluation.regions import REGIONS, HeadFigures, RegionTruth, Sharpness, head_windows, regions_of
from scagan_hub.evaluation.sources import Batch, DataSetPairs
from scagan_hub.features.weights import NotAvailable


@pytest.fixture
def source(tmp_path):
    data = PosePairs(write_rendered(tmp_path / "rendered"), "test", places=True)

    def wrong_in_the_head(data, indices):
        items = [data[i] for i in indices]
        made = np.stack([item["target_image"].permute(1, 2, 0).numpy() for item in items]).copy()
        for picture, item in zip(made, items, strict=True):
            picture[np.isin(item["target_parsing"].numpy(), (1, 2))] ^= 128
        return made

    return DataSetPairs(data, wrong_in_the_head, "wrong in the head", "people")


def test_regions_divide_the_picture_but_for_the_head():
    parsing = np.zeros((8, 8), np.uint8)
    parsing[2:6, 2:6] = 3
    parsing[2:4, 2:6] = 1
    state = np.zeros((8, 8), np.uint8)
    state[2:6:2, 2:6:2] = SHOWN
    state[4, 4] = NOWHERE
    masks = regions_of(state, parsing)
    assert set(masks) == set(REGIONS)
    assert (masks["shown"].astype(int) + masks["hidden"] + masks["outside"] == 1).all()
    assert masks["hidden"].sum() == 4 and masks["hidden"][4:6, 4:6].all()
    assert (masks["head"] == np.isin(parsing, (1, 2))).all()


def test_the_truth_mends_a_picture_where_its_fault_is(source):
    batch = source.batch(np.arange(len(source.pairs)))
    figures = {k: v for k, (v, _) in RegionTruth(source, find("unpadded"), "cpu").values(batch).items()}
    assert np.allclose(figures["L1 (truth in head)"], 0) and np.allclose(figures["SSIM (truth in head)"], 1)
    assert (figures["L1 (truth in outside)"] > 0).all()


def test_a_head_is_upright_and_alone_in_its_window():
    pose = np.zeros((1, 18, 3), np.float32)
    for joint, place in {0: (44, 30), 1: (44, 52), 2: (30, 52), 5: (58, 52), 8: (34, 92), 11: (54, 92)}.items():
        pose[0, joint] = *place, 1
    picture = np.zeros((1, 128, 88, 3), np.uint8)
    picture[:, :30] = 255  # light above the nose, dark below
    windows, there = head_windows(picture, pose)
    assert there.all() and windows.shape == (1, 64, 64, 3)
    assert windows[0, :16].min() == 255 and windows[0, -16:].max() == 0
    assert not head_windows(picture, np.zeros_like(pose))[1].any()


def test_heads_are_judged_alone(source):
    batch = source.batch(np.arange(2))
    windows = HeadFigures(source, "cpu")
    for generated, low, high in ((batch.reference, 1, 1), (255 - batch.reference, -1, 0.9)):
        values, _ = windows.values(Batch(batch.positions, generated, batch.reference, poses=batch.poses))["SSIM (head)"]
        assert (low <= values).all() and (values <= high).all()


def test_blur_is_less_sharp_and_the_truth_as_sharp_as_itself(source):
    noise = np.random.RandomState(0).randint(0, 256, (2, 32, 24, 3), np.uint8)
    soft = (noise // 2 + np.roll(noise, 1, 1) // 2).astype(np.uint8)
    mask = np.ones(noise.shape[:3], bool)
    for generated, low, high in ((noise, 1, 1), (soft, 0.3, 0.9)):
        values, _ = Sharpness(source).values(Batch(np.arange(2), generated, noise, mask))["sharpness (person)"]
        assert (low <= values).all() and (values <= high).all()


def test_evaluate_reports_them_and_says_what_is_missing(tmp_path, capsys):
    data, output = write_rendered(tmp_path / "rendered"), tmp_path / "report.json"
    command = ["evaluate", "--baseline", "aligned", "--data", str(data), "--output", str(output)]
    command += ["--extra", "heads", "sharpness", "regions", "--without", "LPIPS", "LPIPS-VGG16"]
    assert main(command) == 0
    metrics = json.loads(output.read_text())["metrics"]
    assert {f"SSIM (truth in {region})" for region in REGIONS} | {"SSIM (head)"} <= metrics.keys()
    assert metrics["sharpness (person)"]["better"] == "nearer to 1"
    assert metrics["L1 (truth in head)"]["better"] == "lower"


def test_folders_have_no_regions(source):
    source.in_regions = source.posed = source.masked = False
    for make in (
        lambda: RegionTruth(source, find("unpadded"), "cpu"),
        lambda: HeadFigures(source, "cpu"),
        lambda: Sharpness(source),
    ):
        with pytest.raises(NotAvailable, match="needs"):
            make()
