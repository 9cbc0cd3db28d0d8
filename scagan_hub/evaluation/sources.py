"""Where pictures to evaluate come from: a folder of anyone's outputs, or a method that makes them of a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..data.annotations import read_pairs
from ..data.images import read_image, read_parsing
from ..data.layouts import key, map_name
from .regions import regions_of

SEPARATOR, MOSAIC = "___", "_vis"  # of the PATN family's file names: FROM___TO_vis.png, panels side by side
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


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
        size: (height, width) of the pictures.
        masked, posed, in_regions: whether batches have masks, poses, regions.
        identity: strings that change whenever the pictures do; an interrupted evaluation resumes only if they didn't.
    """

    method: str
    data: str
    pairs: list[tuple[str, str]]
    people: np.ndarray
    size: tuple[int, int]
    masked: bool
    posed: bool
    in_regions: bool
    identity: Iterable[str]

    def batch(self, positions: np.ndarray) -> Batch: ...


class PictureFolders:
    """Pictures in one folder against their references in another.

    A generated picture is named as its reference (whatever the suffix), or FROM___TO, TO being its reference. With
    pairs it is FROM___TO, or FROM where there is no such file. A file FROM___TO_vis is a mosaic as the family's
    releases write them: panels of the reference's width side by side, the generated picture being the last (of eight
    in SCA-GAN's, of five in PATN's).

    Args:
        generated, reference: folders.
        pairs: CSV of the columns from, to; None: as the files' names say.
        masks: folder of parsing maps (PNG, 0 = background) named as the references.
        method: the row's name in a table; None: the folder's name.
    Raises:
        ValueError: no such folder, unequal counts, or a picture without its partner.
    """

    posed = in_regions = False

    def __init__(self, generated: Path, reference: Path, pairs: Path | None = None, masks=None, method=None):
        made, truth = _pictures_in(generated, "--generated"), _pictures_in(reference, "--reference")
        self.files = _named(pairs, made, truth) if pairs else _matched(made, truth, generated, reference)
        self.pairs = [(source, target.name) for source, _, target in self.files]
        self.people = people_in([(_without_suffix(source), target.stem) for source, _, target in self.files])
        self.masks, self.masked = masks, masks is not None
        self.method = method or Path(generated).resolve().name
        self.data = f"the folder {Path(reference).resolve().name}"
        self.size = read_image(self.files[0][2]).size[::-1]
        self._decoders = ThreadPoolExecutor(min(8, os.cpu_count() or 1))

    @property
    def identity(self):
        for _, made, truth in self.files:
            for path in (made, truth):
                stat = path.stat()
                yield f"{path.name} {stat.st_size} {stat.st_mtime_ns}"
        yield str(self.masks)

    def batch(self, positions: np.ndarray) -> Batch:
        """
        Raises:
            ValueError: a picture cannot be read, or has another size.
        """
        _, made, truth = zip(*(self.files[i] for i in positions), strict=True)
        reference = np.stack(list(self._decoders.map(self._reference, truth)))
        generated = np.stack(list(self._decoders.map(self._generated, made)))
        mask = np.stack([self._mask(path) for path in truth]) if self.masked else None
        return Batch(positions, generated, reference, mask)

    def _reference(self, path: Path) -> np.ndarray:
        return np.asarray(read_image(path, self.size).convert("RGB"))

    def _generated(self, path: Path) -> np.ndarray:
        if not path.stem.endswith(MOSAIC):
            return self._reference(path)
        height, width = self.size
        mosaic = read_image(path).convert("RGB")
        if mosaic.height != height or mosaic.width % width:
            raise ValueError(
                f"{path}: expected a mosaic of panels of {width} x {height} pixels, as the references are, got "
                f"{mosaic.width} x {mosaic.height}"
            )
        return np.asarray(mosaic)[:, -width:]

    def _mask(self, path: Path) -> np.ndarray:
        return read_parsing(Path(self.masks) / map_name(path.name), self.size) > 0


