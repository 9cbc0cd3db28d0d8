"""What makes pictures of a data set's pairs: a model, and the baselines that put a floor under every figure.

A baseline learns nothing and yet scores: a figure means little before one knows what copying the source reaches.
"""

import hashlib
import io
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..content import Content
from ..data import PosePairs
from ..hub.card import MODEL
from .held_out import generate_pairs, pixels
from .sources import DataSetPairs, picture

JPEG_QUALITY = 90


class Copy:
    """The source picture, as if nothing were asked."""

    title = "Copy of the source"

    def __call__(self, data: PosePairs, indices: list[int]) -> np.ndarray:
        return np.stack([picture(data, data.pairs[i][0]) for i in indices])


class Aligned:
    """The source warped limb by limb onto the target pose, nothing learned."""

    title = "Aligned source, nothing learned"

    def __call__(self, data: PosePairs, indices: list[int]) -> np.ndarray:
        content = Content(image_size=data.image_size, alignment="limbs")
        batch = torch.utils.data.default_collate([data[i] for i in indices])
        source = batch["source_image"].float() / 127.5 - 1
        return pixels(content.align(source, batch["source_pose"], batch["target_pose"])[:, :3])


class Mean:
    """The mean of all training pictures, whatever is asked."""

    title = "Mean of the training pictures"

    def __call__(self, data: PosePairs, indices: list[int]) -> np.ndarray:
        self.root, self.size = data.root, data.image_size
        return np.repeat(self._mean[None], len(indices), axis=0)

    @cached_property
    def _mean(self) -> np.ndarray:
        train = PosePairs(self.root, "train", self.size)
        total = np.zeros((*self.size, 3), np.int64)
        for name in train.annotations:
            total += picture(train, name)
        return np.rint(total / len(train.annotations)).astype(np.uint8)


class NearestPose:
    """Of the person's other pictures the one whose pose is nearest to the target's.

    Distance: mean over the joints that both poses have, plus a tenth of the picture's height for each joint that only
    one has, over the number of joints that either has.
    """

    title = "Nearest pose of the same person"

    def __call__(self, data: PosePairs, indices: list[int]) -> np.ndarray:
        self.data = data
        return np.stack([picture(data, self._nearest(data.pairs[i][1])) for i in indices])

    @cached_property
    def _pictures_of(self) -> dict[str, list[str]]:
        """Every picture of the person in a picture: those that pairs link with it."""
        linked: dict[str, list[str]] = {}
        for source, target in self.data.pairs:
            linked.setdefault(target, []).append(source)
        return linked

    def _nearest(self, target: str) -> str:
        poses = self.data.annotations
        return min(
            dict.fromkeys(self._pictures_of[target]),
            key=lambda name: pose_distance(poses[name], poses[target], self.data.image_size[0]),
        )


def pose_distance(a: np.ndarray, b: np.ndarray, height: int) -> float:
    """How far two poses (18,3) are apart, in pixels; see `NearestPose`."""
    in_a, in_b = a[:, 2] > 0, b[:, 2] > 0
    both = in_a & in_b
    apart = np.linalg.norm(a[both, :2] - b[both, :2], axis=1).sum() + 0.1 * height * (in_a ^ in_b).sum()
    return float(apart / max(1, (in_a | in_b).sum()))


class Reencoded:
    """The truth itself, saved as a JPEG: what no figure can well exceed."""

    title = f"Truth, saved as JPEG {JPEG_QUALITY}"

    def __call__(self, data: PosePairs, indices: list[int]) -> np.ndarray:
        return np.stack([self._saved(picture(data, data.pairs[i][1])) for i in indices])

    def _saved(self, pixels: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
        return np.asarray(Image.open(file).convert("RGB"))


class Model:
    """A pipeline."""

    title = MODEL

    def __init__(self, pipe):
        self.pipe = pipe

    def __call__(self, data: PosePairs, indices: list[int]) -> np.ndarray:
        return next(generate_pairs(self.pipe, data, indices, batch_size=len(indices)))["generated"]


BASELINES: dict[str, Callable] = {
    "copy": Copy,
    "aligned": Aligned,
    "mean": Mean,
    "nearest-pose": NearestPose,
    "re-encoded": Reencoded,
}


def open_pairs(root, split: str = "test", image_size=None) -> PosePairs:
    """A data set's pairs, with parsing maps and correspondences where it has them."""
    from ..data.layouts import Split

    files = Split(root, split)
    parsing, places = bool(files.parsing_maps()), bool(files.correspondences_files())
    return PosePairs(root, split, image_size, parsing, places)


def source_of(method, data: PosePairs, described: str, indices=None, files: Path | None = None) -> DataSetPairs:
    """A method of this module over a data set, as `evaluate` wants it.

    Args:
        described: what the pairs are of, for people.
        indices: which pairs; None: all.
        files: folder that a model was loaded from; its weights and configurations are part of what is evaluated.
    """
    identity = [type(method).__name__]
    for path in sorted([*files.rglob("*.safetensors"), *files.rglob("*config.json")]) if files else ():
        with path.open("rb") as file:
            identity.append(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
    return DataSetPairs(data, method, method.title, described, indices, identity)
