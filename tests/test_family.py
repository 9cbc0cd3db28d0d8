"""The family's protocols, and anyone's pictures in a ZIP by all of them."""

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tiny_inception
import torch
import torch.nn.functional as F
from PIL import Image
from test_misleading import pictures, write

from scagan_hub.cli import main
from scagan_hub.evaluation import PROTOCOLS, archive, frechet_distance, inception, report
from scagan_hub.evaluation.metrics import ssim_wide
from scagan_hub.evaluation.run import evaluate
from scagan_hub.evaluation.sources import PictureFolders
from scagan_hub.features import weights

NAMES = [f"{person}_{view}.png" for person in "ab" for view in range(2)]
SIZE = (256, 176)


@pytest.fixture
def sets(tmp_path):
    """made/, truth/ and train/ of random pictures of 176 x 256; what is in them."""
    truth = pictures(4, size=SIZE)
    noise = np.random.RandomState(1).randint(-20, 20, truth.shape)
    found = {"made": (truth + noise).clip(0, 255).astype(np.uint8), "truth": truth, "train": pictures(5, 2, SIZE)}
    for folder, arrays in found.items():
        names = NAMES if folder != "train" else [f"{i}.png" for i in range(5)]
        write(tmp_path / folder, dict(zip(names, arrays, strict=True)))
    return found


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Tiny weights in the place of both Inceptions'."""
    folder = tmp_path / "weights"
    folder.mkdir()
    tiny_inception.install(folder, monkeypatch.setattr)
    known = weights.WEIGHTS
    monkeypatch.setattr(weights, "WEIGHTS", known | {"Inception-torchvision": known["Inception-2015"]})
    monkeypatch.setattr(inception, "InceptionTorchvision", tiny_inception.TinyInception)
    return folder


def zipped(tmp_path, folders: dict[str, str], more: dict[str, bytes] | None = None) -> Path:
    """results.zip of folders, by their names in it, and of further files."""
    path = tmp_path / "results.zip"
    with zipfile.ZipFile(path, "w") as file:
        for folder, name in folders.items():
            for picture in sorted((tmp_path / folder).iterdir()):
                file.write(picture, f"{name}/{picture.name}")
        for name, content in (more or {}).items():
            file.writestr(name, content)
    return path


def run(tmp_path, *argv) -> int:
    options = ["--output", str(tmp_path / "report.json"), "--without", "LPIPS", "LPIPS-VGG16"]
    return main(["evaluate", *map(str, argv), *options])


def test_a_zip_is_scored_by_every_protocol_with_intervals(tmp_path, sets, tiny, capsys):
    path = zipped(tmp_path, {"made": "results/images", "truth": "results/reference"}, {"__MACOSX/._a.png": b"x"})
    before = set(Path(tempfile.gettempdir()).glob("scagan-zip-*"))
    assert run(tmp_path, "--zip", path, "--train", tmp_path / "train", "--weights", tiny) == 0
    out = capsys.readouterr().out
    assert set(Path(tempfile.gettempdir()).glob("scagan-zip-*")) == before
    found = report.read_all(tmp_path / "report.json")
    assert list(found) == list(PROTOCOLS) == ["unpadded", "scagan-2021", "gfla-2020", "cfld-2024"]
    for name, one in found.items():
        assert one["protocol"] == name and one["method"] == "results" and one["pairs"] == 4
        assert one["metrics"]["SSIM"]["interval"][0] < one["metrics"]["SSIM"]["value"]
        assert ("SSIM-51" in one["metrics"]) == (name in ("gfla-2020", "cfld-2024")) and "value" in one["metrics"][
            "FID"
        ]
    assert "| | unpadded | scagan-2021 | gfla-2020 | cfld-2024 |" in out == (tmp_path / "report.md").read_text()
    assert found["scagan-2021"]["metrics"]["SSIM"]["value"] > found["unpadded"]["metrics"]["SSIM"]["value"]


def test_one_protocol_and_references_beside_the_zip(tmp_path, sets):
    path = zipped(tmp_path, {"made": "anything"})
    assert run(tmp_path, "--zip", path) == 1
    assert run(tmp_path, "--zip", path, "--reference", tmp_path / "truth", "--protocol", "gfla-2020") == 0
    found = report.read_all(tmp_path / "report.json")
    assert list(found) == ["gfla-2020"]
    assert "--train" in found["gfla-2020"]["metrics"]["FID"]["not_available"] or "weights" in str(found)