Method = Callable[["DataSetPairs", list[int]], np.ndarray]


class DataSetPairs:
    """What a method makes of a data set's pairs, against their targets.

    Args:
        data: `PosePairs` with parsing maps where person-only figures are wanted, with places where figures by region.
        make: called with this object and indices of pairs; returns uint8 (n,H,W,3).
        method: the row's name in a table.
        described: what the pairs are of, for people.
        indices: which pairs; None: all.
        identity: strings that change whenever the method's pictures do.
    """

    def __init__(self, data, make: Method, method: str, described: str, indices=None, identity: Iterable[str] = ()):
        self.dataset, self.make, self.method, self.data = data, make, method, described
        self.indices = np.arange(len(data)) if indices is None else np.asarray(indices)
        self.pairs, self.people = [data.pairs[i] for i in self.indices], people_in(data.pairs)[self.indices]
        self.size, self.masked, self.posed, self.in_regions = data.image_size, data.parsing, True, data.places
        self.identity = [str(data.root.resolve()), *map(str, self.indices), *identity]

    def batch(self, positions: np.ndarray) -> Batch:
        indices = [int(i) for i in self.indices[positions]]
        targets = [self.dataset.pairs[i][1] for i in indices]
        reference = np.stack([picture(self.dataset, name) for name in targets])
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


def _pictures_in(folder: Path, option: str) -> dict[str, Path]:
    """Picture files by name without suffix."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{option}: no such folder: {folder}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(f"{folder}: {found[path.stem].name} and {path.name} are two pictures of one name")
        found[path.stem] = path
    if not found:
        raise ValueError(f"{option}: there is no picture in {folder}")
    return found


def _pair_names(stem: str) -> tuple[str, str]:
    """ "FROM___TO_vis" -> (FROM, TO), each without suffix; any other name -> ("", the name)."""
    source, _, target = stem.removesuffix(MOSAIC).rpartition(SEPARATOR)
    return tuple(_without_suffix(name) for name in (source, target))


def _without_suffix(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in SUFFIXES else name


def _matched(made: dict, truth: dict, generated: Path, reference: Path) -> list[tuple[str, Path, Path]]:
    """(from, generated, reference) by the names of the files."""
    named = {stem: _pair_names(stem) for stem in made}
    in_pairs = any(source for source, _ in named.values())
    if not in_pairs and len(made) != len(truth):
        raise ValueError(
            f"unequal counts: {len(made)} pictures in {generated}, {len(truth)} in {reference}; give folders of the "
            "same pictures, or --pairs"
        )
    if lonely := [made[stem].name for stem, (_, target) in named.items() if target not in truth]:
        raise ValueError(
            f"{generated}: {len(lonely)} of {len(made)} pictures have no reference of their name in {reference}, "
            f"such as {lonely[0]}; name them as their references, or FROM{SEPARATOR}TO, or give --pairs"
        )
    return [(source, made[stem], truth[target]) for stem, (source, target) in named.items()]


def _named(pairs: Path, made: dict, truth: dict) -> list[tuple[str, Path, Path]]:
    """(from, generated, reference) by a table of pairs."""

    def plain(stem: str) -> str:  # `key` takes a suffix off
        return key(f"{stem}.") if stem else ""

    by_pair = {tuple(map(plain, _pair_names(stem))): path for stem, path in made.items()}
    truth = {plain(stem): path for stem, path in truth.items()}
    files = []
    for source, target in read_pairs(Path(pairs)):
        names = key(source), key(target)
        path = by_pair.get(names, by_pair.get(("", names[0])))
        if path is None or names[1] not in truth:
            what = f"generated picture {names[0]}{SEPARATOR}{names[1]}" if path is None else f"reference {target}"
            raise ValueError(f"{pairs}: the pair {source}, {target} has no {what}")
        files.append((source, path, truth[names[1]]))
    if not files:
        raise ValueError(f"{pairs}: names no pair")
    return files
