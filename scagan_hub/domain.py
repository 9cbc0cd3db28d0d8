"""How far a picture or a pose is from those that a model was trained on: measured, so that a demo can warn.

A picture is told by a dozen cheap statistics (backdrop, light, colour, grain) and scored by their Mahalanobis distance
to the training pictures'. A pose is scored by the root mean square distance of its joints from the nearest of some
hundreds of training poses, all brought to one body size and place. Both scores are in units of a limit that 99.5 % of
training pictures or poses keep below: 1 is the limit itself. `scagan domain` measures a data set.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from .files.writing import whole_file
from .poses import skeleton
from .poses.pose import Pose

FILE = "domain.npz"  # beside a model's weights
WITHIN = 0.995  # of training pictures or poses score below 1
PROTOTYPES = 512
BORDER = 6  # pixels
STATISTICS = 12
LARGEST = 50_000_000  # bytes of the arrays
ARRAYS = ("mean", "whitening", "picture_limit", "points", "present", "pose_limit")


class Domain:
    """What one model was trained on, as far as `picture_score` and `pose_score` need it.

    Args:
        arrays: mean (S,) and whitening (S,S) of the statistics; prototypes `points` (P,18,2) and `present` (P,18); the
            two limits.
    """

    def __init__(self, arrays: dict[str, np.ndarray]):
        self.arrays = {name: np.asarray(arrays[name]) for name in ARRAYS}

    @classmethod
    def measure(cls, pictures: Iterable[Image.Image], poses: Iterable[Pose], seed: int = 0) -> Domain:
        """Of training pictures and poses, at least a hundred of each. Poses of one half are prototypes, of the other
        the measure for the limit."""
        values = np.stack([statistics(picture) for picture in pictures])
        mean = values.mean(0)
        whitening = np.linalg.inv(np.linalg.cholesky(np.cov(values.T)))
        distances = np.linalg.norm((values - mean) @ whitening.T, axis=1)

        points, present = (np.stack(part) for part in zip(*map(_normal, poses), strict=True))
        order = np.random.default_rng(seed).permutation(len(points))
        half = len(order) // 2
        chosen = order[:half][_spread(points[order[:half]], present[order[:half]], min(PROTOTYPES, half))]
        arrays = {"points": points[chosen].astype(np.float16), "present": present[chosen]}
        arrays |= {"mean": mean, "whitening": whitening, "picture_limit": np.quantile(distances, WITHIN)}
        domain = cls(arrays | {"pose_limit": 1.0})
        others = [domain._pose_distance(points[i], present[i]) for i in order[half:]]
        return cls(domain.arrays | {"pose_limit": np.quantile(others, WITHIN)})

    def picture_score(self, picture: Image.Image) -> float:
        """How unlike the training pictures a picture of their size is; above 1: more than nearly all of them."""
        values = self.arrays["whitening"] @ (statistics(picture) - self.arrays["mean"])
        return float(np.linalg.norm(values) / self.arrays["picture_limit"])

    def pose_score(self, pose: Pose) -> float:
        """How unlike the training poses a pose is; above 1: more than nearly all of them."""
        return self._pose_distance(*_normal(pose)) / float(self.arrays["pose_limit"])

    def _pose_distance(self, points: np.ndarray, present: np.ndarray) -> float:
        return float(_distances(points, present, self.arrays["points"], self.arrays["present"]).min())

    def save(self, path):
        """Errors as `whole_file`."""
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **self.arrays)

    @classmethod
    def read(cls, path) -> Domain:
        """Raises ValueError where the file is not one that `save` wrote."""
        path = Path(path)
        try:
            if not path.is_file():
                raise ValueError("no ordinary file")
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                    raise ValueError(f"more than {LARGEST // 10**6} MB")
            with np.load(path, allow_pickle=False) as arrays:
                domain = cls({name: arrays[name] for name in ARRAYS})
            domain._check()
            return domain
        except Exception as error:  # a damaged archive raises nearly anything
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(f"{path}: not a measured domain ({said}); make it again with scagan domain") from error

    def _check(self):
        """Raises ValueError where scores cannot be had of these arrays."""
        count = len(self.arrays["points"]) if self.arrays["points"].ndim else 0
        shapes = {"mean": (STATISTICS,), "whitening": (STATISTICS, STATISTICS), "picture_limit": (), "pose_limit": ()}
        shapes |= {"points": (max(count, 1), 18, 2), "present": (max(count, 1), 18)}
        for name, shape in shapes.items():
            array, kind = self.arrays[name], "b" if name == "present" else "f"
            if array.shape != shape or array.dtype.kind != kind:
                raise ValueError(f"{name}: expected {shape} of kind {kind}, got {array.shape} of {array.dtype}")
            if kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{name}: NaN or infinity")
        if not (self.arrays["picture_limit"] > 0 and self.arrays["pose_limit"] > 0):
            raise ValueError("the limits are not above 0")


def statistics(picture: Image.Image) -> np.ndarray:
    """(12,) of an RGB picture: its backdrop's plainness and evenness, light, colour, edges and grain."""
    image = np.asarray(picture.convert("RGB"), np.float32) / 255  # (H,W,3)
    grey = image @ np.array((0.299, 0.587, 0.114), np.float32)
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    slope = np.hypot(across[:-1], down[:, :-1])
    left, right, top = image[:, :BORDER], image[:, -BORDER:], image[:BORDER]
    border = np.concatenate([part.reshape(-1, 3) for part in (left, right, top)])
    backdrop = np.median(border, 0)
    saturation = image.max(2) - image.min(2)
    grain = np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:])
    edge = np.concatenate([slope[:, :BORDER].ravel(), slope[:, -BORDER:].ravel(), slope[:BORDER].ravel()])
    return np.array(
        [
            _log(border.std(0).mean()),
            _log(edge.mean()),
            _log(np.abs(left.mean((0, 1)) - right.mean((0, 1))).mean()),
            (np.abs(image - backdrop).max(2) < 0.1).mean(),
            backdrop.mean(),
            backdrop.max() - backdrop.min(),
            grey.std(),
            saturation.mean(),
            saturation.std(),
            _log(slope.mean()),
            (slope > 0.1).mean(),
            _log(np.median(grain)),
        ],
        np.float64,
    )


def _log(value) -> float:
    return float(np.log(value + 1e-3))


def _normal(pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Points (18,2) in body sizes from the body's middle, and which of them are there."""
    points = (pose.points - skeleton.anchor(pose.points, pose.present)) / (pose.body_size or 1)
    return points, pose.present


def _distances(points, present, many, many_present) -> np.ndarray:
    """(P,) root mean square distance of joints that both have; where they have less than half of it in common: far."""
    common = present & many_present
    squares = np.square(many.astype(np.float64) - points).sum(-1) * common
    distance = np.sqrt(squares.sum(1) / np.maximum(common.sum(1), 1))
    return np.where(2 * common.sum(1) >= present.sum(), distance, np.inf)


def _spread(points: np.ndarray, present: np.ndarray, count: int) -> list[int]:
    """Indices of poses that cover all of them: always the one farthest from those taken (Gonzalez 1985)."""
    taken = [0]
    nearest = _distances(points[0], present[0], points, present)
    while len(taken) < count:
        taken.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _distances(points[taken[-1]], present[taken[-1]], points, present))
    return taken
