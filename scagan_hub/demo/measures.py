"""Figures of one picture against the true one, under their protocol's name."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from PIL import Image

from .. import evaluation

PROTOCOL = "unpadded"
METRICS = {"SSIM": evaluation.ssim, "L1": evaluation.l1, "PSNR": evaluation.psnr}
BEST = {"SSIM": max, "L1": min, "PSNR": max, "LPIPS": min}
UNMEASURED = "No true picture of this person in this pose is known, so nothing is measured."


def measured(picture: Image.Image, truth: Image.Image) -> dict[str, float]:
    """Every metric of a pair of RGB pictures of one size; LPIPS where there is one."""
    pair = np.array([picture]), np.array([truth])
    figures = {name: float(metric(*pair, PROTOCOL)[0]) for name, metric in METRICS.items()}
    distance = lpips()
    return figures | ({"LPIPS": distance(*pair)} if distance else {})


@cache
def lpips() -> Callable[[np.ndarray, np.ndarray], float] | None:
    """LPIPS with AlexNet of two uint8 (1,H,W,3), where its weights are on this machine: a request fetches nothing."""
    from ..evaluation.lpips import Lpips
    from ..features.weights import locate

    try:
        net = Lpips("AlexNet", locate("AlexNet", download=False)[0])
    except (ValueError, ImportError):  # not here, or damaged; or torchvision's, which needs the extra `metrics`
        return None

    @torch.inference_mode()
    def distance(*pair: np.ndarray) -> float:
        return float(net(*map(torch.from_numpy, pair)))

    return distance


def written(metric: str, value: float) -> str:
    return f"{value:.1f} dB" if metric == "PSNR" else f"{value:.3f}"


def sentence(picture: Image.Image, truth: Image.Image | None) -> str:
    """The figures of a picture in a line of Markdown, where the true one is known and of its size."""
    if truth is None or truth.size != picture.size:
        return UNMEASURED
    figures = " · ".join(f"{name} **{written(name, value)}**" for name, value in measured(picture, truth).items())
    width, height = picture.size
    return f"{figures}, measured on this picture and the true one (protocol `{PROTOCOL}`, {height} x {width})."
