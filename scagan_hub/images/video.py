"""Pictures of one person in many poses -> a file that moves: .mp4, .gif or .webp."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..files.extras import need

FORMATS = (".mp4", ".gif", ".webp")


def check_format(path) -> Path:
    """Refuse a file name that no animation can be written to.

    Raises:
        ValueError: another suffix than those of `FORMATS`.
        ImportError: an .mp4 without the extra `video`.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(FORMATS)}, got {path.suffix!r}")
    if path.suffix.lower() == ".mp4":
        need("av", "an .mp4", "write a .gif")
    return path


def write_animation(pictures: Sequence[Image.Image], path, fps: float = 12):
    """Write RGB pictures of one size as an animation; GIF and WebP run in an endless loop.

    Args:
        pictures: at least one.
        path: its suffix decides on the format: .mp4 (H.264, yuv420p; an odd size loses its last row or
            column), .gif or .webp.
        fps: pictures a second.

    Raises:
        ValueError: no picture, or an unknown suffix.
        ImportError: an .mp4 without the extra `video`.
    """
    path = check_format(path)
    if not pictures:
        raise ValueError("an animation needs at least one picture, got none")
    if path.suffix.lower() == ".mp4":
        _write_mp4(pictures, path, fps)
        return
    options = {"quality": 90} if path.suffix.lower() == ".webp" else {}
    first, *rest = pictures
    first.save(path, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, **options)


def _write_mp4(pictures: Sequence[Image.Image], path: Path, fps: float):
    from fractions import Fraction

    import av

    width, height = (length // 2 * 2 for length in pictures[0].size)  # yuv420p halves both
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB"))[:height, :width], "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
