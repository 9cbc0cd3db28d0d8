"""An evaluation from pictures to its report: sources, resuming, processes, tables, pages, and what is refused."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_inception
import torch
from PIL import Image

from scagan_hub import gallery
from scagan_hub.cli import main
from scagan_hub.evaluation import frechet_distance, l1, measures, page, pckh, report, ssim
from scagan_hub.evaluation.comparison import compare
from scagan_hub.evaluation.held_out import generate_pairs
from scagan_hub.evaluation.intervals import interval
from scagan_hub.evaluation.methods import BASELINES, Model, open_pairs, pose_distance, source_of
from scagan_hub.evaluation.run import evaluate
from scagan_hub.evaluation.sources import PictureFolders, people_in
from scagan_hub.features import vgg
from scagan_hub.features.weights import NotAvailable
from scagan_hub.hub import card

NUMBER, HEIGHT, WIDTH = 23, 32, 22


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


@pytest.fixture(scope="module")
def pixels():
    """(2,N,H,W,3): noise, and the same with some more noise."""
    state = np.random.RandomState(0)
    reference = state.randint(0, 256, (NUMBER, HEIGHT, WIDTH, 3))
    spread = np.linspace(1, 40, NUMBER).reshape(-1, 1, 1, 1)
    generated = (reference + state.randn(*reference.shape) * spread).clip(0, 255)
    return generated.astype(np.uint8), reference.astype(np.uint8)


@pytest.fixture
def folders(tmp_path, pixels):
    """tmp_path with generated/ and reference/, pictures of the same names."""
    for folder, pictures in zip(("generated", "reference"), pixels, strict=True):
        for i, picture in enumerate(pictures):
            save(tmp_path / folder, f"{i:03d}.png", picture)
    return tmp_path


@pytest.fixture
def run(folders, capsys):
    """Runs `scagan evaluate`; returns status, the report (None where there is none) and the lines on stderr."""

    def run(*more, generated="generated", reference="reference", output="report.json"):
        argv = ["evaluate", "--generated", str(folders / generated), "--reference", str(folders / reference)]
        status = main([*argv, "--output", str(folders / output), *map(str, more)])
        path, lines = folders / output, capsys.readouterr().err.splitlines()
        return status, report.read(path) if path.is_file() else None, lines

    return run


def refused(result, *words):
    status, found, lines = result
    assert status == 1 and found is None and len(lines) == 1 and lines[0].startswith("scagan: error: "), lines
    assert all(word in lines[0] for word in words), lines[0]


@pytest.mark.parametrize("protocol", ["unpadded", "scagan-2021"])
def test_a_folder_against_another(run, pixels, protocol, folders):
    status, found, lines = run("--protocol", protocol, "--batch-size", 4)
    assert (status, lines) == (0, [])
    assert (found["protocol"], found["pairs"], found["size"]) == (protocol, NUMBER, [HEIGHT, WIDTH])
    np.testing.assert_allclose(found["per_pair"]["values"]["SSIM"], ssim(*pixels, protocol))
    assert found["metrics"]["L1"]["value"] == pytest.approx(l1(*pixels, protocol).mean())
    low, high = found["metrics"]["SSIM"]["interval"]
    assert low < found["metrics"]["SSIM"]["value"] < high
    missing = {name: found["metrics"][name]["not_available"] for name in ("IS", "FID", "LPIPS", "LPIPS-VGG16")}
    if protocol == "unpadded":
        assert missing.pop("LPIPS") == "needs pictures of at least 31 x 31 pixels"  # 22 columns
    assert all("--download" in why for why in missing.values())
    assert found["versions"]["torch"] and found["weights"] == {}
    assert sorted(path.name for path in folders.iterdir() if path.is_file()) == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert f"| {protocol} |" in (folders / "report.md").read_text()


def test_equal_folders_are_perfect_and_the_report_is_plain_json(run, folders):
    _, found, _ = run(generated="reference")
    assert found["metrics"]["SSIM"]["value"] == pytest.approx(1)
    assert found["metrics"]["PSNR"]["value"] == math.inf
    plain = json.loads((folders / "report.json").read_text(), parse_constant=pytest.fail)
    assert plain["per_pair"]["values"]["PSNR"] == ["inf"] * NUMBER


def test_mosaics_are_cut_and_paired_by_their_names(run, folders, pixels):
    generated, reference = pixels
    filler = np.zeros((HEIGHT, 7 * WIDTH, 3), np.uint8)
    for i in range(NUMBER):
        name = f"{(i + 1) % NUMBER:03d}.jpg___{i:03d}.jpg_vis.png"
        save(folders / "mosaics", name, np.concatenate([filler, generated[i]], axis=1))
    _, found, _ = run(generated="mosaics")
    assert sorted(found["per_pair"]["values"]["SSIM"]) == pytest.approx(sorted(ssim(generated, reference)))
    save(folders / "mosaics", "000.jpg___001.jpg_vis.png", filler[:, : WIDTH * 3 // 2])
    (folders / "report.json").unlink()
    refused(run(generated="mosaics"), "mosaic of panels of 22 x 32", "33 x 32")


def test_a_table_of_pairs_says_which_is_which(run, folders, pixels):
    generated, reference = pixels
    (folders / "pairs.csv").write_text("from,to\n000.png,002.png\n001.jpg,003.jpg\n")
    _, found, _ = run("--pairs", folders / "pairs.csv")  # files named as FROM
    np.testing.assert_allclose(found["per_pair"]["values"]["SSIM"], ssim(generated[:2], reference[2:4]))
    assert found["per_pair"]["pair"][0] == "000.png->002.png"
    save(folders / "generated", "000___002.png", reference[2])  # FROM___TO comes first
    _, found, _ = run("--pairs", folders / "pairs.csv")
    assert found["per_pair"]["values"]["SSIM"][0] == pytest.approx(1)
    (folders / "pairs.csv").write_text("from,to\n000.png,002.png\n777.png,003.png\n")
    (folders / "report.json").unlink()
    refused(run("--pairs", folders / "pairs.csv"), "777", "no generated picture")


def test_masks_add_the_person_alone(run, folders, pixels):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[8:24, 6:16] = 3
    for i in range(NUMBER):
        save(folders / "masks", f"{i:03d}.png", mask)
    _, found, _ = run("--masks", folders / "masks")
    expected = ssim(*pixels, mask=np.repeat(mask[None] > 0, NUMBER, axis=0))
    np.testing.assert_allclose(found["per_pair"]["values"]["SSIM (person)"], expected)


def test_bad_input_gets_one_line_and_leaves_nothing(run, folders, capsys):
    refused(run(generated="nowhere"), "no such folder")
    refused(run("--protocol", "paper"), "unknown protocol 'paper'", "scagan-2021")
    refused(run("--batch-size", "0"), "--batch-size")
    refused(run(output="report.txt"), ".json")
    refused(run(output="nowhere/report.json"), "there is no folder")
    refused(run("--data", folders), "not with")
    made = ["evaluate", "--data", str(folders), "--output", str(folders / "report.json")]
    for more, words in (([], "--model or --baseline"), (["--baseline", "copy", "--masks", "x"], "go with --generated")):
        assert main([*made, *more]) == 1 and words in capsys.readouterr().err
    (folders / "empty").mkdir()
    refused(run(generated="empty"), "no picture in")
    other = folders / "generated" / "005.png"
    content = other.read_bytes()
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(other)
    refused(run(), "005.png", "expected 22 x 32", "got 22 x 33")
    other.write_bytes(content[: len(content) // 2])
    refused(run(), "005.png", "cannot be read")
    other.write_text("no picture")
    refused(run(), "005.png", "cannot be read")
    other.unlink()
    refused(run(), "unequal counts: 22", "23")
    (folders / "generated" / "x.png").write_bytes(content)
    refused(run(), "x.png", "no reference")
    weights = folders / "weights"
    weights.mkdir()
    (weights / "pt_inception-2015-12-05-6726825d.pth").write_bytes(b"cut short")
    refused(run("--weights", weights, generated="reference"), "damaged", "pt_inception")
    assert not [path for path in folders.iterdir() if path.is_file()]


def test_padded_pictures_are_not_padded_again(run, folders):
    save(folders / "square", "0.png", np.zeros((32, 32, 3), np.uint8))
    square = {"generated": "square", "reference": "square"}
    refused(run("--protocol", "scagan-2021", **square), "pads the pictures itself")
    assert run(**square)[0] == 0


@pytest.fixture
def inception(monkeypatch, tmp_path):
    """Tiny weights of Inception in a folder."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    tiny_inception.install(folder, monkeypatch.setattr)
    return folder


