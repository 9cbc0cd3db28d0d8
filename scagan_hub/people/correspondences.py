"""Where in one picture of a person each pixel of another lies, exactly: all pictures of a person share one mesh.

The triangle that a target pixel shows, and the place in it, are put on the source's posed vertices and projected by the
source's camera; the source's own depth says whether it is shown there.

A person's file `NAME.npz` holds for every picture t of V, as target, P pixels: every second row and column of the
person, and all pixels of hair and face.
    pixels{t}   (P,) uint16: row * width + column, rising; uint32 where a picture has more than 65,536 pixels
    places{t}   (V,P,2) int16: x, y in picture s, in sixteenths of a pixel, pixel centres at integers; also where hidden
                or outside the picture
    shown{t}    (V,ceil(P / 8)) uint8: bits, 1 where picture s shows it
`scagan_hub.data.places` reads it.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # it needs numba
    from .render import Surface

STEPS = 16  # a pixel
FAR = 2**15 // STEPS - 1  # pixels, as far as places reach
SLACK = 0.35  # dm from what a pixel shows that still count as shown
HEAD_CLASSES = (1, 2)  # of parsing: hair, face


def correspondences(pictures: list) -> dict[str, np.ndarray]:
    """The arrays of a person's file; `pictures` are `render`'s, of one person, V of them."""
    arrays = {}
    for t, target in enumerate(pictures):
        rows, columns = np.nonzero(_wanted(target.parsing, target.surface.triangle >= 0))
        triangle, weights = target.surface.triangle[rows, columns], target.surface.weights[rows, columns]
        weights = np.concatenate([1 - weights.sum(1, keepdims=True), weights], 1)  # (P,3)
        places, shown = zip(*(_seen_from(source.surface, triangle, weights) for source in pictures), strict=True)
        number = np.uint16 if target.parsing.size <= 2**16 else np.uint32
        arrays[f"pixels{t}"] = (rows * target.parsing.shape[1] + columns).astype(number)
        arrays[f"places{t}"] = np.int16(np.rint(np.clip(places, -FAR, FAR) * STEPS))
        arrays[f"shown{t}"] = np.packbits(shown, axis=1)
    return arrays


def _wanted(parsing: np.ndarray, person: np.ndarray) -> np.ndarray:
    wanted = np.isin(parsing, HEAD_CLASSES)
    wanted[::2, ::2] = True
    return wanted & person


def _seen_from(source: "Surface", triangle: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (P,2) in `source` of points given by triangle (P,) and weights (P,3); whether it shows them (P,).

    A point is shown where the middle of its pixel shows the person at the point's depth: not outside the picture, not
    behind anything, and not in a pixel that the person only touches, whose colour is something else's.
    """
    points = (source.points[source.corners[triangle]] * weights[..., None]).sum(1)  # (P,3)
    height, width = source.depth.shape
    column, row = np.floor(points[:, :2]).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = np.full(len(points), np.inf)
    seen[inside] = source.depth[row[inside], column[inside]]
    return points[:, :2] - 0.5, np.abs(points[:, 2] - seen) < SLACK
