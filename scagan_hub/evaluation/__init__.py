"""Figures that name their protocol."""

from .distributions import frechet_distance, inception_score
from .keypoints import pckh
from .metrics import l1, psnr, ssim
from .protocols import PROTOCOLS, published

__all__ = ["PROTOCOLS", "frechet_distance", "inception_score", "l1", "pckh", "psnr", "published", "ssim"]