def test_with_weights_is_and_fid_are_measured(run, folders, inception):
    _, found, _ = run("--weights", inception)
    assert found["metrics"]["FID"]["value"] > 0 and found["metrics"]["IS"]["value"] > 1
    assert len(found["weights"]["Inception-2015"]) == 64
    _, same, _ = run("--weights", inception, generated="reference")
    assert same["metrics"]["FID"]["value"] == pytest.approx(0, abs=1e-8)
    for path in sorted((folders / "reference").iterdir())[1:]:
        path.unlink()
    _, one, _ = run("--weights", inception, generated="reference")
    assert "at least two pictures" in one["metrics"]["FID"]["not_available"]
    assert "as many as it has splits" in one["metrics"]["IS"]["not_available"]


def test_batch_size_does_not_matter(folders, inception):
    one, many = (
        evaluate(PictureFolders(folders / "generated", folders / "reference"), weights=inception, batch_size=n)
        for n in (1, 50)
    )
    assert one["per_pair"] == many["per_pair"]
    for name in ("FID", "IS"):
        assert one["metrics"][name]["value"] == pytest.approx(many["metrics"][name]["value"], rel=1e-9)


def test_fd_vgg16_is_the_frechet_distance_of_the_trunks_features(run, pixels, monkeypatch):
    torch.manual_seed(0)
    trunk = vgg.VGG(16)
    monkeypatch.setattr(vgg, "vgg16", lambda path: trunk)
    monkeypatch.setattr(measures, "locate", lambda *_: (None, "of the trunk"))
    monkeypatch.setattr(measures, "LpipsDistance", missing)
    monkeypatch.setattr(measures, "InceptionSets", missing)
    _, found, _ = run("--extra", "FD-VGG16", "--batch-size", 7)
    assert found["weights"]["VGG16"] == "of the trunk"
    with torch.inference_mode():
        images = (torch.from_numpy(side).permute(0, 3, 1, 2) / 127.5 - 1 for side in pixels)
        sets = [trunk(image, ("relu5_3",))["relu5_3"].mean((2, 3)).numpy() for image in images]
    assert found["metrics"]["FD-VGG16"]["value"] == pytest.approx(frechet_distance(*sets), rel=1e-3)


