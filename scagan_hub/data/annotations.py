"""The tables of a data set: keypoints by image name, and pairs of image names."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..poses.skeleton import JOINTS

MISSING = -1


def read_annotations(path: Path, on_fault: Callable[[str, str], None] | None = None) -> dict[str, np.ndarray]:
    """Keypoints by image name: (18,3) float32 of x, y, confidence (0 or 1), in pixels.

    Args:
        on_fault: told the name and what is wrong with its line, which is then left out, instead of an error.
    Raises:
        ValueError: naming the file, and the column or the line that cannot be read.
    """
    names, values = [], []
    for line, (name, ys, xs) in read_table(path, ("name", "keypoints_y", "keypoints_x"), ":"):
        try:
            values.append((_joints(xs), _joints(ys)))
            names.append(name)
        except ValueError as error:
            what = f"{path}, line {line}: keypoints of {name!r} cannot be read: {error}"
            if on_fault is None:
                raise ValueError(what) from error
            on_fault(name, what)
    x, y = np.moveaxis(np.array(values, np.float32).reshape(-1, 2, 18), 1, 0)
    present = (x != MISSING) & (y != MISSING)
    return dict(zip(names, np.stack([x, y, present], axis=2) * present[:, :, None], strict=True))


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(source, target) image names.

    Raises:
        ValueError: as `read_annotations`.
    """
    return [(source, target) for _, (source, target) in read_table(path, ("from", "to"), ",")]


def read_table(path: Path, columns: tuple[str, ...], delimiter: str) -> list[tuple[int, list[str]]]:
    """Line numbers and the cells of the columns asked for; other columns are passed over.

    Raises:
        ValueError: no such file, not a text, a column is missing, or a line has another number of cells.
    """
    if not path.is_file():
        raise ValueError(f"no file {path}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            header, *content = [(rows.line_num, row) for row in rows if row] or [(1, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a table in UTF-8: {error}") from error
    header = [name.strip() for name in header[1]]
    if missing := [name for name in columns if name not in header]:
        raise ValueError(f"{path}: no column {missing[0]!r}: expected the columns {list(columns)}, got {header}")
    for line, row in content:
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: expected {len(header)} columns, got {len(row)}")
    chosen = [header.index(name) for name in columns]
    return [(line, [row[i].strip() for i in chosen]) for line, row in content]


def pose_faults(keypoints: np.ndarray, image_size: tuple[int, int]) -> dict[int, str]:
    """What is wrong with which of the poses (N,18,3) in images of (height, width): a joint outside, or none at all."""
    height, width = image_size
    x, y, present = np.moveaxis(keypoints, -1, 0)
    outside = (present > 0) & ((x < 0) | (y < 0) | (x > width - 1) | (y > height - 1))
    faults = {int(i): "every joint is missing" for i in np.flatnonzero(~present.any(axis=1))}
    for i, joint in zip(*np.nonzero(outside), strict=True):
        faults[int(i)] = (
            f"{JOINTS[joint]} outside the image, at x {x[i, joint]:g}, y {y[i, joint]:g}; "
            f"expected 0 to {width - 1} and 0 to {height - 1}, or {MISSING} where it is missing"
        )
    return faults


def _joints(text: str) -> list[float]:
    values = _json.decode(text)
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float}:
        raise ValueError(f"expected a list of numbers, got {text[:40]}")
    if len(values) != 18:
        raise ValueError(f"expected 18 joints, got {len(values)}")
    return values


def _refuse(constant: str):
    raise ValueError(f"expected numbers, got {constant}")


_json = json.JSONDecoder(parse_constant=_refuse)
