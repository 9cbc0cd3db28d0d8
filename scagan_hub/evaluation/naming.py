"""Which generated picture is of which pair, as the files' names say: one meaning a name, or a refusal.

    X              the picture of the reference X; with a table of pairs, of the pair whose source, or target, is X
    FROM___TO      of the pair FROM, TO
    ..._vis        a mosaic as the PATN family's releases write them: panels side by side, the generated picture last

Names are compared without suffixes, and without the `fashion` that DeepFashion's tables put in front.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ..data.annotations import read_pairs
from ..data.layouts import key

SEPARATOR, MOSAIC = "___", "_vis"
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
NAMED_BY = ("source", "target")


class Match(NamedTuple):
    """A generated picture and what it should look like.

    Args:
        source: name of the pair's source; empty where it is not known.
        generated, reference: files.
        mosaic: whether `generated` is the last of panels side by side.
    """

    source: str
    generated: Path
    reference: Path
    mosaic: bool


class Matches(NamedTuple):
    """All pairs of two folders that have a generated picture.

    Args:
        files: of each pair.
        expected: how many pairs there should be.
        notes: how names were read, and what was passed over, for people.
    """

    files: list[Match]
    expected: int
    notes: list[str]


class _Reading(NamedTuple):
    source: str
    target: str
    file: Path
    mosaic: bool


def match(generated: Path, reference: Path, pairs: Path | None, named_by: str | None, partial: bool) -> Matches:
    """Matches the pictures of two folders; arguments as of `sources.PictureFolders`.

    Raises:
        ValueError: no such folder, names that mean two things or nothing, two pictures of one pair, or, unless
            `partial`, a pair without a picture.
    """
    if named_by is not None and (pairs is None or named_by not in NAMED_BY):
        raise ValueError(
            f"named_by: expected {' or '.join(NAMED_BY)}, together with a table of pairs, got {named_by!r}"
        )
    made, truth = pictures_in(generated, "--generated"), pictures_in(reference, "--reference")
    truth = _claimed(((plain(path.stem), path) for path in truth), reference)
    found = _by_table(pairs, made, truth, named_by) if pairs else _by_names(generated, made, reference, truth)
    if found.expected > len(found.files) and not partial:
        raise ValueError(_incomplete(found, generated, reference, pairs, len(made), len(truth)))
    return found


def pictures_in(folder: Path, option: str) -> list[Path]:
    """Picture files of a folder, no two of one name.

    Raises:
        ValueError: no such folder, no picture in it, or two of one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{option}: no such folder: {folder}")
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    if not found:
        raise ValueError(f"{option}: there is no picture in {folder}")
    _claimed(((path.stem, path) for path in found), folder)
    return found


def plain(name: str) -> str:
    """What names of one picture have in common."""
    return key(f"{without_suffix(name)}.") if name else ""


