"""The person in a photo framed: a photo of any size and a pose in it in, an RGB picture of the nets' size out."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..poses.pose import Pose

# Of the body size: the room beside, and above and below the joints, for hands, head and feet, as in training.
MARGIN = np.array([0.15, 0.34])
NECK_TO_EYES = 0.5  # of the body size
SLIDE = 0.08  # of the frame's width: so far off the middle may a person stand to keep the frame on the photo
_NECK, _HEAD, _ANKLES = 1, [0, 14, 15, 16, 17], [10, 13]


def fit_photo(image: Image.Image, pose: Pose, size=(176, 256), beyond=None) -> tuple[Image.Image, Pose]:
    """The person cropped out of a photo into a picture of the nets' size, never squashed, and the pose there.

    The frame leaves as much room round the joints as the training pictures do. Where it passes the photo's end
    it is filled with one colour; but where the person passes the photo's end (no ankles, no head) the frame ends
    there too: a half-body photo stays one. A photo that already has `size` comes back unchanged.

    Args:
        image: RGB picture of pose.size.
        pose: the person to keep; joints outside the photo are ignored.
        size: (width, height) of the result.
        beyond: colour beyond the photo's end; None: the median of the photo's border.

    Raises:
        ValueError: the pose belongs to a picture of another size, or lies outside of it.
    """
    if image.size != pose.size:
        raise ValueError(
            f"photo and pose: expected one size, got {image.size} and {pose.size}; "
            "use the pose detected in this photo, or pose.resize(image.size)"
        )
    if image.size == tuple(size):
        return image, pose
    left, top, scale = framing(pose, size)
    pose = pose.drop_outside().transform((scale, scale), (-left * scale, -top * scale), size)
    return _framed(image, left, top, scale, size, beyond), pose


def framing(pose: Pose, size=(176, 256)) -> tuple[float, float, float]:
    """Where the frame of `fit_photo` begins, x and y in the photo's pixels, and pixels of the result per one there."""
    if pose.size == tuple(size):
        return 0.0, 0.0, 1.0
    left, top, right, _ = _frame(pose.drop_outside(), size[0] / size[1])
    return left, top, size[0] / (right - left)


def _frame(pose: Pose, aspect: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what to show, in the photo's pixels and beyond; width / height = aspect."""
    width, height = pose.size
    points = pose.points[pose.present]
    body = min(pose.body_size or max(pose.size), max(pose.size))
    (left, top), (right, bottom) = points.min(0) - MARGIN * body, points.max(0) + MARGIN * body
    headless, footless = not pose.present[_HEAD].any(), not pose.present[_ANKLES].any()
    if headless and pose.present[_NECK]:  # seen from behind, or cut off
        top = min(top, pose.points[_NECK, 1] - (NECK_TO_EYES + MARGIN[1]) * body)
    if headless:
        top = max(top, 0)
    if footless:
        bottom = min(bottom, height)

    wider = max(0, (bottom - top) * aspect - (right - left)) / 2
    taller = max(0, (right - left) / aspect - (bottom - top)) / 2
    left, right, top, bottom = left - wider, right + wider, top - taller, bottom + taller
    if footless and bottom > height:
        top, bottom = top - (bottom - height), height
    elif headless and top < 0:
        top, bottom = 0, bottom - top
    slide = SLIDE * (right - left)
    shift = np.clip(max(0, -left) - max(0, right - width), -slide, slide)
    return left + shift, top, right + shift, bottom


def _framed(image: Image.Image, left: float, top: float, scale: float, size, beyond) -> Image.Image:
    """The frame that begins at (left, top), scaled to `size`, filled up with `beyond` or the border's colour."""
    start = np.array([left, top])
    # The pixels of the result that the photo covers, [first, last), and where they lie in the photo.
    first = np.ceil(np.clip(-start * scale, 0, size)).astype(int)
    last = np.floor(np.clip((np.array(image.size) - start) * scale, 0, size)).astype(int)
    last = np.maximum(last, first + 1)
    low = np.clip(start + first / scale, 0, np.array(image.size) - 1)
    high = np.clip(start + last / scale, low + 1, image.size)
    part = image.resize(tuple(last - first), Image.Resampling.LANCZOS, (*low, *high), reducing_gap=3.0)
    pixels = np.asarray(part)
    border = np.concatenate([pixels[0], pixels[:, 0], pixels[:, -1]])  # the lower one is floor, or clothes
    canvas = Image.new("RGB", tuple(size), beyond or tuple(np.median(border, 0).astype(int).tolist()))
    canvas.paste(part, tuple(first.tolist()))
    return canvas
