"""The net behind IS and FID with seeded weights, and how weights are found; LPIPS' nets: test_lpips.py."""

import hashlib

import numpy as np
import pytest
import torch

from scagan_hub.evaluation.inception import Inception2015, _tensorflow_resize
from scagan_hub.features import weights
from scagan_hub.features.weights import WEIGHTS, NotAvailable, Weights, locate


@pytest.fixture(scope="module")
def pictures():
    return torch.from_numpy(np.random.RandomState(0).randint(0, 256, (2, 2, 64, 44, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def inception():
    torch.manual_seed(0)
    return Inception2015().to(memory_format=torch.channels_last)


def test_inception_has_the_tensors_of_the_file_that_fid_packages_share(inception):
    state = inception.state_dict()
    assert len(state) == 566 and sum(parameter.numel() for parameter in inception.parameters()) == 23_850_960
    for name, shape in {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6b.branch7x7dbl_2.conv.weight": (128, 128, 7, 1),
        "Mixed_6e.branch_pool.bn.running_var": (192,),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7b.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch1x1.conv.weight": (320, 2048, 1, 1),
        "fc.weight": (1008, 2048),
    }.items():
        assert tuple(state[name].shape) == shape, name


@torch.inference_mode()
def test_inception_from_its_file(inception, pictures, tmp_path):
    path = tmp_path / "inception.pth"
    torch.save({k: v for k, v in inception.state_dict().items() if "num_batches" not in k}, path)
    loaded = Inception2015.load(path)
    features, probabilities = loaded.features(pictures[0]), loaded.probabilities(pictures[0])
    assert features.shape == (2, 2048) and probabilities.shape == (2, 1008)
    torch.testing.assert_close(features, inception.features(pictures[0]))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))
    torch.save({"fc.weight": torch.zeros(1008, 2048)}, path)
    with pytest.raises(ValueError, match="does not hold Inception-2015"):
        Inception2015.load(path)


def test_tensorflow_puts_a_pixel_where_its_corner_is():
    ramp = torch.arange(176, dtype=torch.float64)
    expected = (torch.arange(299, dtype=torch.float64) * 176 / 299).clamp(max=175)
    torch.testing.assert_close(_tensorflow_resize(176, ramp) @ ramp, expected)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """torch.hub's cache, empty; the folder to put weights into."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


def test_missing_weights_are_named_with_the_way_to_get_them(cache):
    with pytest.raises(NotAvailable) as missing:
        locate("Inception-2015", cache)
    for part in (WEIGHTS["Inception-2015"].file, "91 MB", "https://", str(cache), "--download"):
        assert part in str(missing.value)


def test_damaged_weights_are_refused(cache):
    file = cache / WEIGHTS["AlexNet"].file
    file.write_bytes(b"cut short")
    with pytest.raises(ValueError, match="SHA-256 that begins with 7be5be79, got"):
        locate("AlexNet", cache)


def test_weights_are_found_in_the_folder_then_in_the_cache_then_downloaded(cache, tmp_path, monkeypatch):
    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "server").write_bytes(content)
    monkeypatch.setitem(
        weights.WEIGHTS, "AlexNet", Weights("net.pth", (tmp_path / "server").as_uri(), digest[:8], megabytes=1)
    )
    cached = tmp_path / "cache" / "hub" / "checkpoints" / "net.pth"
    assert locate("AlexNet", cache, download=True) == (cached, digest) and cached.read_bytes() == content
    assert locate("AlexNet", cache) == (cached, digest)
    (cache / "net.pth").write_bytes(content)
    assert locate("AlexNet", cache) == (cache / "net.pth", digest)


def test_a_failed_download_says_so(cache, tmp_path, monkeypatch):
    nowhere = Weights("net.pth", (tmp_path / "nowhere").as_uri(), "00", megabytes=1)
    monkeypatch.setitem(weights.WEIGHTS, "AlexNet", nowhere)
    with pytest.raises(NotAvailable, match="could not be downloaded .*--weights"):
        locate("AlexNet", cache, download=True)
    (tmp_path / "nowhere").write_bytes(b"another file")
    with pytest.raises(NotAvailable, match="invalid hash value"):
        locate("AlexNet", cache, download=True)
    assert not list((tmp_path / "cache").rglob("*.pth"))
