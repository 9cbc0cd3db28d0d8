"""A photo without its person: what stood behind them, made up from what is beside.

The stretch of the photo that goes on best round the hole is moved into it, and its colours are drawn to those at the
rim by a smooth transition, made of smaller and smaller pictures (pull and push).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from ..images.filters import box_mean, reduced, within

BEHIND = 0.03  # of the person's size: so far beyond the mask a backdrop is filled in, where the edge's light falls
FILL_SIDE, SEARCH_SIDE = 640, 80  # pixels of the longer side: to fill in, and to look for what to fill in with
LOST = 60  # levels of colour that a stretch may differ more for it to have no hole of its own in the hole
NEAR = 3  # steps round the hole that are compared


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """An RGB picture without what its mask shows: filled in from around, every pixel farther off as it was."""
    there = mask.point(lambda value: 255 * (value > 12))
    if there.getbbox() is None:
        return image
    size = max(np.subtract(there.getbbox()[2:], there.getbbox()[:2]))
    box = within(np.add(there.getbbox(), np.array([-1, -0.3, 1, 0.3]) * size), image.size)
    work = reduced(box, FILL_SIDE)
    grown = there.resize(work, Image.Resampling.BOX, box).point(lambda value: 255 * (value > 0))
    grown = grown.filter(ImageFilter.MaxFilter(2 * round(BEHIND * size * work[0] / (box[2] - box[0])) + 1))
    known = 1 - np.asarray(grown, np.float64)[..., None] / 255
    pixels = np.asarray(image.resize(work, Image.Resampling.BOX, box), np.float64)
    behind = Image.fromarray(np.rint(_continued(pixels, known)).clip(0, 255).astype(np.uint8))
    whole = box[2] - box[0], box[3] - box[1]
    result = image.copy()
    edge = grown.filter(ImageFilter.GaussianBlur(1)).resize(whole, Image.Resampling.BILINEAR)
    result.paste(behind.resize(whole, Image.Resampling.BICUBIC), box[:2], edge)
    return result


def _continued(pixels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels (H,W,3) where they are known (H,W,1); else the stretch beside them that continues their surroundings best,
    its colours drawn to theirs, and where that isn't known either, a smooth transition."""
    step = 2 ** max(0, round(np.log2(max(known.shape) / SEARCH_SIDE)))
    height, width = (-(-length // step) for length in known.shape[:2])
    shifts = [(down, right) for down in range(-(height // 12), height // 12 + 1) for right in range(-width, width + 1)]
    best = _best_shift(pixels, known, step, shifts)
    while best and step > 1:
        step //= 2
        nearby = [(2 * best[0] + down, 2 * best[1] + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        best = _best_shift(pixels, known, step, nearby)
    if not best:
        return _pulled(pixels, known)
    moved, there = (_shifted(x, *best) for x in (pixels, known))
    moved = moved + _pulled(pixels - moved, known * there)
    return _pulled(np.where(known > 0, pixels, moved), np.maximum(known, there))


def _best_shift(pixels, known, step: int, shifts: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The one of these shifts (down, right) in steps by which the surroundings of the hole meet their like."""
    pixels, known = pixels[::step, ::step], known[::step, ::step] > 0
    hole = ~known
    near = known & (box_mean(hole.astype(float), NEAR) > 0)
    best, chosen = np.inf, None
    for shift in shifts:
        there = _shifted(known, *shift)
        both = there & near
        if both.sum() <= 0.5 * near.sum():
            continue
        apart = np.abs(pixels - _shifted(pixels, *shift))[both[..., 0]].mean()
        cost = apart + LOST * (hole & ~there).sum() / max(hole.sum(), 1)
        if cost < best:
            best, chosen = cost, shift
    return chosen


def _shifted(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """(H,W,C) moved by whole pixels, zero where nothing comes from."""
    height, width = x.shape[:2]
    moved = np.zeros_like(x)
    rows, columns = (slice(max(n, 0), max(size + min(n, 0), 0)) for n, size in ((down, height), (right, width)))
    from_ = [slice(max(-n, 0), max(size - max(n, 0), 0)) for n, size in ((down, height), (right, width))]
    moved[rows, columns] = x[from_[0], from_[1]]
    return moved


def _pulled(pixels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels (H,W,3) where they are known (H,W,1), and between them what smaller and smaller pictures say."""
    if known.all() or not known.any():
        return pixels
    height, width = known.shape[:2]
    if min(height, width) == 1:
        return np.where(known > 0, pixels, (pixels * known).sum((0, 1)) / known.sum())
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    sums = [
        np.pad(x, padding).reshape((height + 1) // 2, 2, (width + 1) // 2, 2, -1).sum((1, 3))
        for x in (pixels * known, known)
    ]
    smaller = _pulled(sums[0] / np.maximum(sums[1], 1e-9), np.minimum(sums[1], 1))
    larger = box_mean(smaller.repeat(2, 0).repeat(2, 1)[:height, :width], 1)
    return known * pixels + (1 - known) * larger
