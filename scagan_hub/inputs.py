"""What a caller gives the pipeline, read: one or many, and poses in any form that one can be had from."""

import os
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageColor

from .images.opening import Picture, open_image
from .poses.openpose import UNKNOWN_SIZE
from .poses.pose import Pose

PoseLike: TypeAlias = Pose | Picture | dict[str, Any]
"""What `read_pose` takes."""
Backdrop: TypeAlias = Picture | tuple[int, ...]
"""What `read_backdrop` takes."""

PLAIN, KEEP = "plain", "keep"  # backdrops: what the nets make, and the source's own


def read_pose(value: PoseLike, size: tuple[int, int] = UNKNOWN_SIZE) -> Pose:
    """A pose from a `Pose`, a photo (PIL, path or file), or OpenPose JSON (path, text or dict).

    Args:
        size: (width, height) of the picture that a JSON belongs to which doesn't say.

    Raises:
        ValueError: unreadable, not a pose, or nobody in the photo.
    """
    if isinstance(value, Pose):
        return value
    if isinstance(value, dict) or (isinstance(value, (str, os.PathLike)) and _is_json(os.fspath(value))):
        return Pose.from_openpose(value, size)
    return Pose.detect(value)


def read_backdrop(value: Backdrop) -> str | tuple[int, int, int] | Image.Image:
    """`PLAIN`, `KEEP`, a colour ("#aabbcc", its name or three numbers), or a picture (all that `open_image` takes).

    Raises:
        ValueError: something else, or an unreadable picture.
    """
    expected = 'expected "plain", "keep", a colour ("#aabbcc", its name or three numbers to 255) or a picture'
    if isinstance(value, str) and value in (PLAIN, KEEP):
        return value
    if isinstance(value, (tuple, list)):
        if len(value) != 3 or not all(isinstance(v, (int, np.integer)) and 0 <= v <= 255 for v in value):
            raise ValueError(f"backdrop: {expected}, got {str(value)[:80]}")
        red, green, blue = map(int, value)
        return red, green, blue
    if isinstance(value, str):
        try:
            return ImageColor.getrgb(value)[:3]
        except ValueError:
            if not os.path.exists(value):
                raise ValueError(f"backdrop: {expected}, got {value[:80]!r}") from None
    try:
        return open_image(value)
    except ValueError as error:
        raise ValueError(f"backdrop: {error}") from None


def scaled(pose: Pose, size: tuple[int, int]) -> Pose:
    """A source pose in the pixels of its picture of `size`, which may have been scaled since.

    Raises:
        ValueError: a pose of a picture of another shape.
    """
    (width, height), (pose_width, pose_height) = size, pose.size
    if abs(width * pose_height / (height * pose_width) - 1) > 0.02:
        raise ValueError(
            f"source_pose: expected a pose in a picture of {width} x {height} or of that shape, got one of "
            f"{pose_width} x {pose_height}; give the pose in the source image's pixels"
        )
    return pose.resize(size)


def listed(value: Any) -> list:
    """The values of a list or tuple; any other value alone."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def matching(name: str, value: Any, images: list) -> list:
    """One value an image, or None for every image where there is none.

    Raises:
        ValueError: more or fewer values than images.
    """
    values = [None] * len(images) if value is None else listed(value)
    if len(values) != len(images):
        raise ValueError(f"{name}: expected one for each of {len(images)} source images, got {len(values)}")
    return values


def content_maps(kind: str, size: tuple[int, int], edge: Picture | None, classes: Any) -> list[Image.Image]:
    """The pictures that say what to transfer from a source of `size`: edges, or a mask a class; none for drawn edges.

    Args:
        kind: of the model's `Content`.
        edge, classes: `source_edge` and `source_parsing` of one source.

    Raises:
        ValueError: a picture of another size or with other classes, what this kind doesn't take, or nothing where
            it needs something.
    """
    from .content import CLASSES  # here, since it loads torch

    if kind == "edges":
        if classes is not None:
            raise ValueError("source_parsing: this model transfers edges and takes none; leave it out")
        maps = [] if edge is None else [open_image(edge)]
    else:
        if edge is not None or classes is None:
            raise ValueError("this model transfers parsing maps: give source_parsing, and no source_edge")
        classes = np.asarray(classes)
        if classes.ndim != 2 or not np.isin(classes, range(CLASSES)).all():
            raise ValueError(f"source_parsing: expected a map (H,W) of classes 0 to {CLASSES - 1}, got another picture")
        maps = [Image.fromarray(np.uint8(255) * (classes == k)).convert("RGB") for k in range(CLASSES)]
    for picture in maps:
        if picture.size != size:
            name = "source_edge" if kind == "edges" else "source_parsing"
            raise ValueError(f"{name}: expected the source image's size {size}, got {picture.size}")
    return maps


def paired(targets: list, sources: list) -> list[tuple]:
    """Targets and sources side by side; a single one on either side meets all of the other.

    Raises:
        ValueError: none of either, or two lists of different lengths.
    """
    n, lengths = max(len(targets), len(sources)), {len(targets), len(sources)}
    if 0 in lengths or not lengths <= {1, n}:
        raise ValueError(
            "expected one source image, one target pose, or as many of either, got "
            f"{len(sources)} source images and {len(targets)} target poses"
        )
    return [(targets[i % len(targets)], sources[i % len(sources)]) for i in range(n)]


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") or text.lower().endswith(".json")
