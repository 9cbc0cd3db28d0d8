"""Where pictures to evaluate come from: a folder of anyone's outputs, or a method that makes them of a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from ..data.images import read_image, read_parsing, read_rgb
from ..data.layouts import Split, known_identity, map_name
from .naming import match, pictures_in
from .regions import regions_of

TOGETHER = 16  # training pictures at a time


@dataclass
class Batch:
    """Pictures side by side.

    Args:
        positions: (n,) their places among all pairs.
        generated, reference: uint8 (n,H,W,3).
        mask: bool (n,H,W), where the reference shows the person; None: not known.
        poses: (n,18,3) x, y, confidence, the references'; None: not known.
        regions: bool (n,H,W) by name, see `regions.regions_of`; None: not known.
    """

    positions: np.ndarray
    generated: np.ndarray
    reference: np.ndarray
    mask: np.ndarray | None = None
    poses: np.ndarray | None = None
    regions: dict[str, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.positions)


class Source(Protocol):
    """What `evaluate` asks of whatever gives it pictures.

    Attributes:
        method: the row's name in a table.
        data: what the pairs are of, for people.
        pairs: (from, to) names of each pair; "from" is empty where it is not known.
        people: (n,) integers, who is in each pair; see `people_in`.
        people_known: whether they are people; else each picture is taken for one of its own.
        expected: how many pairs there should be, of which `pairs` may be a part.
        notes: how the pictures were found, for people.
        size: (height, width) of the pictures.
        masked, posed, in_regions: whether batches have masks, poses, regions.
        training: gives all training pictures, uint8 (n,H,W,3) at a time; None: they are not known.
        identity: strings that change whenever the pictures do; an interrupted evaluation resumes only if they didn't.
    """

    method: str
    data: str
    pairs: list[tuple[str, str]]
    people: np.ndarray
    people_known: bool
    expected: int
    notes: list[str]
    size: tuple[int, int]
    masked: bool
    posed: bool
    in_regions: bool
    training: Callable[[], Iterable[np.ndarray]] | None
    identity: Iterable[str]

    def batch(self, positions: np.ndarray) -> Batch: ...

    def references(self, positions: np.ndarray) -> np.ndarray:
        """The references alone, uint8 (n,H,W,3), which takes no method."""


class PictureFolders:
    """Pictures in one folder against their references in another.

    A generated picture is named as its reference (whatever the suffix), or FROM___TO, TO being its reference. With
    pairs it is FROM___TO, or all are named by their source, or all by their target. A file ..._vis is a mosaic as the
    family's releases write them: panels of the reference's width side by side, the generated picture being the last
    (of eight in SCA-GAN's, of five in PATN's). A name that means two things is refused; see `naming`.

    Args:
        generated, reference: folders.
        pairs: CSV of the columns from, to; None: as the files' names say.
        masks: folder of parsing maps (PNG, 0 = background) named as the references.
        method: the row's name in a table; None: the folder's name.
        named_by: "source" or "target", where names allow both; None: whichever the names allow.
        partial: whether pairs, or references, may lack their picture.
        resized: (height, width) that pictures of any size are brought to; None: all must have one size.
        train: folder of all training pictures, for protocols whose FID is to them.
    Raises:
        ValueError: no such folder, names that mean two things or nothing, or a picture without its partner.
    """

    posed = in_regions = False

    def __init__(
        self,
        generated: Path,
        reference: Path,
        pairs: Path | None = None,
        masks=None,
        method=None,
        named_by: str | None = None,
        partial: bool = False,
        resized: tuple[int, int] | None = None,
        train: Path | None = None,
    ):
        self.files, self.expected, self.notes = match(generated, reference, pairs, named_by, partial)
        self.pairs = [(one.source, one.reference.name) for one in self.files]
        self.people, self.people_known = people_of(self.pairs)
        self.masks, self.masked = masks, masks is not None
        self.method = method or Path(generated).resolve().name
        self.data = f"the folder {Path(reference).resolve().name}"
        self.resized, self.size = resized, resized or read_image(self.files[0].reference).size[::-1]
        self.train = pictures_in(train, "--train") if train else []
        self.training = self._training if train else None
        self._decoders = ThreadPoolExecutor(min(8, os.cpu_count() or 1))

    @property
    def identity(self):
        masks = [self._mask_path(one.reference) for one in self.files] if self.masked else []
        yield from stamps([path for one in self.files for path in (one.generated, one.reference)] + masks + self.train)

    def batch(self, positions: np.ndarray) -> Batch:
        """
        Raises:
            ValueError: a picture cannot be read, or has another size.
        """
        files = [self.files[i] for i in positions]
        generated = np.stack(list(self._decoders.map(self._generated, files)))
        mask = np.stack([self._mask(one.reference) for one in files]) if self.masked else None
        return Batch(positions, generated, self.references(positions), mask)

    def references(self, positions: np.ndarray) -> np.ndarray:
        paths = [self.files[i].reference for i in positions]
        return np.stack(list(self._decoders.map(self._read, paths)))

    def _training(self) -> Iterable[np.ndarray]:
        for start in range(0, len(self.train), TOGETHER):
            yield np.stack(list(self._decoders.map(self._read, self.train[start : start + TOGETHER])))

    def _read(self, path: Path) -> np.ndarray:
        return read_rgb(path, self.size) if self.resized is None else self._sized(read_rgb(path))

    def _sized(self, pixels: np.ndarray) -> np.ndarray:
        if self.resized in (None, pixels.shape[:2]):
            return pixels
        return np.asarray(Image.fromarray(pixels).resize(self.size[::-1], Image.Resampling.BICUBIC))

    def _generated(self, one) -> np.ndarray:
        if not one.mosaic:
            return self._read(one.generated)
        height, width = read_image(one.reference).size[::-1] if self.resized else self.size
        mosaic = read_rgb(one.generated)
        if mosaic.shape[0] != height or mosaic.shape[1] % width:
            raise ValueError(
                f"{one.generated}: expected a mosaic of panels of {width} x {height} pixels, as references are, got "
                f"{mosaic.shape[1]} x {mosaic.shape[0]}"
            )
        return self._sized(mosaic[:, -width:])

    def _mask_path(self, path: Path) -> Path:
        return Path(self.masks) / map_name(path.name)

    def _mask(self, path: Path) -> np.ndarray:
        if self.resized is None:
            return read_parsing(self._mask_path(path), self.size) > 0
        mask = Image.fromarray(read_parsing(self._mask_path(path)) > 0)
        return np.asarray(mask.resize(self.size[::-1], Image.Resampling.NEAREST))


Method = Callable[["DataSetPairs", list[int]], np.ndarray]


class DataSetPairs:
    """What a method makes of a data set's pairs, against their targets.

    Args:
        data: `PosePairs` with parsing maps where person-only figures are wanted, with places where figures by region.
        make: called with this object and indices of pairs; returns uint8 (n,H,W,3).
        method: the row's name in a table.
        described: what the pairs are of, for people.
        indices: which pairs; None: all.
        identity: strings that change whenever the method does.
    """

    people_known = True

    def __init__(self, data, make: Method, method: str, described: str, indices=None, identity: Iterable[str] = ()):
        self.dataset, self.make, self.method, self.data = data, make, method, described
        self.indices = np.arange(len(data)) if indices is None else np.asarray(indices)
        self.pairs, self.people = [data.pairs[i] for i in self.indices], people_of(data.pairs)[0][self.indices]
        self.expected, self.notes = len(self.pairs), []
        self.training = self._training if (data.root / "train").is_dir() else None
        self.size, self.masked, self.posed, self.in_regions = data.image_size, data.parsing, True, data.places
        self._method_identity = list(identity)

    @property
    def identity(self):
        """Of a method that looks at other splits, too, such as the mean of the training's pictures, all of them."""
        yield from [str(self.dataset.root.resolve()), *map(str, self.indices), *self._method_identity]
        yield from stamps(self.dataset.files())
        for split in getattr(self.make, "splits", ()):
            yield from stamps(Split(self.dataset.root, split).all_files())

    def _training(self) -> Iterable[np.ndarray]:
        images, size = self.dataset.root / "train", self.dataset.image_size
        names = sorted(Split(self.dataset.root, "train").files)
        for start in range(0, len(names), TOGETHER):
            yield np.stack([read_rgb(images / name, size) for name in names[start : start + TOGETHER]])

    def references(self, positions: np.ndarray) -> np.ndarray:
        return np.stack([picture(self.dataset, self.dataset.pairs[int(i)][1]) for i in self.indices[positions]])

    def batch(self, positions: np.ndarray) -> Batch:
        indices = [int(i) for i in self.indices[positions]]
        targets, reference = [self.dataset.pairs[i][1] for i in indices], self.references(positions)
        mask = np.stack([self.dataset.parsing_map(name).numpy() > 0 for name in targets]) if self.masked else None
        poses = np.stack([self.dataset.annotations[name] for name in targets])
        regions = self._regions(indices) if self.in_regions else None
        return Batch(positions, self.make(self.dataset, indices), reference, mask, poses, regions)

    def _regions(self, indices: list[int]) -> dict[str, np.ndarray]:
        items = [self.dataset[i] for i in indices]
        found = [regions_of(item["state"].numpy(), item["target_parsing"].numpy()) for item in items]
        return {name: np.stack([masks[name] for masks in found]) for name in found[0]}


