"""Image files, decoded; what is wrong with one is said in a line that names it."""

from pathlib import Path

import numpy as np
from PIL import Image

from ..images.opening import FORMATS, as_rgb

PARSING = ("background", "hair", "face", "top", "bottom", "shoes", "arms", "legs")  # left and right are one class


class BadImage(ValueError):
    """A file that is no image of the data set, or else not what should be there, in one line.

    A worker of a DataLoader hands an exception on with its traceback in the message; the last line is the message.
    """

    def __init__(self, message: str):
        super().__init__(message.strip().rpartition("\n")[2].removeprefix(f"{__name__}.BadImage: "))


def check_ordinary(path: Path) -> None:
    """Raises ValueError for a pipe, which would be waited for without an end, a device or a folder."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no ordinary file")


def read_image(path: Path, image_size: tuple[int, int] | None = None) -> Image.Image:
    """The decoded image.

    Args:
        image_size: (height, width) that it must have.
    Raises:
        BadImage: it is missing, damaged, no picture, or of another size.
    """
    try:
        check_ordinary(path)
        with Image.open(path, formats=FORMATS) as image:
            if image_size is None or image.size == tuple(image_size[::-1]):
                image.load()
    except Exception as error:  # decoders raise nearly anything on damaged data
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadImage(f"{path}: cannot be read: {said.replace(str(path), path.name)}") from error
    if image_size is not None and image.size != tuple(image_size[::-1]):
        width, height = image.size
        raise BadImage(
            f"{path}: expected {image_size[1]} x {image_size[0]} pixels as all images, got {width} x {height}"
        )
    return image


def read_rgb(path: Path, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """The picture, uint8 (H,W,3), whatever its file's mode: 16-bit values are scaled, transparency lies on white.

    Raises:
        BadImage: as `read_image`.
    """
    return np.asarray(as_rgb(read_image(path, image_size)))


def read_parsing(path: Path, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """A parsing map, (H,W) uint8: indices of `PARSING`.

    Raises:
        BadImage: as `read_image`, or it has no palette, or other classes.
    """
    image = read_image(path, image_size)
    classes = np.asarray(image)
    if image.mode not in ("P", "L") or classes.max() >= len(PARSING):
        raise BadImage(f"{path}: expected a palette PNG of the classes 0 to {len(PARSING) - 1}")
    return classes
