"""A data set's folder as the training reads it: what is refused, what an item is, the order of the pairs."""

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH
from PIL import Image

from scagan_hub.data import PairSampler, PosePairs

SIZE = (HEIGHT, WIDTH)


@pytest.fixture
def parsed(people):
    """`people` with parsing maps: the left half of a picture class 2, the right half class 7."""
    for split in ("train", "test"):
        (people / f"{split}_parsing").mkdir()
        for path in (people / split).iterdir():
            classes = Image.fromarray(np.repeat(np.uint8([[2, 7]]), [WIDTH // 2] * 2, 1).repeat(HEIGHT, 0), "P")
            classes.putpalette(range(24))
            classes.save(people / f"{split}_parsing" / f"{path.stem}.png")
    return people


def test_sampler_is_a_function_of_position():
    whole = list(PairSampler(7, seed=3, start=0, stop=20))
    assert list(PairSampler(7, seed=3, start=5, stop=20)) == whole[5:]
    assert sorted(index for index, _ in whole[:7]) == list(range(7))


def test_mirrored_pairs_swap_left_and_right(people):
    data = PosePairs(people, "train", SIZE)
    plain, mirrored = data[0], data[0, True]
    assert torch.equal(plain["source_image"].flip(2), mirrored["source_image"])
    right_wrist, left_wrist = plain["source_pose"][4], mirrored["source_pose"][7]
    assert left_wrist.tolist() == [SIZE[1] - 1 - right_wrist[0], right_wrist[1], 1]


def test_parsing_maps_come_along_and_are_mirrored_too(parsed):
    data = PosePairs(parsed, "train", SIZE, parsing=True)
    plain, mirrored = data[0], data[0, True]
    for role in ("source", "target"):
        classes = plain[f"{role}_parsing"]
        assert classes.dtype == torch.uint8 and classes.shape == SIZE
        assert (classes[:, : WIDTH // 2] == 2).all() and (classes[:, WIDTH // 2 :] == 7).all()
        assert torch.equal(mirrored[f"{role}_parsing"], classes.flip(1))
    assert "source_parsing" not in PosePairs(parsed, "train", SIZE)[0]


def test_bad_parsing_maps_are_refused(parsed):
    (path,) = (parsed / "train_parsing").glob("train_0_0.png")
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    with pytest.raises(ValueError, match="train_0_0.png: expected a palette PNG"):
        PosePairs(parsed, "train", SIZE, parsing=True)[0]
    path.unlink()
    with pytest.raises(ValueError, match="1 paired names have no parsing map: train_0_0.png"):
        PosePairs(parsed, "train", SIZE, parsing=True)