def missing(*_):
    raise NotAvailable("needs something")


class Interrupted(PictureFolders):
    """Loses power before the batch that has picture `at`."""

    at, read = math.inf, 0

    def batch(self, positions):
        if self.at in positions:
            raise OSError("power cut")
        self.read += len(positions)
        return super().batch(positions)


def test_an_interrupted_evaluation_goes_on_where_it_was(folders, inception):
    source, partial = Interrupted(folders / "generated", folders / "reference"), folders / "report.json"
    options = {"weights": inception, "batch_size": 4, "partial": partial, "save_every": 0}
    whole = evaluate(source, **options)
    source.at, source.read = 13, 0
    with pytest.raises(OSError, match="power cut"):
        evaluate(source, **options)
    (kept,) = folders.glob("report.json.part-*")
    source.at, source.read = math.inf, 0
    assert evaluate(source, **options) == whole  # to the last bit
    assert source.read == NUMBER - 12 and not kept.exists()

    source.at = 13
    with pytest.raises(OSError, match="power cut"):
        evaluate(source, **options)
    os.utime(folders / "generated" / "000.png", (0, 0))  # another picture, for all that is known
    source.at, source.read = math.inf, 0
    assert evaluate(source, **options)["per_pair"] == whole["per_pair"]
    assert source.read == NUMBER


@pytest.mark.distributed
def test_two_processes_measure_what_one_does(run, folders, inception):
    _, one, _ = run("--weights", inception, "--batch-size", 5)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    paths = [str(folders / name) for name in ("tiny", "generated", "reference", "two.json")]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, tiny_inception.__file__, *paths], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 processes") == 2
    two = report.read(folders / "two.json")
    np.testing.assert_equal(two["per_pair"], one["per_pair"])
    for name in ("SSIM", "PSNR", "L1", "FID", "IS"):
        assert two["metrics"][name]["value"] == pytest.approx(one["metrics"][name]["value"], rel=1e-9)


@pytest.fixture(scope="module")
def data():
    return open_pairs(gallery.FOLDER)


def measure(method, data, indices):
    return evaluate(source_of(method, data, "bundled people", indices))


