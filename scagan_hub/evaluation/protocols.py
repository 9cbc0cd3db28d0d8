"""What a figure was measured by: a protocol's name stands with every figure, and decides how pictures are compared.

Where their facts are from (read, not copied): `scagan-2021` the release's evaluation, of the PATN family; `gfla-2020`
script/metrics.py of github.com/RenYurui/Global-Flow-Local-Attention and its PERSON_IMAGE_GENERATION.md ("for FID, the
real data distributions are calculated over the whole training set"); `cfld-2024` models/metrics.py, datasets/ and
pose_transfer_test.py of github.com/YanzuoLu/CFLD. Three things of theirs are not reproduced: GFLA's script leaves the
pictures after the last full batch of 64 out of FID and LPIPS; CFLD resizes generated pictures as tensors, we as images;
PCDMs' copy of the script (github.com/tencent-ailab/PCDMs, metrics.py) computes SSIM_256 with a sigma of 1.2, not 1.5.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PERSON = " (person)"  # after a metric's name: measured inside the reference's parsing map alone
LOWER_IS_BETTER = {"L1", "FID", "LPIPS", "LPIPS-VGG16", "FD-VGG16", "face distance"}


@dataclass(frozen=True)
class Protocol:
    """How pictures are prepared before anything is measured, and by what it is.

    Args:
        name: what stands with every figure.
        padding: white columns put at either side of every picture.
        splits: parts, in the order of the pairs, that the Inception score is the mean over; 0: it has none.
        description: for people, in reports.
        image_size: (height, width) that its published figures are of; None: any.
        resized: whether pictures of other sizes are brought to `image_size` (bicubic) instead of compared as they are.
        inception: the net of FID, one of `weights.WEIGHTS`.
        training: whether FID is to all training pictures instead of the targets.
        wide_window: whether there is SSIM of a uniform window of 51 x 51 pixels ("SSIM-51") besides.
    """

    name: str
    padding: int
    splits: int
    description: str
    image_size: tuple[int, int] | None = None
    resized: bool = False
    inception: str = "Inception-2015"
    training: bool = False
    wide_window: bool = False

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 (N,H,W,3) -> (N,H,W + 2 padding,3); a mask (N,H,W) bool is padded with False."""
        if not self.padding:
            return pictures
        margins = [(0, 0), (0, 0), (self.padding, self.padding), (0, 0)][: pictures.ndim]
        return np.pad(pictures, margins, constant_values=0 if pictures.dtype == bool else 255)


_GFLA = {"image_size": (256, 176), "inception": "Inception-torchvision", "training": True, "wide_window": True}
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
            image_size=(256, 176),
        ),
        Protocol(
            "gfla-2020",
            0,
            0,
            "that of GFLA and those who share its script: unpadded; FID to all training pictures, by torchvision's "
            "Inception; LPIPS v0.1 with AlexNet; SSIM is what the script calls SSIM_256, SSIM-51 what it calls SSIM",
            **_GFLA,
        ),
        Protocol(
            "cfld-2024",
            0,
            0,
            "that of CFLD: as gfla-2020, of pictures brought to 176 x 256 (bicubic) from whatever size",
            **_GFLA,
            resized=True,
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
