"""Training pairs: images, keypoint annotations and pairs of one data set folder.

Layout (`people`): `{split}/` with images, `annotation-{split}.csv` (`name:keypoints_y:keypoints_x`, 18 joints, -1
missing), `pairs-{split}.csv` (`from,to`), and, for those who ask, `{split}_parsing/` with a palette PNG an image.
Only decoding happens here; edges, heatmaps and alignment are made on the device by `Content`.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from ..pose import Pose
from .annotations import read_annotations, read_pairs

PARSING = ("background", "hair", "face", "top", "bottom", "shoes", "arms", "legs")  # left and right are one class


class PosePairs(Dataset):
    """Pairs of pictures of one person with both poses.

    Args:
        root: the data set's folder.
        split: "train" or "test".
        image_size: (height, width) of all images.
        parsing: whether items have the parsing maps of `{split}_parsing/` too.
    Raises:
        ValueError: at construction, naming what is missing: a file, a column, the annotation of a paired image.
    """

    def __init__(self, root: str | Path, split: str, image_size: tuple[int, int] = (256, 176), parsing: bool = False):
        self.root, self.image_size, self.parsing = Path(root), tuple(image_size), parsing
        self.images, self.parsings = self.root / split, self.root / f"{split}_parsing"
        self.annotations = read_annotations(self.root / f"annotation-{split}.csv")
        self.pairs = read_pairs(self.root / f"pairs-{split}.csv")
        if not self.pairs:
            raise ValueError(f"{self.root}: pairs-{split}.csv names no pair")
        named = {name for pair in self.pairs for name in pair}
        there = {"annotation": self.annotations.keys() & named, "image": _listed(self.images) & named}
        if parsing:
            maps = _listed(self.parsings)
            there["parsing map"] = {name for name in named if _map_name(name) in maps}
        for what, found in there.items():
            if missing := sorted(named - found):
                raise ValueError(f"{self.root}, {split}: {len(missing)} paired names have no {what}: {missing[0]}")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int | tuple[int, bool]) -> dict:
        """One pair; `index` may be (index, mirrored).

        Returns:
            source_image, target_image (3,H,W) uint8; source_pose, target_pose (18,3) float32; names; with `parsing`
            also source_parsing, target_parsing (H,W) uint8, indices of `PARSING`.
        """
        index, mirrored = index if isinstance(index, tuple) else (index, False)
        item = {"names": "->".join(self.pairs[index])}
        for role, name in zip(("source", "target"), self.pairs[index], strict=True):
            item[f"{role}_image"], item[f"{role}_pose"] = self.view(name, mirrored)
            if self.parsing:
                item[f"{role}_parsing"] = self.parsing_map(name, mirrored)
        return item

    def view(self, name: str, mirrored: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """One picture (3,H,W) uint8 and its pose (18,3)."""
        height, width = self.image_size
        pixels = np.asarray(self._decoded(self.images / name).convert("RGB"))
        keypoints = self.annotations[name]
        if mirrored:
            pixels = pixels[:, ::-1]
            keypoints = Pose(keypoints, (width, height)).mirror().keypoints
        return torch.from_numpy(np.array(pixels.transpose(2, 0, 1))), torch.from_numpy(np.array(keypoints))

    def parsing_map(self, name: str, mirrored: bool = False) -> torch.Tensor:
        """The parsing map of one picture, (H,W) uint8: indices of `PARSING`."""
        path = self.parsings / _map_name(name)
        image = self._decoded(path)
        classes = np.asarray(image)
        if image.mode not in ("P", "L") or classes.max() >= len(PARSING):
            raise ValueError(f"{path}: expected a palette PNG of the classes 0 to {len(PARSING) - 1}")
        return torch.from_numpy(np.array(classes[:, ::-1] if mirrored else classes))

    def _decoded(self, path: Path) -> Image.Image:
        height, width = self.image_size
        try:
            with Image.open(path) as image:
                image.load()
        except OSError as error:
            raise ValueError(f"cannot read the image {path}: {error}") from error
        if image.size != (width, height):
            raise ValueError(f"{path}: expected {width} x {height} pixels, got {image.size}")
        return image


def _listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _map_name(name: str) -> str:
    return f"{Path(name).stem}.png"
