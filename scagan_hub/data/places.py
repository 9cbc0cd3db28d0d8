"""Where the source of a pair shows what the target shows, pixel by pixel, read from the correspondences that
`scagan people --correspondences` writes (`scagan_hub/people/correspondences.py` has their format).

A target pixel's place is exact where the source shows it. Where something hides it there, but of the same class (a
sleeve behind a sleeve), its exact place is still the one to copy from; else that is the nearest pixel of its class.
"""

import zipfile
from pathlib import Path

import numpy as np

from .images import BadImage, check_ordinary

UNKNOWN, NOWHERE, HIDDEN, SHOWN = range(4)  # states: nothing known or nobody there; see `places_between`
STEPS = 16  # of stored places, a pixel
GRID = 3  # every which row and column is looked at for the nearest pixel of a class
CLOSE = 6  # pixels between the places of two neighbours that may lie on one surface
DAMAGE = (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile)  # what reading a damaged file raises


def places_between(
    path: Path, source: int, target: int, source_classes: np.ndarray, target_classes: np.ndarray, mirrored: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Places of a pair of pictures, for every second row and column of the target's person and all of hair and face.

    Mirrored, those columns would be every other second one; so their neighbours get the mean of the known places on
    both sides, or the one of the same class, then off by up to a pixel. Both columns are known then.

    Args:
        path: the person's correspondences.
        source, target: numbers of the views.
        source_classes, target_classes: (H,W) uint8 parsing maps, not mirrored.
        mirrored: whether both pictures will be.
    Returns:
        places (2,H,W) float32: x, y in the source, pixel centres at integers, 0 where the state is less than HIDDEN;
        state (H,W) uint8: UNKNOWN, NOWHERE (hidden, and the source has none of that class), HIDDEN (with a place to
        copy from), SHOWN.
    Raises:
        BadImage: the file is missing, damaged, or not of these pictures.
    """
    height, width = target_classes.shape
    pixels, known, shown = read_correspondences(path, source, target)
    wanted = target_classes.reshape(-1)[pixels[pixels < height * width]]
    if len(wanted) < len(pixels) or not wanted.all():
        raise BadImage(f"{path}: pixels{target} has pixels that are not on the person of view {target}'s parsing map")
    goals, kinds = _goals(known, shown, source_classes, wanted)
    places, state = np.zeros((2, height * width), np.float32), np.zeros(height * width, np.uint8)
    places[0, pixels], places[1, pixels], state[pixels] = goals[:, 0], goals[:, 1], kinds
    places, state = places.reshape(2, height, width), state.reshape(height, width)
    if mirrored:
        if width % 2 == 0:
            _fill_odd_columns(places, state, target_classes)
        places[0, state >= HIDDEN] = width - 1 - places[0, state >= HIDDEN]
        places, state = places[..., ::-1].copy(), state[:, ::-1].copy()
    return places, state


def read_correspondences(path: Path, source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of the target (P,), their places in the source (P,2) float32 in pixels, whether it shows them (P,) bool.

    Raises:
        BadImage: the file is missing, damaged, or has no such views.
    """
    try:
        check_ordinary(path)
        with np.load(path) as arrays:
            pixels, places, bits = arrays[f"pixels{target}"], arrays[f"places{target}"], arrays[f"shown{target}"]
        if fault := _shape_fault(pixels, places, bits):
            raise ValueError(f"{fault} for view {target}")
        places, shown = places[source], np.unpackbits(bits[source], count=len(pixels))
    except DAMAGE as error:
        raise BadImage(f"{path}: cannot be read: {_said(error)}") from error
    return pixels, places * np.float32(1 / STEPS), shown.view(bool)


def correspondences_fault(path: Path, views: int, image_size: tuple[int, int]) -> str | None:
    """What is wrong with a person's correspondences of so many views of (height, width), if anything is."""
    height, width = image_size
    expected = {f"{kind}{view}" for view in range(views) for kind in ("pixels", "places", "shown")}
    try:
        check_ordinary(path)
        with np.load(path) as arrays:
            if lacking := sorted(expected - set(arrays.files)):
                return f"no array {lacking[0]} for one of {views} views"
            for view in range(views):
                pixels, places, bits = (arrays[f"{kind}{view}"] for kind in ("pixels", "places", "shown"))
                if fault := _shape_fault(pixels, places, bits, views):
                    return f"{fault} for view {view}"
                if (np.diff(pixels.astype(np.int64)) <= 0).any():
                    return f"pixels{view} are not in rising order"
                if len(pixels) and pixels[-1] >= height * width:
                    return f"pixels{view} has pixels beyond {width} x {height}"
    except DAMAGE as error:
        return f"cannot be read: {_said(error)}"
    return None


def _shape_fault(pixels: np.ndarray, places: np.ndarray, bits: np.ndarray, views: int | None = None) -> str | None:
    count, views = pixels.size, len(places) if views is None else views
    for name, array, shape, kinds in (
        ("pixels", pixels, (count,), "u"),
        ("places", places, (views, count, 2), "i"),
        ("shown", bits, (views, -(-count // 8)), "u"),
    ):
        if array.shape != shape or array.dtype.kind not in kinds:
            return f"expected {name} of shape {shape}, got {array.shape} of {array.dtype}"
    return None


def _said(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _goals(known: np.ndarray, shown: np.ndarray, source_classes: np.ndarray, wanted: np.ndarray) -> tuple:
    """Where to copy from (P,2) and states (P,) of points with known places (P,2), of the classes wanted (P,)."""
    height, width = source_classes.shape
    column, row = np.rint(known).astype(np.int64).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = np.zeros(len(known), np.uint8)
    there[inside] = source_classes[row[inside], column[inside]]
    good = shown | (inside & (there == wanted))
    lost = np.flatnonzero(~good)
    goals = known.copy()
    state = np.where(shown, SHOWN, np.where(good, HIDDEN, NOWHERE)).astype(np.uint8)
    goals[lost], found = nearest_of_class(known[lost], wanted[lost], source_classes)
    state[lost[found]] = HIDDEN
    goals[state == NOWHERE] = 0
    return goals, state


def nearest_of_class(points: np.ndarray, wanted: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (Q,2) of the classes wanted (Q,) that are nearest to points (Q,2), and whether there are any (Q,).

    Only every third row and column of `classes` (H,W) is looked at: first for the nearest row in each column of that
    grid, then, a point at a time, among its columns. The pixel found may be 3 pixels farther than another.
    """
    grid = classes[::GRID, ::GRID]
    height, width = grid.shape
    kinds, which = np.unique(wanted, return_inverse=True)
    rows, none = np.arange(height, dtype=np.float32)[:, None], np.float32(1e6)
    of_class = grid == kinds[:, None, None]  # (C,h,w)
    above = np.maximum.accumulate(np.where(of_class, rows, -none), 1)
    below = np.minimum.accumulate(np.where(of_class, rows, none)[:, ::-1], 1)[:, ::-1]
    nearest = np.where(rows - above <= below - rows, above, below) * GRID
    x, y = points[:, :1], points[:, 1:]
    row = np.clip(np.rint(y[:, 0] / GRID), 0, height - 1).astype(np.int64)
    candidates = nearest[which, row]  # (Q,w)
    columns = np.arange(width, dtype=np.float32) * GRID
    column = (np.square(candidates - y) + np.square(columns - x)).argmin(1)
    found = of_class.any((1, 2))[which]
    chosen = np.stack([columns[column], candidates[np.arange(len(points)), column]], 1)
    return chosen, found


def _fill_odd_columns(places: np.ndarray, state: np.ndarray, classes: np.ndarray) -> None:
    """Gives unknown pixels in odd columns of even rows what their neighbours in the even columns have."""

    def right_of(even):
        return np.concatenate([even[..., 1:], np.zeros_like(even[..., :1])], -1)

    left, left_state, left_class = places[:, ::2, ::2], state[::2, ::2], classes[::2, ::2]
    right, right_state, right_class = map(right_of, (left, left_state, left_class))
    own, own_state, own_class = places[:, ::2, 1::2], state[::2, 1::2], classes[::2, 1::2]  # views: written to below
    lacking = (own_state == UNKNOWN) & (own_class > 0)
    by_left = lacking & (left_state != UNKNOWN) & (left_class == own_class)
    by_right = lacking & (right_state != UNKNOWN) & (right_class == own_class)
    alike = by_left & by_right & (left_state == right_state) & (np.abs(left - right) <= CLOSE).all(0)
    value = np.where(alike, (left + right) / 2, np.where(by_left, left, right))
    np.copyto(own, value, where=by_left | by_right)
    np.copyto(own_state, np.where(by_left, left_state, right_state), where=by_left | by_right)
