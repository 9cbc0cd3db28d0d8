"""A crude figure of identity: how far the faces of two pictures are apart, as a small face net sees them.

The net is dlib's face recognition ResNet (King 2017) as face-api.js has it, its weights rounded to 8 bits. It was made
for photographs of aligned faces of 150 x 150 pixels; heads here have a tenth of that and are rendered. So it tells
people apart, but badly (docs/evaluation.md has how badly), and says nothing of any single picture.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..features.weights import NotAvailable
from ..files.packages import Package, cache_folder, offline
from ..files.writing import whole_folder
from .regions import head_windows

CACHE = "face-1"  # a change of the cached form needs another number
PACKAGE = Package(
    "@vladmandic/face-api",
    "1.7.15",
    "vladmandic-face-api-1.7.15.tgz",
    "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
    ("npm", "pack", "--loglevel=error", "@vladmandic/face-api@1.7.15"),
    "which holds the net of face distances",
    "MIT (LICENSE); the net is dlib's, CC0-1.0",
)
WEIGHTS, MANIFEST = "face_recognition_model.bin", "face_recognition_model-weights_manifest.json"
SHA256 = {
    WEIGHTS: "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
    MANIFEST: "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
}
SIDE, MEAN = 150, (122.782, 117.001, 104.298)
NOSE_AND_EYES = [0, 14, 15]
STAGES = {32: 3, 64: 3, 128: 2, 256: 2}  # residual blocks by their channels


def ensure() -> Path:
    """The folder of the net's two files in the cache; fetched (13 MB) if it is not there yet.

    Raises:
        ValueError: one line that says what cannot be had and how to mend it.
    """
    folder = cache_folder(CACHE)
    if not (folder / WEIGHTS).is_file():
        if not offline():
            print(f"fetching a face net (13 MB, once) into {folder}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as temporary:
            archive = PACKAGE.fetch(Path(temporary))
            with whole_folder(folder) as partial, tarfile.open(archive) as tar:
                for name in (WEIGHTS, MANIFEST):
                    (partial / name).write_bytes(tar.extractfile(f"package/model/{name}").read())
    return folder


def read(folder: Path) -> dict[str, torch.Tensor]:
    """The net's tensors by name, filters (out,in,h,w).

    Raises:
        ValueError: a file is damaged.
    """
    try:
        data = {name: (folder / name).read_bytes() for name in SHA256}
        if any(hashlib.sha256(data[name]).hexdigest() != known for name, known in SHA256.items()):
            raise ValueError("another SHA-256")
        return dequantised(data[WEIGHTS], json.loads(data[MANIFEST])[0]["weights"])
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:100]
        raise ValueError(f"{folder}: damaged ({said}); delete it, and it is fetched anew") from error


def dequantised(data: bytes, entries: list[dict]) -> dict[str, torch.Tensor]:
    """Tensors of values that stand one after the other: floats, or bytes that a scale and a least value go with."""
    found, start = {}, 0
    for entry in entries:
        count, scale = int(np.prod(entry["shape"])), entry.get("quantization")
        kind = np.dtype(np.uint8 if scale else "<f4")
        values = np.frombuffer(data, kind, count, start).astype(np.float32)
        values = values * scale["scale"] + scale["min"] if scale else values
        start += count * kind.itemsize
        tensor = torch.from_numpy(values.astype(np.float32).reshape(entry["shape"]))
        found[entry["name"]] = tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor
    if start != len(data):
        raise ValueError(f"expected {start} bytes, got {len(data)}")
    return found


def embed(tensors: dict[str, torch.Tensor], faces: torch.Tensor) -> torch.Tensor:
    """Faces (N,3,150,150) in 0..255 -> (N,128): of one person nearer to each other than of two, if all goes well."""

    def layer(x, name: str, stride: int = 1):
        filters, bias = tensors[f"{name}/conv/filters"], tensors[f"{name}/conv/bias"]
        x = F.conv2d(x, filters, bias, stride, padding=0 if stride == 2 else filters.shape[2] // 2)
        scale, shift = (tensors[f"{name}/scale/{part}"][:, None, None] for part in ("weights", "biases"))
        return x * scale + shift

    def residual(x, name: str):
        return F.relu(layer(F.relu(layer(x, f"{name}/conv1")), f"{name}/conv2") + x)

    def halving(x, name: str):
        pooled, x = F.avg_pool2d(x, 2), layer(F.relu(layer(x, f"{name}/conv1", 2)), f"{name}/conv2")
        rows, columns = (a - b for a, b in zip(pooled.shape[2:], x.shape[2:], strict=True))
        x = F.pad(x, (0, columns, 0, rows))  # zeros, as beside the pooled channels
        return F.relu(x + F.pad(pooled, (0, 0, 0, 0, 0, x.shape[1] - pooled.shape[1])))

    x = (faces - faces.new_tensor(MEAN)[:, None, None]) / 255
    x = F.max_pool2d(F.relu(layer(x, "conv32_down", 2)), 3, 2)  # (N,32,35,35)
    for channels, blocks in STAGES.items():
        x = x if channels == 32 else halving(x, f"conv{channels}_down")
        for block in range(1, blocks + 1):
            x = residual(x, f"conv{channels}_{block}")
    return halving(x, "conv256_down_out").mean((2, 3)) @ tensors["fc"]


class FaceDistance:
    """Distance of the faces in both pictures' heads, where the target looks into the camera; elsewhere NaN.

    Raises:
        NotAvailable: the pictures come without poses, or the net cannot be had.
    """

    name = "face distance"

    def __init__(self, source, device: str):
        if not source.posed:
            raise NotAvailable("needs a data set, whose poses say where heads are")
        try:
            self.tensors = {name: tensor.to(device) for name, tensor in read(ensure()).items()}
        except ValueError as error:
            raise NotAvailable(f"needs a face net: {error}") from error
        self.device = device

    @torch.inference_mode()
    def embedded(self, pictures: np.ndarray, poses: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """uint8 (n,H,W,3) and poses (n,18,3) -> (n,128), and whether a face is seen (n,)."""
        heads, there = head_windows(pictures, poses)
        faces = torch.from_numpy(heads).to(self.device).permute(0, 3, 1, 2).float()
        faces = F.interpolate(faces, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return embed(self.tensors, faces), there & (poses[:, NOSE_AND_EYES, 2] > 0).all(1)

    def values(self, batch) -> dict:
        (generated, seen), (reference, _) = (self.embedded(x, batch.poses) for x in (batch.generated, batch.reference))
        distance = (generated - reference).norm(dim=1).double().cpu().numpy()
        return {self.name: (np.where(seen, distance, np.nan), None)}