def test_fid_is_to_the_training_pictures_where_the_protocol_says_so(tmp_path, sets, tiny):
    source = PictureFolders(tmp_path / "made", tmp_path / "truth", train=tmp_path / "train")
    found = evaluate(source, "gfla-2020", weights=tiny, without=("LPIPS", "LPIPS-VGG16"))
    net = tiny_inception.TinyInception()
    made, train = (net.features(torch.from_numpy(sets[name])).numpy() for name in ("made", "train"))
    assert found["metrics"]["FID"]["value"] == pytest.approx(frechet_distance(made, train), rel=1e-6)
    assert "IS" not in found["metrics"]
    source.training = None
    found = evaluate(source, "gfla-2020", weights=tiny, without=("LPIPS", "LPIPS-VGG16"))
    assert "give them with --train" in found["metrics"]["FID"]["not_available"]


def test_cfld_brings_pictures_of_any_size_to_its_own(tmp_path, sets):
    for folder, size in (("made", (352, 512)), ("truth", (750, 1101))):
        for path in (tmp_path / folder).iterdir():
            Image.open(path).resize(size, Image.Resampling.BICUBIC).save(path)
    with pytest.raises(ValueError, match="expected 750 x 1101"):
        evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"), "gfla-2020")
    source = PictureFolders(tmp_path / "made", tmp_path / "truth", resized=SIZE)
    batch = source.batch(np.arange(4))
    assert batch.generated.shape == batch.reference.shape == (4, *SIZE, 3)
    assert np.abs(batch.reference.astype(int) - sets["truth"]).mean() < 40  # of noise; others are 80 off


def test_the_wide_ssim_is_scikit_images():
    metrics = pytest.importorskip("skimage.metrics")
    made, truth = pictures(2, size=(70, 60)), pictures(2, 1, (70, 60)) // 2 + pictures(2, size=(70, 60)) // 2
    expected = [
        metrics.structural_similarity(a / 255, b / 255, data_range=1, win_size=51, channel_axis=2)
        for a, b in zip(made, truth, strict=True)
    ]
    np.testing.assert_allclose(ssim_wide(made, truth), expected, atol=1e-9)


def test_torchvisions_inception_pools_over_the_border_and_has_no_auxiliary_head(tmp_path):
    net = inception.InceptionTorchvision()
    assert {block.pool for block in net.modules() if isinstance(block, inception.Block)} == {"bordered", "stride"}
    block = inception._block_a(8, 4)
    block.pool = "bordered"
    x = torch.randn(1, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    expected = block.branch_pool(F.avg_pool2d(x, 3, 1, 1))
    torch.testing.assert_close(block.eval()._run([["branch_pool"]], x), block.branch_pool(F.avg_pool2d(x, 3, 1, 1)))
    assert expected.shape[1] == 4
    torch.save(net.state_dict() | {"AuxLogits.fc.weight": torch.ones(1)}, tmp_path / "net.pth")
    assert inception.InceptionTorchvision.load(tmp_path / "net.pth").fc.out_features == 1000


@pytest.mark.parametrize(
    ("folders", "more", "says"),
    [
        ({"made": "a", "train": "b"}, {}, "expected pictures in one folder"),
        ({}, {"notes.txt": b"x"}, "got pictures in none"),
        ({"made": "a"}, {"a/./a_0.png": b"x", "a/a_0.png ": b""}, "twice"),
    ],
)
def test_other_archives_are_refused_in_a_line(tmp_path, sets, capsys, folders, more, says):
    assert run(tmp_path, "--zip", zipped(tmp_path, folders, more), "--reference", tmp_path / "truth") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line and not (tmp_path / "report.json").exists()


def test_damaged_and_dangerous_archives(tmp_path, sets, capsys, monkeypatch):
    path = tmp_path / "results.zip"
    for content in (b"", b"no archive", zipped(tmp_path, {"made": "a"}).read_bytes()[:-300]):
        path.write_bytes(content)
        assert run(tmp_path, "--zip", path, "--reference", tmp_path / "truth") == 1
        assert "cannot be read as a ZIP" in capsys.readouterr().err
    zipped(tmp_path, {"made": "../../outside"})
    with archive.unpacked(path) as found:
        assert found.generated.name == "results" and len(list(found.generated.iterdir())) == 4
    assert not (tmp_path.parent / "outside").exists() and not found.generated.exists()
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    assert run(tmp_path, "--zip", path, "--reference", tmp_path / "truth") == 1
    assert "at most" in capsys.readouterr().err
