"""What is wrong with a data set's folder: every item of it, in one pass over tables and images."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..files.processes import workers
from .annotations import pose_faults, read_annotations, read_pairs, read_table
from .judge import Fault, Tables, bad_pairs, bad_pictures, bad_poses, in_both
from .layouts import Split, correspondences_name, map_name, splits, view_number
from .look import Both, look
from .places import correspondences_fault

FEW = 200  # images that are decoded before worker processes have started


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
    looked = [_look_at(tables, processes) for tables in found]
    size = image_size or found[0].files.layout.image_size or _most(looked)
    for tables, images in zip(found, looked, strict=True):
        (report.unused if tables.files.layout.selected else report.faults).extend(_unpaired(tables))
        report.faults.extend([*tables.faults, *_missing(tables), *_damaged(tables.files, images, size)])
        report.faults.extend([*bad_pairs(tables), *bad_pictures(tables, images, size)])
        if size is not None:
            report.faults.extend([*_misplaced(tables, size), *bad_poses(tables, size), *_unlike(tables, size)])
        report.looked_at[tables.files.name] = (len(tables.files.files), len(tables.pairs))
    report.faults.extend(in_both(found, looked))
    return report


def _read_tables(files: Split) -> Tables:
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
    lines = [row[0] for _, row in read_table(files.annotations, ("name",), ":")] if annotations else []
    listed = files.list.read_text(encoding="utf-8", errors="replace").split() if files.list.is_file() else []
    names = files.resolve({name for pair in pairs for name in pair} | annotations.keys() | {*listed, *lines})
    pairs = [(names[source], names[target]) for source, target in pairs]
    return Tables(
        files,
        pairs,
        {name for pair in pairs for name in pair},
        {names[name]: keypoints for name, keypoints in annotations.items()},
        Counter(names[name] for name in lines),
        {names[name] for name in listed},
        faults,
    )


def _missing(tables: Tables) -> Iterator[Fault]:
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


def _unpaired(tables: Tables) -> Iterator[Fault]:
    for name in sorted(tables.files.files - tables.paired):
        yield Fault("unpaired", tables.item(name), "no pair names it")


def _damaged(files: Split, looked: dict[str, Both], size: tuple[int, int] | None) -> Iterator[Fault]:
    """Images and parsing maps that cannot be read, or are not of the size (height, width)."""
    for name, both in looked.items():
        for folder, file, seen in (
            (files.images, name, both.picture),
            (files.parsings, map_name(name), both.parsing),
        ):
            if seen and seen.size is None:
                yield Fault("unreadable", f"{folder.name}/{file}", seen.fault)
            elif seen and seen.size != size:
                (height, width), what = seen.size, f"expected {size[1]} x {size[0]} pixels, got"
                yield Fault("wrong size", f"{folder.name}/{file}", f"{what} {width} x {height}")


def _misplaced(tables: Tables, size: tuple[int, int]) -> Iterator[Fault]:
    """Poses with a joint outside an image of (height, width), and paired ones without any joint."""
    names = sorted(tables.annotations.keys() & tables.files.files)
    keypoints = np.array([tables.annotations[name] for name in names]).reshape(-1, 18, 3)
    for i, what in pose_faults(keypoints, size).items():
        if keypoints[i].any():
            yield Fault("out of range", tables.item(names[i]), what)
        elif names[i] in tables.paired:
            yield Fault("missing", tables.item(names[i]), what)


def _unlike(tables: Tables, size: tuple[int, int]) -> Iterator[Fault]:
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


def _most(looked: list[dict[str, Both]]) -> tuple[int, int] | None:
    """The size that most images have, if any can be read."""
    seen = [one for images in looked for both in images.values() for one in (both.picture, both.parsing) if one]
    sizes = Counter(one.size for one in seen if one.size)
    return max(sizes, key=sizes.get, default=None)


def _look_at(tables: Tables, processes: int | None) -> dict[str, Both]:
    """What every image and its parsing map show, by the image's name; of a map alone, by the map's name."""
    files, maps, jobs = tables.files, tables.files.parsing_maps(), {}
    for name in sorted(files.files):
        parsing = files.parsings / map_name(name) if map_name(name) in maps else None
        jobs[name] = (files.images / name, parsing, tables.annotations.get(name))
    for name in sorted(maps - {map_name(name) for name in files.files}):
        jobs[name] = (None, files.parsings / name, None)
    if len(jobs) <= FEW or processes == 1:
        return dict(zip(jobs, map(look, jobs.values()), strict=True))
    with workers(processes) as pool:
        found = tqdm(pool.map(look, jobs.values(), chunksize=64), files.name, len(jobs), unit="image", disable=None)
        return dict(zip(jobs, found, strict=True))
