"""Full-reference metrics, a function each: uint8 pictures (N,H,W,3) in, one value a pair out.

Protocols: "scagan-2021" is the published one (40 white columns each side of a 176-wide picture, which raises
SSIM by about .1); "unpadded" compares the pictures as they are.
"""

import numpy as np
import torch

PROTOCOLS = ("scagan-2021", "unpadded")
PADDING = 40
BORDER = 5


def _pairs(generated, reference, protocol: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Both as float64 (N,3,H,W) in 0..255, padded as the protocol says."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    arrays = [np.asarray(pictures) for pictures in (generated, reference)]
    if arrays[0].shape != arrays[1].shape or arrays[0].ndim != 4 or arrays[0].shape[3] != 3:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise ValueError(f"expected two uint8 arrays of one shape (N, H, W, 3), got {shapes}")
    if any(array.dtype != np.uint8 for array in arrays):
        raise ValueError(f"expected uint8 pictures, got {arrays[0].dtype} and {arrays[1].dtype}")
    if protocol == "scagan-2021":
        margins = ((0, 0), (0, 0), (PADDING, PADDING), (0, 0))
        arrays = [np.pad(array, margins, constant_values=255) for array in arrays]
    generated, reference = (torch.from_numpy(array).permute(0, 3, 1, 2).double() for array in arrays)
    return generated, reference


def ssim(generated, reference, protocol: str = "unpadded") -> np.ndarray:
    """Structural similarity (Wang et al. 2004) as the SCA-GAN release computes it, up to 1 for equal pictures.

    Gaussian window of sigma 1.5, population covariance, channels averaged, the generated picture's range as data
    range, a border of 5 pixels left out of the mean.

    Args:
        generated, reference: uint8 (N,H,W,3).
    Returns:
        (N,) float64.
    Raises:
        ValueError: on other shapes or types, or an unknown protocol.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    values = []
    for a, b in zip(*_pairs(generated, reference, protocol), strict=True):
        data_range = float(a.max() - a.min()) or 255.0
        _, full = structural_similarity_index_measure(
            a[None], b[None], sigma=1.5, data_range=data_range, return_full_image=True
        )
        values.append(full[..., BORDER:-BORDER, BORDER:-BORDER].mean().item())
    return np.array(values)


def l1(generated, reference, protocol: str = "unpadded") -> np.ndarray:
    """Mean absolute difference of pictures in [0, 1]; arguments and result as in `ssim`."""
    a, b = _pairs(generated, reference, protocol)
    return ((a - b).abs().mean(dim=(1, 2, 3)) / 255).numpy()


def psnr(generated, reference, protocol: str = "unpadded") -> np.ndarray:
    """Peak signal-to-noise ratio in dB, infinite for equal pictures; arguments and result as in `ssim`."""
    a, b = _pairs(generated, reference, protocol)
    mse = (a - b).square().mean(dim=(1, 2, 3)) / 255**2
    return (-10 * torch.log10(mse)).numpy()
