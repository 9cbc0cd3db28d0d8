"""How sure a mean over pairs is: percentile bootstrap over people."""

import numpy as np

SAMPLES, CONFIDENCE, SEED = 1000, 0.95, 0


def describe(people: np.ndarray, known: bool = True) -> dict:
    """What `interval` does, for reports; `known`: whether people are people, or pictures of nobody knows whom."""
    number = len(np.unique(people))
    if not known:
        drawn = f"{number:,} pictures, since who is in them is not known"
    else:
        drawn = f"{number:,} people" if number > 1 else f"{len(people):,} pairs, all of one person"
    return {"samples": SAMPLES, "confidence": CONFIDENCE, "seed": SEED, "drawn": drawn}


def mean(values, weights=None) -> float:
    """Weighted mean of those values (n,) that are there (not NaN); NaN where none is."""
    values, weights = _present(values, weights)
    return float((values * weights).sum() / weights.sum()) if weights.sum() else float("nan")


def interval(values, weights=None, people=None) -> tuple[float, float]:
    """Bounds of `mean` when people are drawn with replacement, each with all their pairs.

    Args:
        values: (n,), NaN where there is none.
        weights: (n,); None: all alike.
        people: (n,) integers, who is in each pair; None, or one person alone: each pair is drawn for itself.
    Returns:
        the bounds that `CONFIDENCE` of the `SAMPLES` means lie between; infinite, or NaN, where the mean is.
    """
    if not np.isfinite(mean(values, weights)):
        return (mean(values, weights),) * 2
    values, weights = _present(values, weights)
    if people is None or not _several(people):
        people = np.arange(len(values))
    people = np.unique(people, return_inverse=True)[1]
    sums, counts = np.bincount(people, values * weights), np.bincount(people, weights)
    random, means = np.random.default_rng(SEED), []
    for _ in range(SAMPLES):
        drawn = np.bincount(random.integers(len(sums), size=len(sums)), minlength=len(sums))
        if total := counts @ drawn:
            means.append(sums @ drawn / total)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _present(values, weights) -> tuple[np.ndarray, np.ndarray]:
    """Values and weights, both 0 where there is no value."""
    values = np.asarray(values, np.float64)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
    missing = np.isnan(values)
    return np.where(missing, 0.0, values), np.where(missing, 0.0, weights)


def _several(people: np.ndarray) -> bool:
    return len(np.unique(people)) > 1
