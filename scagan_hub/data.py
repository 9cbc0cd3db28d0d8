"""Training pairs: images, keypoint annotations and pairs of one data set folder.

Layout (`people`): `{split}/` with images, `annotation-{split}.csv` (`name:keypoints_y:keypoints_x`, 18 joints, -1
missing), `pairs-{split}.csv` (`from,to`). Only decoding happens here; edges, heatmaps and alignment are made on
the device by `Content`.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler

from .pose import Pose


def read_annotations(path: Path) -> dict[str, np.ndarray]:
    """Keypoints by image name: (18,3) float32 of x, y, confidence (0 or 1), in pixels.

    Raises:
        ValueError: naming the file and line that cannot be read.
    """
    rows = _read_csv(path, ["name", "keypoints_y", "keypoints_x"], ":")
    poses = {}
    for line, (name, ys, xs) in rows:
        try:
            y, x = np.asarray(json.loads(ys), np.float32), np.asarray(json.loads(xs), np.float32)
            present = (x >= 0) & (y >= 0)
            poses[name] = np.stack([x, y, present], axis=1) * present[:, None]
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {line}: keypoints of {name!r} cannot be read: {error}") from error
        if poses[name].shape != (18, 3):
            raise ValueError(f"{path}, line {line}: expected 18 joints for {name!r}, got {len(poses[name])}")
    return poses


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(source, target) image names."""
    return [(source, target) for _, (source, target) in _read_csv(path, ["from", "to"], ",")]


def _read_csv(path: Path, columns: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    if not path.is_file():
        raise ValueError(f"no file {path}; a data set folder has it beside its images")
    with path.open(newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        header = next(rows, [])
        if header != columns:
            raise ValueError(f"{path}: expected the columns {columns}, got {header}")
        content = [(rows.line_num, row) for row in rows if row]
    for line, row in content:
        if len(row) != len(columns):
            raise ValueError(f"{path}, line {line}: expected {len(columns)} columns, got {len(row)}")
    return content


class PosePairs(Dataset):
    """Pairs of pictures of one person with both poses.

    Args:
        root: the data set's folder.
        split: "train" or "test".
        image_size: (height, width) of all images.
    Raises:
        ValueError: at construction, naming what is missing: a file, a column, the annotation of a paired image.
    """

    def __init__(self, root: str | Path, split: str, image_size: tuple[int, int] = (256, 176)):
        self.root, self.image_size = Path(root), tuple(image_size)
        self.images = self.root / split
        self.annotations = read_annotations(self.root / f"annotation-{split}.csv")
        self.pairs = read_pairs(self.root / f"pairs-{split}.csv")
        if not self.pairs:
            raise ValueError(f"{self.root}: pairs-{split}.csv names no pair")
        named = {name for pair in self.pairs for name in pair}
        present = {path.name for path in self.images.iterdir()} if self.images.is_dir() else set()
        for what, there in (("annotation", self.annotations.keys()), ("image", present)):
            if missing := sorted(named - there):
                raise ValueError(f"{self.root}, {split}: {len(missing)} paired names have no {what}: {missing[0]}")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int | tuple[int, bool]) -> dict:
        """One pair; `index` may be (index, mirrored).

        Returns:
            source_image, target_image (3,H,W) uint8; source_pose, target_pose (18,3) float32; names.
        """
        index, mirrored = index if isinstance(index, tuple) else (index, False)
        item = {"names": "->".join(self.pairs[index])}
        for role, name in zip(("source", "target"), self.pairs[index], strict=True):
            item[f"{role}_image"], item[f"{role}_pose"] = self.view(name, mirrored)
        return item

    def view(self, name: str, mirrored: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """One picture (3,H,W) uint8 and its pose (18,3)."""
        height, width = self.image_size
        try:
            with Image.open(self.images / name) as file:
                image = np.asarray(file.convert("RGB"))
        except OSError as error:
            raise ValueError(f"cannot read the image {self.images / name}: {error}") from error
        if image.shape[:2] != (height, width):
            raise ValueError(f"{self.images / name}: expected {width} x {height} pixels, got {image.shape[1::-1]}")
        keypoints = self.annotations[name]
        if mirrored:
            image = image[:, ::-1]
            keypoints = Pose(keypoints, (width, height)).mirror().keypoints
        return torch.from_numpy(np.array(image.transpose(2, 0, 1))), torch.from_numpy(np.array(keypoints))


class PairSampler(Sampler):
    """Endless shuffled (index, mirrored), a function of seed and position alone, so that a run can resume anywhere.

    Args:
        length: number of pairs.
        seed: of the shuffling.
        start: how many samples have been drawn already.
        stop: after how many samples in all to end.
    """

    def __init__(self, length: int, seed: int, start: int, stop: int):
        self.length, self.seed, self.start, self.stop = length, seed, start, stop

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        position = self.start
        while position < self.stop:
            epoch, offset = divmod(position, self.length)
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = torch.randperm(self.length, generator=generator)
            mirrored = torch.rand(self.length, generator=generator) < 0.5
            end = min(self.length, offset + self.stop - position)
            yield from zip(order[offset:end].tolist(), mirrored[offset:end].tolist(), strict=True)
            position += end - offset
