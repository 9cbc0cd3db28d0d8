"""What tables, names and pictures of a data set say against each other: faults that every single file is free of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .layouts import Split, known_identity, map_name, person
from .look import Both

NOBODY = {"-1", "0000"}  # what Market-1501 names pictures that show no person of its
FITTING = 3.0  # the median of `look.outline_fit` where maps fit their pictures
OTHER, SURELY = 0.5, 0.1  # of it, what a map of another picture has, if joints are off it too, and if not
MIDDLE = ((0.36, 0.64), (0.25, 0.75))  # where people stand in pictures, x and y of their middle, over half of them
ENOUGH = 3  # poses that say what a table was made for
NOSE, SHOULDERS, HIPS, EYES, EARS = 0, (2, 5), (8, 11), (14, 15), (16, 17)  # right, left


class Fault(NamedTuple):
    """One item that is wrong.

    Args:
        kind: missing, unreadable, wrong size, out of range, unpaired, in both splits, duplicate, self pair, two people,
            blank, other parsing, swapped, or other frame.
        item: its name, such as `train/a.jpg`.
        what: what is the matter with it.
    """

    kind: str
    item: str
    what: str

    def __str__(self) -> str:
        return f"{self.item}: {self.kind}: {self.what}"


class Tables(NamedTuple):
    """The tables of one split, by the names of image files."""

    files: Split
    pairs: list[tuple[str, str]]
    paired: set[str]
    annotations: dict[str, np.ndarray]
    annotated: Counter[str]  # lines, readable or not
    listed: set[str]  # in {split}.lst
    faults: list[Fault]  # lines that cannot be read

    def item(self, name: str) -> str:
        return f"{self.files.name}/{name}"

    def parsing_item(self, name: str) -> str:
        return f"{self.files.parsings.name}/{map_name(name)}"


def bad_pairs(tables: Tables) -> Iterator[Fault]:
    """Pairs of a picture with itself, of two people, and lines that repeat others."""
    table, seen = tables.files.pairs.name, Counter(tables.pairs)
    sound = tables.annotations.keys() & tables.files.files
    judged = [pair for pair in seen if pair[0] != pair[1] and sound.issuperset(pair)]
    apart = [pair for pair in judged if person(pair[0]) != person(pair[1])]
    if 2 * len(apart) >= len(judged):  # then the names don't say who it is, but for those of a known naming
        apart = [pair for pair in apart if all(map(known_identity, pair))]
    for (source, target), times in seen.items():
        item = f"{table}: {source},{target}"
        if source == target:
            yield Fault("self pair", item, "a picture paired with itself")
        if times > 1:
            yield Fault("duplicate", item, f"{times} lines are of this pair")
    for source, target in apart:
        who = f"{person(source)} and {person(target)}"
        yield Fault("two people", f"{table}: {source},{target}", f"a pair of {who}, as the names say")


def bad_poses(tables: Tables, size: tuple[int, int]) -> Iterator[Fault]:
    """Lines of one picture, poses whose left and right are swapped, and a table that was made for another frame."""
    for name, times in tables.annotated.items():
        if times > 1:
            yield Fault("duplicate", tables.item(name), f"{times} lines of {tables.files.annotations.name} are of it")
    names = sorted(tables.annotations.keys() & tables.files.files)
    poses = np.array([tables.annotations[name] for name in names]).reshape(-1, 18, 3)
    for i in np.flatnonzero(swapped(poses)):
        yield Fault(
            "swapped", tables.item(names[i]), "left and right of its pose are swapped: it looks into the camera"
        )
    poses = poses[(poses[:, :, 2] > 0).any(1)]
    if len(poses) >= ENOUGH and (said := _other_frame(poses, size)):
        yield Fault("other frame", tables.files.annotations.name, said)


def swapped(poses: np.ndarray) -> np.ndarray:
    """Which of the poses (N,18,3) face the camera upright, and have right where left is: bool (N,).

    Somebody whose eyes and nose are seen has the right eye and, unless twisted, the right shoulder on the picture's
    left. Told are poses in which all pairs that are there say the contrary.
    """
    x, y, there = poses[..., 0], poses[..., 1], poses[..., 2] > 0
    found = there[:, [NOSE, *EYES, *SHOULDERS]].all(1)
    found &= y[:, EYES].max(1) < y[:, SHOULDERS].min(1)
    nose = x[:, NOSE]
    for right, left in (EYES, EARS):
        both = there[:, right] & there[:, left]
        found &= ~both | ((x[:, left] < nose) & (nose < x[:, right]))
    for right, left in (SHOULDERS, HIPS):
        both = there[:, right] & there[:, left]
        found &= ~both | (x[:, left] < x[:, right])
    hips = np.where(there[:, HIPS], y[:, HIPS], np.inf).min(1)
    return found & (y[:, SHOULDERS].max(1) < hips)


def _other_frame(poses: np.ndarray, size: tuple[int, int]) -> str | None:
    """What pictures the poses (N,18,3) seem to be made for, if not those of (height, width)."""
    points = np.where(poses[:, :, 2:] > 0, poses[:, :, :2], np.nan)
    middle = np.median((np.nanmin(points, 1) + np.nanmax(points, 1)) / 2, 0) / size[::-1]
    if all(low <= value <= high for value, (low, high) in zip(middle, MIDDLE, strict=True)):
        return None
    width, height = (round(2 * value * side) for value, side in zip(middle, size[::-1], strict=True))
    return (
        f"its poses are about x {middle[0]:.0%}, y {middle[1]:.0%} of {size[1]} x {size[0]} pixels: were they made for "
        f"pictures of about {width} x {height}?"
    )


def bad_pictures(tables: Tables, looked: dict[str, Both], size: tuple[int, int] | None) -> Iterator[Fault]:
    """Pictures that show nothing or another's content, and parsing maps that are of another picture."""
    same = defaultdict(list)
    for name in sorted(tables.paired & looked.keys()):
        picture, parsing = looked[name].picture, looked[name].parsing
        if picture and picture.digest and picture.size == size:
            same[picture.digest].append(name)
            if picture.blank:
                yield Fault("blank", tables.item(name), "it shows nothing but one colour")
        if parsing and parsing.blank:
            yield Fault("blank", tables.parsing_item(name), "it shows nobody")
    for first, *others in same.values():
        if not looked[first].picture.blank:
            for name in others:
                yield Fault("duplicate", tables.item(name), f"the same picture as {first}")
    yield from _other_maps(tables, looked)