def test_baselines(data, tmp_path):
    indices = [0, 7, 100, 411]
    made = {name: baseline()(data, indices) for name, baseline in BASELINES.items() if name != "mean"}
    sources, targets = (
        np.stack([data.view(data.pairs[i][side])[0].permute(1, 2, 0).numpy() for i in indices]) for side in (0, 1)
    )
    np.testing.assert_array_equal(made["copy"], sources)
    assert (l1(made["aligned"], targets) < l1(sources, targets)).all()
    assert (ssim(made["re-encoded"], targets) > 0.97).all() and (made["re-encoded"] != targets).any()
    for i, picture in zip(indices, made["nearest-pose"], strict=True):
        target = data.pairs[i][1]
        others = [name for name, to in data.pairs if to == target]
        poses = data.annotations
        nearest = min(others, key=lambda name: pose_distance(poses[name], poses[target], 256))
        np.testing.assert_array_equal(picture, data.view(nearest)[0].permute(1, 2, 0).numpy())
        assert nearest != target


def test_the_mean_picture_is_of_the_training_pictures(tmp_path):
    for split, values in (("train", [0, 100, 110]), ("test", [7, 9, 11])):
        for i, value in enumerate(values):
            save(tmp_path / split, f"{i}.png", np.full((64, 44, 3), value, np.uint8))
        keypoints = f"[{', '.join(['20'] * 18)}]"
        lines = [f"{i}.png:{keypoints}:{keypoints}" for i in range(3)]
        (tmp_path / f"annotation-{split}.csv").write_text("\n".join(["name:keypoints_y:keypoints_x", *lines]))
        (tmp_path / f"pairs-{split}.csv").write_text("from,to\n0.png,1.png\n")
    made = BASELINES["mean"]()(open_pairs(tmp_path), [0])
    assert (made == 70).all() and made.shape == (1, 64, 44, 3)


def test_pose_distance():
    a = np.ones((18, 3))
    b = a + (3, 4, 0)
    assert pose_distance(a, a, 100) == 0 and pose_distance(a, b, 100) == pytest.approx(5)
    b[0] = 0  # a joint that only one has costs ten pixels here
    assert pose_distance(a, b, 100) == pose_distance(b, a, 100) == pytest.approx((17 * 5 + 10) / 18)


