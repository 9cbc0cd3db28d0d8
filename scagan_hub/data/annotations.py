"""The two tables of a data set: keypoints by image name, and pairs of image names."""

import csv
import json
from pathlib import Path

import numpy as np


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
