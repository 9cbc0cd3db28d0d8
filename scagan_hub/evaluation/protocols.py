"""What a figure was measured by: a protocol's name stands with every figure, and decides how pictures are compared."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PERSON = " (person)"  # after a metric's name: measured inside the reference's parsing map alone
LOWER_IS_BETTER = {"L1", "FID", "LPIPS", "LPIPS-VGG16", "FD-VGG16"}


@dataclass(frozen=True)
class Protocol:
    """How pictures are prepared before anything is measured.

    Args:
        name: what stands with every figure.
        padding: white columns put at either side of every picture.
        splits: parts, in the order of the pairs, that the Inception score is the mean over.
        description: for people, in reports.
        image_size: (height, width) that its published figures are of; None: any.
    """

    name: str
    padding: int
    splits: int
    description: str
    image_size: tuple[int, int] | None = None

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 (N,H,W,3) -> (N,H,W + 2 padding,3); a mask (N,H,W) bool is padded with False."""
        if not self.padding:
            return pictures
        margins = [(0, 0), (0, 0), (self.padding, self.padding), (0, 0)][: pictures.ndim]
        return np.pad(pictures, margins, constant_values=0 if pictures.dtype == bool else 255)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("unpadded", 0, 10, "pictures compared as they are"),
        Protocol(
            "scagan-2021",
            40,
            10,
            "that of the published tables: 40 white columns at either side (176 x 256 becomes 256 x 256), "
            "which raises SSIM by about .1; Inception-2015, ten splits; LPIPS v0.1 with AlexNet",
            (256, 176),
        ),
    )
}


def find(name: str) -> Protocol:
    """The protocol of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"unknown protocol {name!r}; expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def better(metric: str) -> str:
    """Which values of a metric, whatever it is of, are better: "higher", "lower" or "nearer to 1"."""
    whole = metric.partition(" (")[0]
    if whole == "sharpness":
        return "nearer to 1"
    return "lower" if whole in LOWER_IS_BETTER else "higher"


def published() -> list[dict]:
    """Tables 1 and 2 of the paper, in the form of `compare`'s JSON, with a `title` each."""
    return json.loads((Path(__file__).parents[1] / "assets" / "published.json").read_text(encoding="utf-8"))