def test_a_model_over_a_data_set(tiny_pipe, tiny_folder, tmp_path, capsys):
    small = gallery_of_size(tmp_path / "data", tiny_pipe.picture_size)
    argv = ["evaluate", "--model", str(tiny_folder), "--data", str(small), "--number", "3"]
    assert main([*argv, "--output", str(tmp_path / "model.json")]) == 0
    found = report.read(tmp_path / "model.json")
    assert (found["method"], found["pairs"], found["data"]) == (card.MODEL, 3, "data (test)")
    pairs = open_pairs(small)
    names = ["->".join(pair) for pair in pairs.pairs]
    made = next(generate_pairs(tiny_pipe, pairs, [names.index(pair) for pair in found["per_pair"]["pair"]]))
    np.testing.assert_allclose(found["per_pair"]["values"]["SSIM"], ssim(made["generated"], made["target"]))
    argv = ["evaluate", "--baseline", "copy", "--data", str(small), "--number", "3"]
    assert main([*argv, "--output", str(tmp_path / "copy.json")]) == 0
    paths = [str(tmp_path / f"{name}.json") for name in ("copy", "model")]
    assert main(["compare", *paths, "--output", str(tmp_path / "table.md")]) == 0
    shown = (tmp_path / "table.md").read_text()
    assert shown.index("| Copy of the source") < shown.index("| Model |") < shown.index("| scagan-2021, 8,570 pairs")
    assert main(["compare", *paths, "--output", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    expected = found["metrics"]["SSIM"]["value"]
    assert figures["rows"]["Model"]["SSIM"] == pytest.approx(expected)
    rendered = card.render({"content": {"image_size": (64, 44)}}, {"figures": [figures]})
    assert card.table(figures) in rendered and f"value: {round(expected, 4)}\n" in rendered.split("---")[1]
    capsys.readouterr()


def gallery_of_size(folder: Path, size: tuple[int, int]) -> Path:
    """Two people of the gallery as a data set of smaller pictures, without parsing maps."""
    (folder / "test").mkdir(parents=True)
    scale = size[0] / gallery.SIZE[0]
    _, *lines = (gallery.FOLDER / "annotation-test.csv").read_text().splitlines()
    written = ["name:keypoints_y:keypoints_x"]
    for line in lines[:12]:
        name, *columns = line.split(":")
        values = [[int(v * scale) if v >= 0 else -1 for v in json.loads(column)] for column in columns]
        written.append(":".join([name, *map(json.dumps, values)]))
        with Image.open(gallery.FOLDER / "test" / name) as image:
            image.resize(size).save(folder / "test" / name)
    (folder / "annotation-test.csv").write_text("\n".join(written))
    pairs = (gallery.FOLDER / "pairs-test.csv").read_text().splitlines()[:61]
    (folder / "pairs-test.csv").write_text("\n".join(pairs))
    return folder


def test_a_model_that_starts_from_noise_is_measured_alike_in_any_batch(tmp_path):
    from conftest import make_pipe

    pipe = make_pipe("noise")
    data = open_pairs(gallery_of_size(tmp_path, pipe.picture_size))
    one = np.concatenate([Model(pipe)(data, [i]) for i in (3, 4)]).astype(int)
    both = Model(pipe)(data, [3, 4]).astype(int)
    assert np.abs(one - both).max() <= 1 and np.abs(both[0] - both[1]).max() > 1


def test_detected_poses_tell_a_person_in_place_from_one_who_is_not(data):
    indices = [0, 1]
    found = {}
    for name in ("copy", "re-encoded"):
        source = source_of(BASELINES[name](), data, "bundled people", indices)
        found[name] = evaluate(source, extras=["PCKh-BlazePose"])
    figures = {name: one["metrics"]["PCKh-BlazePose"]["value"] for name, one in found.items()}
    assert figures["copy"] < 0.7 < 0.8 < figures["re-encoded"] <= 1
    pairs = found["copy"]["per_pair"]
    weights, values = pairs["weights"]["PCKh-BlazePose"], pairs["values"]["PCKh-BlazePose"]
    assert figures["copy"] == pytest.approx(np.average(values, weights=weights))
    assert pckh(np.full((1, 18, 2), -1), np.arange(36).reshape(1, 18, 2)) == 0


def test_comparisons_are_of_the_same_pairs_by_the_same_protocol(data):
    copy, aligned = (measure(BASELINES[name](), data, [0, 1, 200]) for name in ("copy", "aligned"))
    figures = compare([copy, aligned])
    difference = figures["differences"]["rows"][aligned["method"]]["SSIM"]
    both = [np.array(one["per_pair"]["values"]["SSIM"]) for one in (copy, aligned)]
    assert difference["value"] == pytest.approx((both[1] - both[0]).mean())
    assert difference["interval"][0] <= difference["value"] <= difference["interval"][1]
    with pytest.raises(ValueError, match="protocol is 'unpadded'"):
        compare([copy, aligned | {"protocol": "scagan-2021"}])
    with pytest.raises(ValueError, match="other pairs"):
        compare([copy, measure(BASELINES["aligned"](), data, [0, 1, 201])])
    with pytest.raises(ValueError, match="two reports are of"):
        compare([copy, copy])


def test_bad_reports_are_refused(tmp_path, capsys):
    (tmp_path / "other.json").write_text('{"method": "x"}')
    for name in ("nowhere.json", "other.json"):
        assert main(["compare", str(tmp_path / name), "--output", str(tmp_path / "table.md")]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert name in line and "scagan evaluate" in line
    assert not (tmp_path / "table.md").exists()


def test_the_page_shows_best_median_and_worst(folders):
    source = PictureFolders(folders / "generated", folders / "reference")
    found = evaluate(source)
    html = page.page(found, source)
    assert html.count("<svg") == 3 and html.count("data:image/webp") == 9
    order = np.argsort(found["per_pair"]["values"]["SSIM"])
    positions = [html.index(f": {found['per_pair']['pair'][i]}<") for i in (order[-1], order[NUMBER // 2], order[0])]
    assert positions == sorted(positions)
    assert "infinite or missing" in page.histogram("PSNR", np.array([1.0, math.inf]))
    assert "<script>" not in page.page(found | {"method": "<script>"}, source)


def test_intervals_draw_people():
    state = np.random.RandomState(0)
    person = np.repeat(np.arange(20), 30)
    values = state.randn(20)[person] + 0.01 * state.randn(600)
    low, high = interval(values, people=person)
    assert low < values.mean() < high
    assert high - low > 4 * np.subtract(*interval(values)[::-1])  # pairs of one person are no further evidence
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(20), rel=0.25)
    assert interval(values, people=person) == (low, high)
    values[3] = math.nan
    assert np.isfinite(interval(values, people=person)).all()
    assert interval([1.0, math.inf]) == (math.inf, math.inf)
    assert interval([1.0, 3.0], weights=[1.0, 0.0], people=[0, 1]) == (1, 1)


def test_people_are_those_whom_pairs_link():
    first, second, third, fourth = people_in([("a", "b"), ("c", "d"), ("b", "e"), ("", "f")])
    assert first == third and len({first, second, fourth}) == 3