def without_suffix(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in SUFFIXES else name


def _claimed(named, folder: Path) -> dict:
    """A dictionary of (name, file), refused where two files have one name: a picture is never counted twice."""
    found: dict = {}
    for name, path in named:
        if name in found:
            raise ValueError(
                f"{folder}: {found[name].name} and {path.name} are two pictures of one name; keep the one that is meant"
            )
        found[name] = path
    return found


def _readings(path: Path) -> list[_Reading]:
    """All that a file's name may mean, (source, target) without suffixes; source is empty where the name is one."""
    bodies = [(path.stem, False)]
    if path.stem.endswith(MOSAIC):
        bodies.append((path.stem.removesuffix(MOSAIC), True))
    found = []
    for body, mosaic in bodies:
        parts = body.split(SEPARATOR)
        cuts = [(SEPARATOR.join(parts[:i]), SEPARATOR.join(parts[i:])) for i in range(len(parts))]
        found += [_Reading(plain(source), plain(target), path, mosaic) for source, target in cuts if target]
    return found


def _by_names(generated: Path, made: list[Path], reference: Path, truth: dict[str, Path]) -> Matches:
    """Without a table: every picture has one reading that names a reference."""
    chosen, lonely = [], []
    for path in made:
        allowed = [reading for reading in _readings(path) if reading.target in truth]
        if len(allowed) > 1:
            meanings = " or ".join(_meaning(reading) for reading in allowed)
            raise ValueError(f"{generated}: {path.name} allows two readings, {meanings}: rename it, or give --pairs")
        (chosen if allowed else lonely).extend(allowed or [path])
    if lonely:
        raise ValueError(
            f"{generated}: {len(lonely)} of {len(made)} pictures have no reference of their name in {reference}, "
            f"such as {lonely[0].name}; name them as their references, or FROM{SEPARATOR}TO, or give --pairs"
        )
    if len({bool(reading.source) for reading in chosen}) > 1:
        one, other = (next(r.file.name for r in chosen if bool(r.source) is which) for which in (False, True))
        raise ValueError(
            f"{generated}: {one} is named by its reference, {other} by its pair; name all pictures in one of these ways"
        )
    _claimed((((r.source, r.target), r.file) for r in chosen), generated)
    files = [Match(r.source, r.file, truth[r.target], r.mosaic) for r in chosen]
    unseen = len(truth) - len({r.target for r in chosen})
    return Matches(files, len(files) + unseen, [])


def _meaning(reading: _Reading) -> str:
    whole = f"of the pair {reading.source}, {reading.target}" if reading.source else f"of {reading.target}"
    return f"a mosaic {whole}" if reading.mosaic else f"the picture {whole}"


def _by_table(pairs: Path, made: list[Path], truth: dict[str, Path], named_by: str | None) -> Matches:
    """By a table of pairs: all pictures are named FROM___TO, or all by their source, or all by their target."""
    rows = read_pairs(Path(pairs))
    if not rows:
        raise ValueError(f"{pairs}: names no pair")
    wanted = {(plain(source), plain(target)): (source, target) for source, target in rows}
    notes = [f"{len(rows) - len(wanted):,} lines of the pairs repeat others and count once"] * (len(rows) > len(wanted))
    for (_, target), (source, named) in wanted.items():
        if target not in truth:
            raise ValueError(f"{pairs}: the pair {source}, {named} has no reference {named}")
    readings = [reading for path in made for reading in _readings(path)]
    own = [reading for reading in readings if (reading.source, reading.target) in wanted]
    if own:
        if ambiguous := [one.file.name for one, other in pairwise(own) if one.file == other.file]:
            raise ValueError(f"{pairs}: the name {ambiguous[0]} may be of two of its pairs; rename that picture")
        found = {(r.source, r.target): r for r in own}
        _claimed((((r.source, r.target), r.file) for r in own), made[0].parent)
    else:
        by, found = _by_one_name(pairs, readings, wanted, named_by, made[0].parent)
        notes.append(f"pictures are named by the {by} of their pair")
    files = [Match(wanted[names][0], r.file, truth[names[1]], r.mosaic) for names in wanted if (r := found.get(names))]
    if spare := len(made) - len(files):
        notes.append(f"{spare:,} generated pictures are of no pair and were passed over")
    return Matches(files, len(wanted), notes)


def _by_one_name(pairs, readings: list[_Reading], wanted: dict, named_by: str | None, folder: Path) -> tuple[str, dict]:
    """Which of source and target the pictures are named by, and the reading of each pair."""
    single = [reading for reading in readings if not reading.source]
    options = {}
    for side, by in enumerate(NAMED_BY):
        counts = Counter(names[side] for names in wanted)
        useful = [reading for reading in single if reading.target in counts]
        twice = sorted({reading.target for reading in useful if counts[reading.target] > 1})
        if useful and not twice and named_by in (None, by):
            by_name = {reading.target: reading for reading in useful}
            options[by] = {names: by_name[names[side]] for names in wanted if names[side] in by_name}, useful
        elif twice and named_by == by:
            raise ValueError(
                f"{pairs}: {twice[0]} is the {by} of {counts[twice[0]]} pairs, which cannot all be named by it; "
                f"name them FROM{SEPARATOR}TO"
            )
    full = [by for by, (found, _) in options.items() if len(found) == len(wanted)] or list(options)
    if len(full) > 1:
        raise ValueError(
            f"{pairs}: the names of the pictures allow two readings: {single[0].file.name} and the others "
            f"may be named by the source of their pair, or by its target; name them FROM{SEPARATOR}TO, or say "
            "--named-by source or --named-by target"
        )
    if not full:
        source, target = next(iter(wanted.values()))
        raise ValueError(
            f"{pairs}: the pair {source}, {target} has no generated picture {plain(source)}{SEPARATOR}{plain(target)} "
            f"in {folder}, nor do others have one; name pictures FROM{SEPARATOR}TO, or by a source or target that no "
            "other pair has"
        )
    found, useful = options[full[0]]
    _claimed(((reading.target, reading.file) for reading in useful), folder)
    return full[0], found


def _incomplete(found: Matches, generated, reference, pairs, made: int, truth: int) -> str:
    of = f"{len(found.files):,} of {found.expected:,} pairs"
    advice = "give them all, or --partial for a report on these"
    if pairs is None:
        if any(one.source for one in found.files):
            return f"{generated}: pictures of {of}: {reference} has references without one; {advice}, or --pairs"
        return f"unequal counts: {made} pictures in {generated}, {truth} in {reference}: {of}; {advice}, or --pairs"
    there = {(plain(one.source), plain(one.reference.stem)) for one in found.files}
    source, target = next(names for names in read_pairs(Path(pairs)) if (plain(names[0]), plain(names[1])) not in there)
    return f"{pairs}: the pair {source}, {target} has no generated picture in {generated}, which has {of}; {advice}"
