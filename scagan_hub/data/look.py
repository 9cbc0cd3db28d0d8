"""What can be said of one picture of a data set, and of the parsing map beside it, by decoding both once."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..images.opening import as_rgb
from .images import BadImage, read_image, read_parsing

NEAR = 3  # pixels that a joint may be off the person
PLAIN = 8  # levels between the darkest and the lightest pixel of a picture that shows nothing


class Looked(NamedTuple):
    """What was seen in a file.

    Args:
        size: (height, width); None: it cannot be read.
        fault: why not.
        digest: of the pixels, whatever the file's format.
        blank: whether it shows nothing: one colour, or nobody in a parsing map.
    """

    size: tuple[int, int] | None = None
    fault: str = ""
    digest: bytes = b""
    blank: bool = False


class Both(NamedTuple):
    """A picture and its parsing map, each None where there is none.

    Args:
        fit: how much steeper the picture is along the map's outline than elsewhere, 1: alike; None: not known.
        hit: share of the pose's joints that are on the map's person; None: not known.
    """

    picture: Looked | None
    parsing: Looked | None
    fit: float | None = None
    hit: float | None = None


def look(job: tuple[Path | None, Path | None, np.ndarray | None]) -> Both:
    """What a picture and its parsing map, files of any content, show, and how they and a pose (18,3) fit."""
    picture, parsing, pose = job
    pixels, seen = _picture(picture) if picture else (None, None)
    classes, mapped = _parsing(parsing) if parsing else (None, None)
    if pixels is None or classes is None or pixels.shape[:2] != classes.shape:
        return Both(seen, mapped)
    return Both(seen, mapped, outline_fit(pixels, classes > 0), joints_on(classes > 0, pose))


def _picture(path: Path) -> tuple[np.ndarray | None, Looked]:
    try:
        pixels = np.asarray(as_rgb(read_image(path)))
    except BadImage as error:
        return None, Looked(fault=str(error).removeprefix(f"{path}: "))
    spread = np.ptp(pixels.reshape(-1, 3), axis=0).max()
    digest = hashlib.blake2b(str(pixels.shape).encode() + pixels.tobytes(), digest_size=16).digest()
    return pixels, Looked(pixels.shape[:2], digest=digest, blank=bool(spread <= PLAIN))


def _parsing(path: Path) -> tuple[np.ndarray | None, Looked]:
    try:
        classes = read_parsing(path)
    except BadImage as error:
        return None, Looked(fault=str(error).removeprefix(f"{path}: "))
    return classes, Looked(classes.shape, blank=not classes.any())


def joints_on(person: np.ndarray, pose: np.ndarray | None) -> float | None:
    """Share of the joints of a pose (18,3) that have the person of a mask (H,W) within a few pixels."""
    if pose is None or not (pose[:, 2] > 0).any():
        return None
    x, y = np.rint(pose[pose[:, 2] > 0, :2]).astype(int).T
    near = [
        person[max(0, v - NEAR) : v + NEAR + 1, max(0, u - NEAR) : u + NEAR + 1].any()
        for u, v in zip(x, y, strict=True)
    ]
    return float(np.mean(near))


def outline_fit(pixels: np.ndarray, person: np.ndarray) -> float | None:
    """Mean of the picture's gradient along the outline of a mask, over its mean everywhere; None without an outline.

    Args:
        pixels: uint8 (H,W,3).
        person: bool (H,W).
    """
    grey = pixels.astype(np.float32).mean(2)
    steep = np.abs(np.diff(grey, axis=1))[:-1] + np.abs(np.diff(grey, axis=0))[:, :-1]  # (H-1,W-1)
    for axis in (0, 1):  # the largest of 3 x 3: an outline is a pixel off here and there
        ends = np.pad(steep, [(1, 1) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        steep = np.maximum.reduce([np.take(ends, np.arange(k, k + steep.shape[axis]), axis) for k in range(3)])
    outline = (person[:-1, 1:] != person[:-1, :-1]) | (person[1:, :-1] != person[:-1, :-1])
    everywhere = steep.mean()
    return float(steep[outline].mean() / everywhere) if outline.any() and everywhere > 0 else None