def _other_maps(tables: Tables, looked: dict[str, Both]) -> Iterator[Fault]:
    """Parsing maps whose outline is not their picture's, where most maps' is."""
    fits = {name: both.fit for name, both in looked.items() if both.fit is not None and not both.picture.blank}
    usual = float(np.median(list(fits.values()))) if fits else 0.0
    for name, fit in sorted(fits.items()) if usual >= FITTING else ():
        hit = looked[name].hit
        if fit < (OTHER if hit is not None and hit < 1 else SURELY) * usual:
            said = f"of another picture, it seems: its outline fits {fit / usual:.0%} as well as others fit theirs"
            yield Fault("other parsing", tables.parsing_item(name), said)


def in_both(found: list[Tables], looked: list[dict[str, Both]]) -> Iterator[Fault]:
    """People of `train` whom another split has too, as their names say; else pictures that it has too."""
    splits = {tables.files.name: (tables, seen) for tables, seen in zip(found, looked, strict=True)}
    if "train" not in splits:
        return
    tables, seen = splits.pop("train")
    trained = Counter(person(name) for name in tables.paired)
    contents = {both.picture.digest: name for name, both in seen.items() if both.picture and both.picture.digest}
    for split, (others, other_seen) in splits.items():
        held_out = Counter(person(name) for name in others.paired)
        twice = (trained.keys() & held_out.keys()) - NOBODY
        for who in sorted(twice):
            where = f"{trained[who]} images of train and {held_out[who]} images of {split}"
            yield Fault("in both splits", who, f"one identity in {where}")
        for name in sorted(others.files.files & other_seen.keys()):
            picture = other_seen[name].picture
            known = contents.get(picture.digest) if picture and picture.digest and not picture.blank else None
            if known and person(name) not in twice:
                yield Fault("in both splits", others.item(name), f"the same picture as train/{known}")
