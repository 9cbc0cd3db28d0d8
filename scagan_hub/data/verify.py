"""What is wrong with a data set's folder: every item of it, in one pass over tables and images."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..files.processes import workers
from .annotations import pose_faults, read_annotations, read_pairs
from .images import BadImage, read_image, read_parsing
from .layouts import Split, correspondences_name, identity, map_name, splits, view_number
from .places import correspondences_fault

FEW = 200  # images that are decoded before worker processes have started


class Fault(NamedTuple):
    """One item that is wrong.

    Args:
        kind: missing, unreadable, wrong size, out of range, unpaired, or in both splits.
        item: its name, such as `train/a.jpg`.
        what: what is the matter with it.
    """

    kind: str
    item: str
    what: str

    def __str__(self) -> str:
        return f"{self.item}: {self.kind}: {self.what}"


class Report(NamedTuple):
    """What `verify` found.

    Args:
        faults: all that is wrong.
        unused: images that no pair names, where the layout's pairs are a selection: nothing wrong.
        looked_at: how many images and pairs there are, by split.
    """

    faults: list[Fault]
    unused: list[Fault]
    looked_at: dict[str, tuple[int, int]]

    def counts(self) -> str:
        """How many items of which kind are wrong."""
        kinds = Counter(fault.kind for fault in self.faults)
        return ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())


class _Tables(NamedTuple):
    """The tables of one split, by the names of image files."""

    files: Split
    pairs: list[tuple[str, str]]
    paired: set[str]
    annotations: dict[str, np.ndarray]
    listed: set[str]  # in {split}.lst
    faults: list[Fault]  # lines that cannot be read

    def item(self, name: str) -> str:
        return f"{self.files.name}/{name}"


def verify(root: str | Path, image_size: tuple[int, int] | None = None, processes: int | None = None) -> Report:
    """Looks at every table, image, parsing map and file of correspondences of every split of a data set.

    `train` or `test` may be absent.

    Args:
        root: the data set's folder.
        image_size: (height, width) that all images must have; None: what the layout says, else what most have.
        processes: how many decode; None: one a core.
    Raises:
        ValueError: there is no data set: no folder, or no split has a table of pairs.
    """
    report, found, absent = Report([], [], {}), [], []
    for name in splits(root):
        try:
            found.append(_read_tables(Split(root, name)))
        except ValueError as error:
            absent.append(Fault("missing", name, str(error)))
    if not found:
        raise ValueError(absent[0].what)
    report.faults.extend(split for split in absent if any(Path(root).glob(f"*{split.item}*")))
    looked = [_look_at(tables.files, processes) for tables in found]
    size = image_size or found[0].files.layout.image_size or _most(looked)
    for tables, images in zip(found, looked, strict=True):
        (report.unused if tables.files.layout.selected else report.faults).extend(_unpaired(tables))
        report.faults.extend([*tables.faults, *_missing(tables), *_damaged(images, size)])
        if size is not None:
            report.faults.extend([*_misplaced(tables, size), *_unlike(tables, size)])
        report.looked_at[tables.files.name] = (len(tables.files.files), len(tables.pairs))
    report.faults.extend(_in_both(found))
    return report


def _read_tables(files: Split) -> _Tables:
    faults = []

    def note(item: str, what: str) -> None:
        faults.append(Fault("unreadable", item, what))

    def read(reader, path: Path, nothing):
        try:
            return reader(path)
        except ValueError as error:
            note(path.name, str(error))
            return nothing

    pairs = read(read_pairs, files.pairs, [])
    reader = partial(read_annotations, on_fault=lambda name, what: note(f"{files.name}/{name}", what))
    annotations = read(reader, files.annotations, {})
    listed = files.list.read_text(encoding="utf-8", errors="replace").split() if files.list.is_file() else []
    names = files.resolve({name for pair in pairs for name in pair} | annotations.keys() | set(listed))
    pairs = [(names[source], names[target]) for source, target in pairs]
    return _Tables(
        files,
        pairs,
        {name for pair in pairs for name in pair},
        {names[name]: keypoints for name, keypoints in annotations.items()},
        {names[name] for name in listed},
        faults,
    )


def _missing(tables: _Tables) -> Iterator[Fault]:
    naming = {"paired": tables.paired, "annotated": tables.annotations.keys(), "listed": tables.listed}
    for name in sorted(set().union(*naming.values()) - tables.files.files):
        how = " and ".join(word for word, names in naming.items() if name in names)
        yield Fault("missing", tables.item(name), f"{how}, but there is no image")
    for name in sorted(tables.paired - tables.annotations.keys()):
        yield Fault("missing", tables.item(name), "paired, but not annotated")
    if tables.files.parsings.is_dir():
        maps = tables.files.parsing_maps()
        for name in sorted(name for name in tables.paired if map_name(name) not in maps):
            yield Fault("missing", tables.item(name), "paired, but without a parsing map")
    if not tables.pairs:
        yield Fault("missing", tables.files.name, "no pairs")


def _unpaired(tables: _Tables) -> Iterator[Fault]:
    for name in sorted(tables.files.files - tables.paired):
        yield Fault("unpaired", tables.item(name), "no pair names it")


def _damaged(images: dict[Path, tuple[int, int] | str], size: tuple[int, int] | None) -> Iterator[Fault]:
    """Images and parsing maps that cannot be read, or are not of the size (height, width)."""
    for path, found in images.items():
        item = f"{path.parent.name}/{path.name}"
        if isinstance(found, str):
            yield Fault("unreadable", item, found)
        elif found != size:
            yield Fault("wrong size", item, f"expected {size[1]} x {size[0]} pixels, got {found[1]} x {found[0]}")


def _misplaced(tables: _Tables, size: tuple[int, int]) -> Iterator[Fault]:
    """Poses with a joint outside an image of (height, width), and paired ones without any joint."""
    names = sorted(tables.annotations.keys() & tables.files.files)
    keypoints = np.array([tables.annotations[name] for name in names]).reshape(-1, 18, 3)
    for i, what in pose_faults(keypoints, size).items():
        if keypoints[i].any():
            yield Fault("out of range", tables.item(names[i]), what)
        elif names[i] in tables.paired:
            yield Fault("missing", tables.item(names[i]), what)


def _unlike(tables: _Tables, size: tuple[int, int]) -> Iterator[Fault]:
    """People whose correspondences are missing, damaged, or not of their pictures of (height, width)."""
    folder, views = tables.files.correspondences, Counter()
    if not folder.is_dir():
        return
    for name in sorted(tables.paired | tables.annotations.keys()):
        if (view := view_number(name)) is None:
            yield Fault("missing", tables.item(name), "its name has no number of a view at its end, as a_0.webp has")
        else:
            views[correspondences_name(name)] = max(views[correspondences_name(name)], view + 1)
    there = tables.files.correspondences_files()
    for file in sorted(views.keys() | there):
        item = f"{folder.name}/{file}"
        if file not in there:
            yield Fault("missing", item, "the person is paired, but without correspondences")
        elif file not in views:
            yield Fault("unpaired", item, "no pair is of this person")
        elif fault := correspondences_fault(folder / file, views[file], size):
            yield Fault("unreadable", item, fault)


def _most(looked: list[dict]) -> tuple[int, int] | None:
    """The size that most images have, if any can be read."""
    sizes = Counter(found for images in looked for found in images.values() if not isinstance(found, str))
    return max(sizes, key=sizes.get, default=None)


def _look_at(files: Split, processes: int | None) -> dict[Path, tuple[int, int] | str]:
    """(height, width) of every image and parsing map, or what is wrong with it."""
    paths = [files.images / name for name in sorted(files.files)]
    paths += [files.parsings / name for name in sorted(files.parsing_maps())]
    look = partial(_size_or_fault, parsings=files.parsings)
    if len(paths) <= FEW or processes == 1:
        return dict(zip(paths, map(look, paths), strict=True))
    with workers(processes) as pool:
        found = tqdm(pool.map(look, paths, chunksize=64), files.name, len(paths), unit="image", disable=None)
        return dict(zip(paths, found, strict=True))


def _size_or_fault(path: Path, parsings: Path) -> tuple[int, int] | str:
    try:
        return read_parsing(path).shape if path.parent == parsings else read_image(path).size[::-1]
    except BadImage as error:
        return str(error).removeprefix(f"{path}: ")


def _in_both(found: list[_Tables]) -> Iterator[Fault]:
    """Identities of `train` that another split has too."""
    seen = {tables.files.name: Counter(identity(name) for name in tables.paired) for tables in found}
    trained = seen.pop("train", Counter())
    for split, held_out in seen.items():
        for who in sorted(trained.keys() & held_out.keys()):
            where = f"{trained[who]} images of train and {held_out[who]} images of {split}"
            yield Fault("in both splits", who, f"one identity in {where}")
