"""The face net: what it is built as, what is refused, and that it tells the bundled people apart a little."""

import numpy as np
import pytest
import torch

from scagan_hub import gallery
from scagan_hub.evaluation import faces
from scagan_hub.evaluation.methods import BASELINES, open_pairs, source_of
from scagan_hub.evaluation.protocols import better
from scagan_hub.features.weights import NotAvailable


def layers() -> dict[str, tuple[int, int, int]]:
    """Size of window, channels in and out, of each layer."""
    found, channels = {"conv32_down": (7, 3, 32)}, 32
    for width, blocks in faces.STAGES.items():
        names = [f"conv{width}_{block}" for block in range(1, blocks + 1)]
        if width != 32:
            found |= {f"conv{width}_down/conv1": (3, channels, width), f"conv{width}_down/conv2": (3, width, width)}
        found |= {f"{name}/conv{i}": (3, width, width) for name in names for i in (1, 2)}
        channels = width
    return found | {f"conv256_down_out/conv{i}": (3, 256, 256) for i in (1, 2)}


def tensors() -> dict[str, torch.Tensor]:
    """Random weights of the net's shapes."""
    generator, found = torch.Generator().manual_seed(0), {}
    for name, (window, inputs, outputs) in layers().items():
        filters = torch.randn(outputs, inputs, window, window, generator=generator) / (window * inputs**0.5)
        found |= {f"{name}/conv/filters": filters, f"{name}/conv/bias": torch.zeros(outputs)}
        found |= {f"{name}/scale/weights": torch.ones(outputs), f"{name}/scale/biases": torch.zeros(outputs)}
    return found | {"fc": torch.randn(256, 128, generator=generator)}


def test_a_face_becomes_128_numbers_whatever_stands_beside_it():
    faces_of = torch.randint(0, 256, (2, 3, 150, 150), generator=torch.Generator().manual_seed(1)).float()
    both = faces.embed(tensors(), faces_of)
    assert both.shape == (2, 128) and (both[0] - both[1]).norm() > 1e-3
    torch.testing.assert_close(faces.embed(tensors(), faces_of[1:]), both[1:], rtol=1e-4, atol=1e-4)


def test_bytes_become_tensors():
    entries = [
        {"name": "a", "shape": [1, 2, 3, 1], "quantization": {"scale": 0.5, "min": -1.0}},
        {"name": "b", "shape": [2]},
    ]
    found = faces.dequantised(bytes(range(6)) + np.float32([6, 7]).tobytes(), entries)
    assert found["a"].shape == (1, 3, 1, 2) and found["a"][0, :, 0, 1].tolist() == [0.5, 1.0, 1.5]
    assert found["b"].tolist() == [6, 7]
    with pytest.raises(ValueError, match="expected 14 bytes, got 15"):
        faces.dequantised(bytes(15), entries)


def test_damaged_files_and_pictures_without_poses_are_said(tmp_path):
    (tmp_path / faces.WEIGHTS).write_bytes(b"x")
    (tmp_path / faces.MANIFEST).write_text("[]")
    with pytest.raises(ValueError, match="damaged .another SHA-256.; delete it"):
        faces.read(tmp_path)
    source = source_of(BASELINES["copy"](), open_pairs(gallery.FOLDER), "people")
    with pytest.raises(NotAvailable, match="SCAGAN_OFFLINE"):
        faces.FaceDistance(source, "cpu")
    source.posed = False
    with pytest.raises(NotAvailable, match="needs a data set"):
        faces.FaceDistance(source, "cpu")
    assert better(faces.FaceDistance.name) == "lower"


def test_it_tells_people_apart_a_little(users_cache):
    data = open_pairs(gallery.FOLDER)
    source = source_of(BASELINES["copy"](), data, "people")
    try:
        metric = faces.FaceDistance(source, "cpu")
    except NotAvailable as error:
        pytest.skip(str(error))
    names = [name for name in data.annotations if name.startswith(("test_90000", "test_90001"))]
    pictures = np.stack([data.view(name)[0].permute(1, 2, 0).numpy() for name in names])
    found, seen = metric.embedded(pictures, np.stack([data.annotations[name] for name in names]))
    found, who = found[torch.from_numpy(seen)], np.array([name[:11] for name in names])[seen]
    distance = torch.cdist(found, found).numpy()
    apart = np.triu(np.ones_like(distance, bool), 1)
    same, other = distance[apart & (who[:, None] == who)], distance[apart & (who[:, None] != who)]
    share = (same[:, None] < other).mean()
    print(f"same {same.mean():.2f} of {len(same)}, other {other.mean():.2f}, AUC {share:.2f}")
    assert same.mean() < other.mean() and share > 0.7
