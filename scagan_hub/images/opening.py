"""Photographs as people have them: any size, mode or orientation in; RGB and upright out."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

MAX_PIXELS = 40_000_000
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")  # none of them runs a program
BAND = 2_000_000  # pixels that are converted at a time
_TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Picture: TypeAlias = Image.Image | str | os.PathLike[str] | IO[bytes]
"""What `open_image` takes."""


def open_image(source: Picture) -> Image.Image:
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
        picture = as_rgb(image)
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


def as_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture of any mode as RGB: 16-bit values and floats are scaled, transparency lies on white.

    A large one is turned band by band, for half the memory.
    """
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
