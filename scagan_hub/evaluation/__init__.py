"""Figures that name their protocol."""

from .metrics import PROTOCOLS, l1, psnr, ssim

__all__ = ["PROTOCOLS", "l1", "psnr", "ssim"]
