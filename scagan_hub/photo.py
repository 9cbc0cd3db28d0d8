"""Photographs as people have them: any size, mode or orientation in; an RGB picture of the nets' size out."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from .pose import Pose

MAX_PIXELS = 40_000_000
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")  # none of them runs a program

# Of the body size: the room beside, and above and below the joints, for hands, head and feet, as in training.
MARGIN = np.array([0.15, 0.34])
NECK_TO_EYES = 0.5  # of the body size
BAND = 2_000_000  # pixels that are converted at a time
SLIDE = 0.08  # of the frame's width: so far off the middle may a person stand to keep the frame on the photo
_TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_NECK, _HEAD, _ANKLES = 1, [0, 14, 15, 16, 17], [10, 13]


def open_image(source) -> Image.Image:
    """A picture as RGB, upright, on white where it is transparent.

    Args:
        source: path, binary file object, or PIL image of any mode (also 16-bit, CMYK, palette, grey). The
            content decides what it is, not the name. Of an animation the first frame is taken.

    Raises:
        ValueError: no such file, no picture, damaged, smaller than 16 pixels, or more than 40 megapixels.
    """
    if isinstance(source, Image.Image):
        return _upright_rgb(source, "picture")
    if hasattr(source, "read"):
        return decode(source, "picture")
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(f"picture: expected a path, an open file or a PIL image, got {type(source).__name__}")
    shown = str(source)[:200]
    try:
        if not Path(source).is_file():
            raise ValueError(f"{shown}: no such file; give the path of a photograph")
        with open(source, "rb") as file:
            return decode(file, shown)
    except OSError as error:
        raise ValueError(f"{shown}: cannot be read: {error.strerror or error}") from None


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


def decode(file, shown: str, formats=FORMATS, tiff=None, largest: int | None = None) -> Image.Image:
    """What `open_image` does, of an open file that messages call `shown`.

    Args:
        formats: names of the decoders that may be tried.
        tiff: compressions that a TIFF may have; None: all.
        largest: pixels of the longer side beyond which the picture is scaled down.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file, formats=formats)
    except Image.DecompressionBombError:
        raise ValueError(f"{shown}: more than {MAX_PIXELS // 10**6} megapixels; scale it down") from None
    except UnidentifiedImageError:
        raise ValueError(f"{shown}: not a picture that can be read; give a JPEG, PNG, WebP or TIFF") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on a damaged header
        raise ValueError(f"{shown}: damaged picture ({_reason(error)}); save it again or try another") from None
    if image.format == "TIFF" and tiff and image.info.get("compression") not in tiff:
        raise ValueError(f"{shown}: a compressed TIFF; save it as JPEG or PNG")
    return _upright_rgb(image, shown, largest)


def _upright_rgb(image: Image.Image, shown: str, largest: int | None = None) -> Image.Image:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"{shown}: more than {MAX_PIXELS // 10**6} megapixels ({width} x {height}); scale it down")
    if min(width, height) < MIN_SIDE:
        raise ValueError(f"{shown}: expected at least {MIN_SIDE} x {MIN_SIDE} pixels, got {width} x {height}")
    try:
        if largest and max(width, height) > largest:
            image.draft(None, (largest // 2, largest // 2))  # a JPEG can be read at half its size
        image.load()
        picture = _rgb(image)
        if largest and max(picture.size) > largest:
            picture = picture.reduce(-(-max(picture.size) // largest))
        if (turn := _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))) is not None:
            picture = picture.transpose(turn)
        return picture
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise ValueError(f"{shown}: damaged picture ({_reason(error)}); save it again or try another") from None


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]


def _rgb(image: Image.Image) -> Image.Image:
    """In RGB, on white; a large picture band by band, for half the memory."""
    width, height = image.size
    rows = max(1, BAND // width)
    if height <= rows or image.mode == "RGB" or image.mode.startswith("F"):
        return _band(image)
    picture = Image.new("RGB", image.size)
    for top in range(0, height, rows):
        picture.paste(_band(image.crop((0, top, width, min(top + rows, height)))), (0, top))
    return picture


def _band(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16-bit grey, or floats in [0, 1] or [0, 255]
        values = np.nan_to_num(np.asarray(image, np.float64))
        full = 65535 if image.mode != "F" else 1 if values.max() <= 1 else 255
        image = Image.fromarray(np.rint(np.clip(values / full, 0, 1) * 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


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
