"""A data set's folder as the training reads it: layouts, what an item is, what is refused, the order of the pairs."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH
from PIL import Image
from released import FASHION, MARKET, rewrite, set_joint, write_split

from scagan_hub.data import Draw, PairSampler, PosePairs, pair_loader
from scagan_hub.data.augment import plain_ground
from scagan_hub.data.layouts import identity

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
    plain = list(PairSampler(7, seed=3, start=0, stop=20, mirror=False))
    assert {draw.mirrored for draw in whole} == {True, False}
    assert plain == [Draw(draw.index) for draw in whole]
    assert sorted(draw.index for draw in whole[:7]) == list(range(7))


def test_what_the_sampler_also_draws_changes_nothing_else():
    """Order and mirrored halves are those of earlier versions, so that their runs go on as they began."""
    earlier = [(6, True), (2, True), (0, False), (3, False), (4, True), (1, False), (5, False), (6, False), (3, False)]
    assert [draw[:2] for draw in PairSampler(7, seed=3, start=0, stop=9)] == earlier
    whole = list(PairSampler(500, seed=3, start=0, stop=1000, identity=0.1, plain_ground=0.3))
    assert list(PairSampler(500, seed=3, start=730, stop=1000, identity=0.1, plain_ground=0.3)) == whole[730:]
    assert [draw[:2] for draw in whole] == [draw[:2] for draw in PairSampler(500, seed=3, start=0, stop=1000)]
    assert 70 < sum(draw.identity for draw in whole) < 130
    grounds = [draw.ground for draw in whole if draw.ground is not None]
    assert 250 < len(grounds) < 350 and len(set(grounds)) > len(grounds) - 3
    for wrong in ({"identity": 1.5}, {"plain_ground": -0.1}, {"plain_ground": float("nan")}):
        with pytest.raises(ValueError, match="share of the pairs from 0 to 1"):
            PairSampler(7, 0, 0, 7, **wrong)


def test_an_identity_pair_is_the_target_twice(people):
    data = PosePairs(people, "train", SIZE)
    item, target = data[Draw(0, mirrored=True, identity=True)], data.pairs[0][1]
    assert item["names"] == f"{target}->{target}"
    assert torch.equal(item["source_image"], item["target_image"])
    assert torch.equal(item["target_image"], data[0, True]["target_image"])
    assert torch.equal(item["source_pose"], item["target_pose"])


def test_both_people_are_cut_out_onto_one_plain_ground(parsed):
    for split in ("train", "test"):  # nobody in the left half
        for path in (parsed / f"{split}_parsing").iterdir():
            classes = Image.fromarray(np.repeat(np.uint8([[0, 7]]), [WIDTH // 2] * 2, 1).repeat(HEIGHT, 0), "P")
            classes.putpalette(range(24))
            classes.save(path)
    data, half = PosePairs(parsed, "train", SIZE, parsing=True), WIDTH // 2
    plain, drawn, again = data[1], data[Draw(1, ground=5)], data[Draw(1, ground=5)]
    ground = torch.from_numpy(plain_ground(5, HEIGHT)).round()
    for role in ("source_image", "target_image"):
        image = drawn[role]
        assert image.dtype == torch.uint8 and torch.equal(image, again[role])
        assert torch.equal(image[..., : half - 1].float(), ground.expand(3, HEIGHT, half - 1))
        assert torch.equal(image[..., half + 1 :], plain[role][..., half + 1 :])
        soft = image[..., half - 1].float() - (2 * ground[..., 0] + plain[role][..., half - 1]) / 3
        assert soft.abs().max() <= 1
    mirrored = data[Draw(1, mirrored=True, ground=5)]
    assert torch.equal(mirrored["target_image"], drawn["target_image"].flip(2))
    with pytest.raises(ValueError, match="parsing=True"):
        PosePairs(parsed, "train", SIZE)[Draw(1, ground=5)]


def test_plain_grounds_are_of_every_kind():
    grounds = np.stack([plain_ground(seed, HEIGHT)[..., 0] for seed in range(300)])
    assert grounds.min() >= 0 and grounds.max() <= 255
    level = (np.ptp(grounds, 2) < 1).all(1)
    grey = level & (np.ptp(grounds[:, :, 0], axis=1) < 1)
    assert 0.25 < grey.mean() < 0.45 and grounds[grey].min() >= 204
    assert 0.2 < (~level).mean() < 0.45
    assert np.ptp(grounds[level & ~grey][:, :, 0], axis=0).min() > 200


def test_mirrored_pairs_swap_left_and_right(people):
    data = PosePairs(people, "train", SIZE)
    plain, mirrored = data[0], data[0, True]
    assert torch.equal(plain["source_image"].flip(2), mirrored["source_image"])
    right_wrist, left_wrist = plain["source_pose"][4], mirrored["source_pose"][7]
    assert left_wrist.tolist() == [SIZE[1] - 1 - right_wrist[0], right_wrist[1], 1]


def test_the_loader_gives_the_samplers_pairs_in_whole_batches(people):
    data = PosePairs(people, "train", SIZE)
    sampler = PairSampler(len(data), seed=1, start=0, stop=5)
    batches = list(pair_loader(data, sampler, batch_size=2, workers=1, device="cpu"))
    expected = [data[index]["target_image"] for index in sampler]
    assert len(batches) == 2 and batches[0]["source_image"].dtype == torch.uint8
    assert torch.equal(torch.cat([batch["target_image"] for batch in batches]), torch.stack(expected[:4]))


def test_workers_ignore_a_termination_and_still_end_with_their_program(people):
    script = (
        "import os, signal, multiprocessing\n"
        "from scagan_hub.data import PosePairs, pair_loader\n"
        f"data = PosePairs({str(people)!r}, 'train')\n"
        "batches = iter(pair_loader(data, [0, 1] * 20, 2, 1, 'cpu'))\n"
        "next(batches)\n"
        "os.kill(multiprocessing.active_children()[0].pid, signal.SIGTERM)\n"
        "print(sum(1 for _, _ in zip(range(10), batches)))\n"
        "raise SystemExit(3)\n"  # with workers at work
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (3, "10\n", "")


def test_the_loaders_benchmark_measures_speed_and_disk(people, tmp_path, monkeypatch, capsys):
    """It checks by itself that both forms load the same."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    (tmp_path / "scratch").mkdir()
    arguments = ["--data", str(people), "--pairs", "4", "--batch", "2", "--rounds", "1", "--device", "cpu", "--json"]
    importlib.import_module("loader").main([*arguments, "--scratch", str(tmp_path / "scratch")])
    result = json.loads(capsys.readouterr().out)
    assert result["pairs"] == 4 and result["disk"]["sampled_images"] == 4
    assert all(rate > 0 for rate in result["images_per_second_cached"].values())
    size = result["disk"]["kib_per_image"]
    assert size["stored"] - size["ours"] == pytest.approx(18 * HEIGHT * WIDTH * 4 / 2**10, rel=0.01)
    assert list((tmp_path / "scratch").iterdir()) == []


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


