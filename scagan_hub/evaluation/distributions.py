"""Metrics of sets of pictures, computed from sums that grow with neither pairs nor batches: IS and FID.

Both follow the published protocol. torchmetrics keeps every probability and shuffles them before it splits (IS), and
sums squares of features without taking the mean off first (FID); what is here can be merged, saved and resumed.
"""

import numpy as np


class Moments:
    """Mean and covariance of features that come in batches, in float64 (Chan, Golub, LeVeque 1983).

    Args:
        size: number of features.
    """

    def __init__(self, size: int):
        self.count, self.mean, self.scatter = 0, np.zeros(size), np.zeros((size, size))

    def update(self, features) -> None:
        """Add features (n,size)."""
        features = np.asarray(features, np.float64)
        mean = features.mean(axis=0)
        centred = features - mean
        self._add(len(features), mean, centred.T @ centred)

    def state(self) -> dict[str, np.ndarray]:
        """All that was seen, as arrays for `merge`."""
        return {"count": np.array(self.count), "mean": self.mean, "scatter": self.scatter}

    def merge(self, state: dict[str, np.ndarray]) -> None:
        """Add all that another one has seen."""
        self._add(int(state["count"]), state["mean"], state["scatter"])

    def _add(self, count: int, mean: np.ndarray, scatter: np.ndarray) -> None:
        if not count:
            return
        total, step = self.count + count, mean - self.mean
        self.scatter += scatter + np.outer(step, step) * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count = total

    @property
    def covariance(self) -> np.ndarray:
        """(size,size), divided by count - 1.

        Raises:
            ValueError: fewer than two pictures were seen.
        """
        if self.count < 2:
            raise ValueError(f"a Fréchet distance needs at least two pictures on either side, got {self.count}")
        return self.scatter / (self.count - 1)


def distance(a: Moments, b: Moments) -> float:
    """Fréchet distance of two Gaussians: |m_a - m_b|² + tr(S_a + S_b - 2 (S_a S_b)^½).

    The trace of the root is the sum of the singular values of S_a^½ S_b^½, which are real whatever the rank.
    """
    product = _root(a.covariance) @ _root(b.covariance)
    trace = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.linalg.svd(product, compute_uv=False).sum()
    return float(((a.mean - b.mean) ** 2).sum() + trace)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def frechet_distance(features_a, features_b) -> float:
    """Fréchet distance (Heusel et al. 2017) between two sets of features; FID where they are Inception-2015's pool3.

    Args:
        features_a, features_b: (N,F) and (M,F).
    Raises:
        ValueError: other shapes, values that are not finite, or fewer than two of either.
    """
    sets = [np.asarray(features, np.float64) for features in (features_a, features_b)]
    if any(features.ndim != 2 for features in sets) or sets[0].shape[1] != sets[1].shape[1]:
        raise ValueError(f"expected features (N, F) and (M, F), got {sets[0].shape} and {sets[1].shape}")
    if not all(np.isfinite(features).all() for features in sets):
        raise ValueError("expected finite features, got NaN or infinity")
    moments = [Moments(sets[0].shape[1]) for _ in sets]
    for moment, features in zip(moments, sets, strict=True):
        if len(features):
            moment.update(features)
    return distance(*moments)


class SplitEntropies:
    """What the Inception score is computed from, for probabilities that come in batches.

    Args:
        total: number of pictures that there will be; it decides where a split ends.
        splits: number of parts.
        classes: number of classes.
    Raises:
        ValueError: fewer pictures than splits.
    """

    def __init__(self, total: int, splits: int, classes: int):
        if not 1 <= splits <= total:
            raise ValueError(f"an Inception score of {splits} splits needs at least as many pictures, got {total}")
        self.ends = np.arange(1, splits + 1) * total // splits
        self.count, self.negative_entropy = np.zeros(splits), np.zeros(splits)
        self.probability = np.zeros((splits, classes))

    def update(self, probabilities, positions) -> None:
        """Add probabilities (n,classes) of the pictures at positions (n,) in 0 .. total - 1."""
        p = np.asarray(probabilities, np.float64)
        split = np.searchsorted(self.ends, positions, side="right")
        log = np.log(p, where=p > 0, out=np.zeros_like(p))
        np.add.at(self.count, split, 1)
        np.add.at(self.negative_entropy, split, (p * log).sum(axis=1))
        np.add.at(self.probability, split, p)

    def state(self) -> dict[str, np.ndarray]:
        """All that was seen, as arrays for `merge`."""
        names = "count", "negative_entropy", "probability"
        return {name: getattr(self, name) for name in names}

    def merge(self, state: dict[str, np.ndarray]) -> None:
        """Add all that another one has seen."""
        for name, sums in self.state().items():
            sums += state[name]

    def score(self) -> tuple[float, float]:
        """Mean and standard deviation over the splits."""
        p = self.probability / self.count[:, None]
        log = np.log(p, where=p > 0, out=np.zeros_like(p))
        scores = np.exp(self.negative_entropy / self.count - (p * log).sum(axis=1))
        return float(scores.mean()), float(scores.std())


def inception_score(probabilities, splits: int = 10) -> tuple[float, float]:
    """Inception score (Salimans et al. 2016): exp of the mean KL divergence to the marginal, over parts in order.

    Args:
        probabilities: (N,classes) of a classifier, a row a picture, in the order of the pairs.
        splits: number of parts.
    Returns:
        mean and standard deviation over the parts.
    Raises:
        ValueError: another shape, rows that don't sum to 1, or fewer rows than splits.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2:
        raise ValueError(f"expected probabilities (N, classes), got {p.shape}")
    if not ((p >= 0).all() and np.allclose(p.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("expected probabilities, rows of values in 0..1 that sum to 1")
    entropies = SplitEntropies(len(p), splits, p.shape[1])
    entropies.update(p, np.arange(len(p)))
    return entropies.score()
