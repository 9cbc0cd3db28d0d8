"""Filters of pictures in numpy, made of box means, and the boxes that they work in."""

import numpy as np


def box_mean(x: np.ndarray, radius: int) -> np.ndarray:
    """Means of (H,W,C) over squares of 2 radius + 1, of what of them lies inside."""
    for axis in (0, 1):
        n, zero = x.shape[axis], np.zeros_like(x.take([0], axis))
        total = np.concatenate([zero, x], axis).cumsum(axis)
        first, last = np.maximum(np.arange(n) - radius, 0), np.minimum(np.arange(n) + radius + 1, n)
        count = (last - first).reshape([-1 if i == axis else 1 for i in range(3)])
        x = (total.take(last, axis) - total.take(first, axis)) / count
    return x


def guided(guide: np.ndarray, values: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Values (H,W), filtered so that their edges become the guide's (H,W,3)."""
    pairs = guide[..., :, None] * guide[..., None, :]
    each = [guide, values[..., None], guide * values[..., None], pairs.reshape(*values.shape, 9)]
    mean, level, product, pairs = np.split(box_mean(np.concatenate(each, 2), radius), [3, 4, 7], 2)
    spread = pairs.reshape(*values.shape, 3, 3) - mean[..., :, None] * mean[..., None, :] + eps * np.eye(3)
    slope = np.linalg.solve(spread, (product - mean * level)[..., None])[..., 0]
    line = box_mean(np.concatenate([slope, level - (slope * mean).sum(2, keepdims=True)], 2), radius)
    return (line[..., :3] * guide).sum(2) + line[..., 3]


def within(box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The whole pixels of a picture of this size that a box touches."""
    low, high = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
    return (*np.clip(low, 0, size).tolist(), *np.clip(high, 0, size).tolist())


def reduced(box, side: int) -> tuple[int, int]:
    """A box's size, so much smaller that its longer side is at most this."""
    size = np.array([box[2] - box[0], box[3] - box[1]])
    return tuple(np.maximum(1, np.rint(size * min(1, side / size.max()))).astype(int).tolist())
