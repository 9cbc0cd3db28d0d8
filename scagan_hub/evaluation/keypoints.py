"""PCKh: how far the person in a generated picture stands as the target pose says."""

import numpy as np

HEAD = [0, 1, 14, 15, 16, 17]  # nose, neck, eyes, ears
MISSING = -1


def pckh(predicted, target) -> float:
    """Share of the target's joints that are found within half a head, as the PATN family counts it.

    A joint is hit when |dx| < w / 2 and |dy| < h / 2, w x h being the box round the target's nose, neck, eyes and
    ears. Hits and joints are summed over all people before they are divided; people of whose head the target shows
    fewer than two points are left out.

    Args:
        predicted, target: (N,18,2) y, x in pixels, -1 = missing.
    Returns:
        hits divided by the joints present in the targets, 0 to 1.
    Raises:
        ValueError: other shapes, or no target with a head.
    """
    hits, joints = pckh_counts(predicted, target)
    if not joints.sum():
        raise ValueError("PCKh needs a target with at least two of nose, neck, eyes and ears; got none")
    return float(hits.sum() / joints.sum())


def pckh_counts(predicted, target) -> tuple[np.ndarray, np.ndarray]:
    """Hits and joints of each person, (N,) each; arguments as in `pckh`."""
    predicted, target = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    if predicted.shape != target.shape or target.ndim != 3 or target.shape[1:] != (18, 2):
        raise ValueError(f"expected keypoints (N, 18, 2) twice, got {predicted.shape} and {target.shape}")
    wanted = (target != MISSING).all(axis=2)  # (N,18)
    found = (predicted != MISSING).all(axis=2)
    with_head = wanted[:, HEAD].sum(axis=1) >= 2
    low = np.where(wanted[:, HEAD, None], target[:, HEAD], np.inf).min(axis=1)  # (N,2)
    high = np.where(wanted[:, HEAD, None], target[:, HEAD], -np.inf).max(axis=1)
    box = np.where(with_head[:, None], high - low, 0.0)
    near = (np.abs(predicted - target) < box[:, None] / 2).all(axis=2)
    return (wanted & found & near).sum(axis=1), wanted.sum(axis=1) * with_head
