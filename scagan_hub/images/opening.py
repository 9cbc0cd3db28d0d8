"""Photographs as people have them: any size, mode or orientation in; RGB and upright out."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 40_000_000
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")  # none of them runs a program

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
        return _decoded(source, "picture")
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(f"picture: expected a path, an open file or a PIL image, got {type(source).__name__}")
    shown = str(source)[:200]
    try:
        if not Path(source).is_file():
            raise ValueError(f"{shown}: no such file; give the path of a photograph")
        with open(source, "rb") as file:
            return _decoded(file, shown)
    except OSError as error:
        raise ValueError(f"{shown}: cannot be read: {error.strerror or error}") from None


def _decoded(file, shown: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise ValueError(f"{shown}: more than {MAX_PIXELS // 10**6} megapixels; scale it down") from None
    except UnidentifiedImageError:
        raise ValueError(f"{shown}: not a picture that can be read; give a JPEG, PNG, WebP or TIFF") from None
    except Exception as error:  # decoders raise nearly anything on a damaged header
        raise ValueError(f"{shown}: damaged picture ({_reason(error)}); save it again or try another") from None
    return _upright_rgb(image, shown)


def _upright_rgb(image: Image.Image, shown: str) -> Image.Image:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"{shown}: more than {MAX_PIXELS // 10**6} megapixels ({width} x {height}); scale it down")
    if min(width, height) < MIN_SIDE:
        raise ValueError(f"{shown}: expected at least {MIN_SIDE} x {MIN_SIDE} pixels, got {width} x {height}")
    try:
        image.load()
        return _rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise ValueError(f"{shown}: damaged picture ({_reason(error)}); save it again or try another") from None


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16-bit grey, or floats in [0, 1] or [0, 255]
        values = np.nan_to_num(np.asarray(image, np.float64))
        full = 65535 if image.mode != "F" else 1 if values.max() <= 1 else 255
        image = Image.fromarray(np.rint(np.clip(values / full, 0, 1) * 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
