"""Pose: the 18 keypoints of one person, where every pose of the system comes from and goes to.

A pose says where the person is in the source picture and where it shall be in the generated one. This module
needs numpy and Pillow only; torch is loaded by `Pose.heatmaps`, LiteRT by `Pose.detect`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..images.opening import Picture, open_image
from . import skeleton
from .blazepose import find_people
from .openpose import numbers, outline, parse_json, read_openpose

if TYPE_CHECKING:
    import torch

MAX_PIXELS = 100_000_000  # of the picture that a pose belongs to: a pose from a stranger's file must not fill memory
MAX_COORDINATE = 1e6


@dataclass(frozen=True, eq=False)
class Pose:
    """One person's pose in one picture. Immutable; equal when size and keypoints are.

    Args:
        keypoints: (18, 3) x, y, confidence: pixels of an image of `size`, in the order of `Pose.JOINTS`
            (OpenPose's COCO order, right before left). Confidence 0 or less means a missing joint, which is
            stored as 0, 0, 0.
        size: (width, height) of that image. Joints may lie outside it.

    Raises:
        ValueError: wrong shape, values that are not finite numbers, no joint present, or an impossible size.

    Example:
        >>> from scagan_hub import Pose, gallery
        >>> pose = gallery.pose("person14-view1")
        >>> pose
        Pose(16 of 18 joints, size=(176, 256))
        >>> pose.resize((352, 512)).size
        (352, 512)
        >>> Pose.from_dict(pose.to_dict()) == pose
        True
    """

    keypoints: np.ndarray
    size: tuple[int, int]

    JOINTS = skeleton.JOINTS
    LIMBS = skeleton.LIMBS

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _checked_size(self.size))
        object.__setattr__(self, "keypoints", _checked_keypoints(self.keypoints))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pose):
            return NotImplemented
        return self.size == other.size and np.array_equal(self.keypoints, other.keypoints)

    def __hash__(self) -> int:
        return hash((self.size, self.keypoints.tobytes()))

    def __repr__(self) -> str:
        return f"Pose({self.present.sum()} of 18 joints, size={self.size})"

    @property
    def present(self) -> np.ndarray:
        """(18,) bool: which joints are there."""
        return self.keypoints[:, 2] > 0

    @property
    def points(self) -> np.ndarray:
        """(18, 2) float64 x, y in pixels; 0, 0 for a missing joint."""
        return self.keypoints[:, :2].astype(np.float64)

    @property
    def body_size(self) -> float:
        """Length from neck to mid-hip in pixels, guessed from other bones where need be; 0 without any."""
        return skeleton.body_size(self.points, self.present)

    # Formats

    @classmethod
    def from_annotation(
        cls, keypoints_y: Sequence[float] | str, keypoints_x: Sequence[float] | str, size: tuple[int, int] = (176, 256)
    ) -> Pose:
        """Pose from a line of the data set's annotations.

        Args:
            keypoints_y, keypoints_x: 18 numbers each, or the JSON text of them; -1 (either one) = missing.
            size: (width, height) of the picture.
        """
        columns = []
        for name, values in {"keypoints_y": keypoints_y, "keypoints_x": keypoints_x}.items():
            column = numbers(parse_json(values, name) if isinstance(values, str) else values, name)
            if column.shape != (18,):
                raise ValueError(f"{name}: expected 18 numbers, -1 = missing, got shape {column.shape}")
            columns.append(column)
        y, x = columns
        missing = (x < 0) | (y < 0)
        return cls(np.stack([x, y, ~missing], 1), size)

    @classmethod
    def from_openpose(cls, json_or_path: Any, size: tuple[int, int] | None = None) -> Pose:
        """Pose from OpenPose's JSON, from `to_dict`'s, or from a bare list of 18 [x, y, confidence].

        Args:
            json_or_path: path of a JSON file, JSON text, or what that decodes to. OpenPose's `people` may be
                in the COCO-18 or the BODY_25 layout; of several people the largest is taken.
            size: (width, height) of the picture, for a JSON that doesn't say; one that does (`size`, or
                `canvas_width` and `canvas_height`) is believed.

        Raises:
            ValueError: unreadable, not such a JSON, nobody in it, no size known, or not a valid pose.
        """
        return cls(*read_openpose(json_or_path, size))

    @classmethod
    def detect(cls, image: Picture) -> Pose:
        """Pose of the largest person in a picture (all that `open_image` takes), in that picture's pixels.

        Raises:
            ValueError: nobody found, or the picture cannot be read.
        """
        image = open_image(image)
        people = [cls(keypoints, image.size) for keypoints in find_people(image)]
        if not people:
            raise ValueError(
                "found nobody in the picture; expected a person, well lit and large enough to see: "
                "try another photo, or give the pose as JSON"
            )
        return max(people, key=lambda pose: pose.body_size)

    def to_dict(self) -> dict[str, Any]:
        """The pose as plain lists and numbers, for JSON; `from_dict` gives the same pose back."""
        return {"keypoints": self.keypoints.tolist(), "size": list(self.size)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Pose:
        """Pose from what `to_dict` returned."""
        if not isinstance(values, dict) or not {"keypoints", "size"} <= values.keys():
            raise ValueError(f"pose: expected 'keypoints' and 'size' as in Pose.to_dict, got {outline(values)}")
        return cls(values["keypoints"], values["size"])

    # Geometry

    def resize(self, size: tuple[int, int]) -> Pose:
        """The same pose in a picture scaled to `size` = (width, height)."""
        width, height = _checked_size(size)
        return self.transform((width / self.size[0], height / self.size[1]), (0, 0), (width, height))

    def transform(self, scale: tuple[float, float], shift: Any, size: tuple[int, int]) -> Pose:
        """The pose at `points * scale + shift`, each a pair for x and y, in a picture of `size`."""
        return Pose(np.concatenate([self.points * scale + shift, self.keypoints[:, 2:]], 1), size)

    def mirror(self) -> Pose:
        """The pose of the picture flipped left to right: the left hand becomes a right one."""
        mirrored = self.transform((-1, 1), (self.size[0] - 1, 0), self.size)
        return Pose(mirrored.keypoints[list(skeleton.MIRRORED)], self.size)

    def drop_outside(self) -> Pose:
        """The pose without the joints that lie outside the picture: missing there, as in the annotations.

        Raises:
            ValueError: no joint lies inside.
        """
        within = (self.points >= 0) & (self.points <= np.array(self.size) - 1)  # (18, 2)
        inside = within[:, 0] & within[:, 1]
        if not (inside & self.present).any():
            raise ValueError(f"pose: expected joints in {self.size[0]} x {self.size[1]} pixels, got none there")
        return Pose(np.where(inside[:, None], self.keypoints, 0), self.size)

    def fit_to(self, other: Pose) -> Pose:
        """This pose with the person size and place of `other`, in a picture of `other.size`.

        Scaled by the length neck to mid-hip where both have it (and it isn't seen end on), else by the least
        foreshortened of the bones that both have, else by the box round the joints that both have. The middle
        of the torso, else the neck, else the middle of that box comes to lie where it lies in `other`. Joints
        may end up outside the picture (`drop_outside` removes them): `other` may show only half of a body.
        """
        common = self.present & other.present
        mine, theirs = (common, common) if common.any() else (self.present, other.present)
        sizes = (
            (skeleton.body_size(self.points, mine), skeleton.body_size(other.points, theirs)),
            (skeleton.diagonal(self.points, mine), skeleton.diagonal(other.points, theirs)),
            (self.body_size, other.body_size),
            (np.hypot(*self.size), np.hypot(*other.size)),
        )
        size, other_size = next(pair for pair in sizes if min(pair) > 0)
        scale = other_size / size
        shift = skeleton.anchor(other.points, theirs) - scale * skeleton.anchor(self.points, mine)
        return self.transform((scale, scale), shift, other.size)

    # What people and nets look at

    def draw(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The skeleton in OpenPose's colours on black: an RGB picture of `size` (default: the pose's own)."""
        pose = self if size is None else self.resize(size)
        return Image.fromarray(skeleton.draw_skeleton(pose.points, pose.present, pose.size))

    def heatmaps(self, sigma: float = 6.0) -> torch.Tensor:
        """(18, height, width) float32 in [0, 1]: a Gaussian of `sigma` pixels at every joint, not cut off.

        A missing joint's channel is zero.
        """
        import torch

        if not sigma > 0:
            raise ValueError(f"heatmaps: sigma must be a positive number of pixels, got {sigma}")
        width, height = self.size
        x, y, confidence = torch.tensor(self.keypoints).T[:, :, None]  # (18, 1) each
        columns = torch.exp(-((torch.arange(width) - x) ** 2) / (2 * sigma**2))  # (18, width)
        rows = torch.exp(-((torch.arange(height) - y) ** 2) / (2 * sigma**2))  # (18, height)
        return (rows * (confidence > 0))[:, :, None] * columns[:, None, :]


def _checked_size(size: Any) -> tuple[int, int]:
    try:
        width, height = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        raise ValueError(f"size: expected two whole numbers (width, height), got {str(size)[:80]}") from None
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ValueError(f"size: expected 1 to {MAX_PIXELS:,} pixels, got {width} x {height}")
    return width, height


def _checked_keypoints(values: Any) -> np.ndarray:
    """(18, 3) float32, read-only, missing joints all zero."""
    keypoints = numbers(values, "keypoints")
    if keypoints.shape != (18, 3):
        raise ValueError(
            "keypoints: expected 18 joints of x, y, confidence (nose, neck, ... as in Pose.JOINTS), "
            f"got shape {keypoints.shape}; write 0, 0, 0 for a missing joint"
        )
    if not np.isfinite(keypoints).all():
        joint = skeleton.JOINTS[int(np.argmin(np.isfinite(keypoints).all(1)))]
        raise ValueError(
            f"keypoints: expected finite numbers, got NaN or infinity at {joint}; write 0, 0, 0 if missing"
        )
    keypoints[~(keypoints[:, 2].astype(np.float32) > 0)] = 0
    farthest = np.abs(keypoints[:, :2]).max()
    if farthest > MAX_COORDINATE:
        raise ValueError(f"keypoints: expected pixels up to {MAX_COORDINATE:,.0f}, got {farthest:g}")
    keypoints = keypoints.astype(np.float32)
    if not keypoints[:, 2].any():
        raise ValueError("keypoints: every joint is missing; expected at least one with confidence above 0")
    keypoints.flags.writeable = False
    return keypoints
