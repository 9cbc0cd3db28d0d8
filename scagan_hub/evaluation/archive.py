"""Anyone's pictures in a ZIP, re-scored by every protocol: the archive unpacked, and the reports in one."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .naming import SUFFIXES
from .report import not_available, remarks, title

MOST_FILES, MOST_BYTES = 200_000, 16 * 2**30  # of the pictures that are unpacked
REFERENCES = {
    "reference",
    "references",
    "truth",
    "gt",
    "ground_truth",
    "target",
    "targets",
}  # folders of what is wanted


class Unpacked(NamedTuple):
    """What an archive holds.

    Args:
        generated: folder of the pictures.
        reference: folder of what they should look like, if it has one.
        pairs: the one table in it, if it has one.
    """

    generated: Path
    reference: Path | None
    pairs: Path | None


@contextmanager
def unpacked(archive: str | Path) -> Iterator[Unpacked]:
    """Yields the folders of an archive's pictures, which are gone afterwards.

    The pictures lie in one folder of it, whatever its name, and those that they should look like, if they are in it, in
    another one, named as one of `REFERENCES`. Nothing but pictures and a table of pairs is unpacked.

    Raises:
        ValueError: no archive, a damaged or encrypted one, one that is too large, pictures in more folders, or two of
            one name.
    """
    archive = Path(archive)
    with tempfile.TemporaryDirectory(prefix="scagan-zip-") as temporary:
        try:
            with zipfile.ZipFile(archive) as opened:
                yielded = _unpack(opened, archive, Path(temporary))
        except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:  # of any damage
            said = " ".join(str(getattr(error, "strerror", None) or error).split())[:150]
            raise ValueError(f"{archive}: cannot be read as a ZIP: {said}; give one of pictures") from error
        yield yielded


def _unpack(opened: zipfile.ZipFile, archive: Path, folder: Path) -> Unpacked:
    wanted = [info for info in opened.infolist() if _wanted(info)]
    pictures = [info for info in wanted if PurePosixPath(info.filename).suffix.lower() in SUFFIXES]
    size = sum(info.file_size for info in wanted)
    if len(wanted) > MOST_FILES or size > MOST_BYTES:
        raise ValueError(
            f"{archive}: expected at most {MOST_FILES:,} files of {MOST_BYTES // 2**30} GiB, got {len(wanted):,}"
        )
    parents = {str(PurePosixPath(info.filename).parent) for info in pictures}
    truth = {parent for parent in parents if PurePosixPath(parent).name.lower() in REFERENCES}
    if len(parents - truth) != 1 or len(truth) > 1:
        raise ValueError(
            f"{archive}: expected pictures in one folder, and perhaps references in another named reference, got "
            f"pictures in {', '.join(sorted(parents)) or 'none'}"
        )
    places = {parent: folder / ("reference" if parent in truth else f"generated/{archive.stem}") for parent in parents}
    for place in places.values():
        place.mkdir(parents=True)
    tables = [info for info in wanted if info not in pictures]
    for info in wanted:
        path = PurePosixPath(info.filename)
        target = places[str(path.parent)] / path.name if info in pictures else folder / f"{path.name}.table"
        if target.exists():
            raise ValueError(f"{archive}: {path.name} is in it twice; keep the one that is meant")
        with opened.open(info) as source, target.open("xb") as file:  # no more than it says, or BadZipFile
            shutil.copyfileobj(source, file)
    (generated,) = parents - truth
    pairs = folder / f"{PurePosixPath(tables[0].filename).name}.table" if len(tables) == 1 else None
    return Unpacked(places[generated], places[truth.pop()] if truth else None, pairs)


def _wanted(info: zipfile.ZipInfo) -> bool:
    """Pictures and tables, but for what file systems leave there."""
    path = PurePosixPath(info.filename)
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in path.parts)
    return not info.is_dir() and not hidden and path.suffix.lower() in SUFFIXES | {".csv"}


def markdown(reports: dict[str, dict], refused: dict[str, str]) -> str:
    """One table of the reports by protocol, a column each with its intervals, and what must be known beside it."""
    first = next(iter(reports.values()))
    names = list(dict.fromkeys(name for report in reports.values() for name in report["metrics"]))
    names = [name for name in names if any(name not in not_available(one) for one in reports.values())]
    lines = [f"# {title(first)}", "", f"| | {' | '.join(reports)} |", f"|---|{'---|' * len(reports)}"]
    for name in names:
        cells = [_cell(report["metrics"].get(name, {})) for report in reports.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"{first['pairs']:,} pairs of {first['data']}. Figures of two columns are not to be compared.", ""]
    for protocol, report in reports.items():
        lines += [f"`{protocol}`: {report['protocol_means']}.", "", *(f"- {note}" for note in remarks(report)), ""]
    lines += [f"`{protocol}` was not measured: {why}" for protocol, why in refused.items()]
    return "\n".join(lines).rstrip() + "\n"


def _cell(figure: dict) -> str:
    if "value" not in figure:
        return "-"
    bounds = (
        f" [{float(figure['interval'][0]):.3f}, {float(figure['interval'][1]):.3f}]" if "interval" in figure else ""
    )
    return f"{float(figure['value']):.3f}{bounds}"