def picture(data, name: str) -> np.ndarray:
    """One picture of a data set, uint8 (H,W,3)."""
    return data.view(name)[0].permute(1, 2, 0).numpy()


def stamps(paths: Iterable[Path]) -> Iterable[str]:
    """A line a file that changes whenever its content does: name, size, and when it was written and changed."""
    for path in paths:
        try:
            stat = path.stat()
            yield f"{path.parent.name}/{path.name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        except OSError:  # which reading it will say
            yield f"{path} is not there"


def people_of(pairs: list[tuple[str, str]]) -> tuple[np.ndarray, bool]:
    """`people_in`, pictures whose names are known to be of one person being linked too; and whether people are known.

    They are not where neither pairs nor names say who is in a picture.
    """
    links, named = list(pairs), 0
    for name in dict.fromkeys(name for pair in pairs for name in pair if name):
        if who := known_identity(name):
            links.append((f"/{who}", name))
            named += 1
    return people_in(links)[: len(pairs)], bool(named) or any(source for source, _ in pairs)


def people_in(pairs: list[tuple[str, str]]) -> np.ndarray:
    """Who is in each pair, (n,) integers: pictures that pairs link, however far, are of one person."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for source, target in pairs:
        parent[root(source or target)] = root(target)
    return np.unique([root(target) for _, target in pairs], return_inverse=True)[1]