@pytest.mark.parametrize("tables", ["fasion-resize-", "fashion-resize-", "fasion-", "fashion-"])
@pytest.mark.parametrize("spelt", [str, lambda n: n.removeprefix("fashion"), lambda n: n.replace("fashion", "fasion")])
def test_deepfashion_is_read_however_its_names_are_spelt(tmp_path, tables, spelt):
    for split, names in FASHION.items():
        write_split(tmp_path, split, names, tables, (256, 176), spelt)
    train, test = PosePairs(tmp_path, "train"), PosePairs(tmp_path, "test", (256, 176))
    assert (len(train), len(test)) == (12, 2) and train.image_size == (256, 176)
    assert set(train.annotations) == set(FASHION["train"]) and train.pairs[0] == tuple(FASHION["train"][:2])
    item = test[0]
    assert item["source_image"].shape == (3, 256, 176) and item["source_pose"][0].tolist() == [0, 0, 0]
    assert (item["source_pose"][1:, 2] == 1).all()
    written = (tmp_path / f"{tables}annotation-test.csv").read_text().splitlines()[1].split(":")
    assert item["source_pose"][1:, 0].tolist() == json.loads(written[2])[1:]
    assert item["source_pose"][1:, 1].tolist() == json.loads(written[1])[1:]


def test_deepfashion_without_the_prefix_on_the_files(tmp_path):
    names = [name.removeprefix("fashion") for name in FASHION["test"]]
    write_split(tmp_path, "test", names, "fasion-resize-", (256, 176), lambda name: f"fashion{name}")
    assert PosePairs(tmp_path, "test").pairs[0] == tuple(names)


def test_market_is_read(tmp_path):
    write_split(tmp_path, "train", MARKET["train"], "market-", (128, 64))
    data = PosePairs(tmp_path, "train")
    assert data.image_size == (128, 64) and data[0]["target_image"].shape == (3, 128, 64)
    assert set(data.pairs) == {tuple(MARKET["train"][:2]), tuple(MARKET["train"][1::-1])}


def test_pairs_of_another_size_than_asked_for_are_refused_at_construction(tmp_path):
    write_split(tmp_path, "train", MARKET["train"], "market-", (128, 64))
    with pytest.raises(ValueError, match="expected 176 x 256 pixels as all images, got 64 x 128"):
        PosePairs(tmp_path, "train", (256, 176))


def test_the_image_size_of_the_people_layout_is_the_images(people):
    assert PosePairs(people, "train").image_size == SIZE


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("train_000012_3.webp", "train_000012"),
        ("anna maria-2.jpg", "anna maria"),
        ("anna.jpg", "anna"),
        (FASHION["train"][0], "WOMENDressesid0000271801"),
        (FASHION["test"][0], "MENShirts_Polosid0000180202"),
        (MARKET["train"][0], "0002"),
        (MARKET["train"][3], "-1"),
    ],
)
def test_names_say_who_it_is(name, who):
    assert identity(name) == who


def test_a_table_may_have_more_columns_and_a_byte_order_mark(people):
    rows = (people / "pairs-train.csv").read_text().splitlines()
    indexed = [f"{'' if i == 0 else i},{row}" for i, row in enumerate(rows)]
    (people / "pairs-train.csv").write_text("\ufeff" + "\r\n".join(indexed), encoding="utf-8")
    assert PosePairs(people, "train", SIZE).pairs[0] == ("train_0_0.png", "train_0_1.png")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: (d / "pairs-train.csv").unlink(), "no file .*pairs-train.csv"),
        (lambda d: (d / "pairs-train.csv").write_text("from,to\n"), "names no pair"),
        (lambda d: (d / "pairs-train.csv").write_text(""), "no column 'from'"),
        (lambda d: (d / "pairs-train.csv").write_text("from,target\n"), "no column 'to': expected the columns"),
        (lambda d: rewrite(d / "annotation-train.csv", "keypoints_y", "y"), "no column 'keypoints_y'"),
        (lambda d: rewrite(d / "pairs-train.csv", "train_0_0.png,", ""), "line 2: expected 2 columns, got 1"),
        (lambda d: rewrite(d / "pairs-train.csv", "train_0_0", "x"), "have no annotation: x.png"),
        (lambda d: (d / "train" / "train_0_0.png").unlink(), "1 paired names have no image: train_0_0.png"),
        (lambda d: rewrite(d / "annotation-train.csv", "_0.png:[", "_0.png:[1,"), "line 2: .*18 joints, got 19"),
        (lambda d: rewrite(d / "annotation-train.csv", "_0.png:[", '_0.png:["a",'), "expected a list of numbers"),
        (lambda d: rewrite(d / "annotation-train.csv", "_0.png:[", "_0.png:[NaN,"), "expected numbers, got NaN"),
        (lambda d: (d / "annotation-train.csv").write_bytes(b"\xff\xfe\x00"), "expected a table in UTF-8"),
        (lambda d: set_joint(d, "train_0_1.png", 3, WIDTH), "train_0_1.png: nose outside the image, at x 44, y 3"),
        (lambda d: set_joint(d, "train_1_0.png", HEIGHT, 3), "train_1_0.png: nose outside the image, at x 3, y 64"),
        (lambda d: set_joint(d, "train_1_0.png", -2, 3), "nose outside the image, at x 3, y -2"),
    ],
)
def test_a_damaged_data_set_is_refused_at_construction_in_one_line(people, damage, says):
    damage(people)
    with pytest.raises(ValueError, match=says) as refusal:
        PosePairs(people, "train", SIZE)
    assert "\n" not in str(refusal.value)


def test_a_pose_without_a_joint_is_refused(people):
    path = people / "annotation-train.csv"
    header, first, *rest = path.read_text().splitlines()
    nothing = json.dumps([-1] * 18)
    path.write_text("\n".join([header, f"{first.split(':')[0]}:{nothing}:{nothing}", *rest]))
    with pytest.raises(ValueError, match="train_0_0.png: every joint is missing"):
        PosePairs(people, "train", SIZE)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named_in_one_line_also_by_a_worker(people, workers):
    path = people / "train" / "train_1_1.png"
    path.write_bytes(path.read_bytes()[:-40])
    loader = torch.utils.data.DataLoader(PosePairs(people, "train", SIZE), 4, num_workers=workers)
    with pytest.raises(ValueError, match="train_1_1.png: cannot be read: ") as refusal:
        next(iter(loader))
    assert "\n" not in str(refusal.value)


def test_an_image_of_another_size_is_named(people):
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(people / "train" / "train_1_1.png")
    data = PosePairs(people, "train", SIZE)
    with pytest.raises(ValueError, match="train_1_1.png: expected 44 x 64 pixels as all images, got 44 x 65"):
        data[2]
