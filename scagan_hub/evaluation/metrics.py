"""Full-reference metrics: uint8 pictures (N,H,W,3) in, one value a pair out.

SSIM is our own: it is the mean of torchmetrics' SSIM map without its border (a test holds the two together), but
torchmetrics filters with a two-dimensional window, and is precise enough in float64 only (`benchmarks/evaluation.py`).
"""

import numpy as np
import torch
import torch.nn.functional as F

from .protocols import find

WINDOW, SIGMA = 11, 1.5
WIDE = 51
K1, K2 = 0.01, 0.03
CHUNK = {"cpu": 1}  # pictures filtered together: one fills a CPU's cache
DEFAULT_CHUNK = 64


def ssim(generated, reference, protocol: str = "unpadded", mask=None, device: str = "cpu") -> np.ndarray:
    """Structural similarity (Wang et al. 2004) as the SCA-GAN release computes it, up to 1 for equal pictures.

    Gaussian window of sigma 1.5, population covariance, channels averaged, the generated picture's range as data
    range, a border of 5 pixels left out of the mean.

    Args:
        generated, reference: uint8 (N,H,W,3).
        protocol: one of `PROTOCOLS`.
        mask: bool (N,H,W), the pixels that the mean is taken over (a person's); None: all.
        device: where it is computed.
    Returns:
        (N,) float64; NaN where a mask is empty.
    Raises:
        ValueError: on other shapes or types, an unknown protocol, or pictures smaller than the window.
    """
    return full_reference(generated, reference, protocol, [mask], device, ("SSIM",))["SSIM"][0]


def ssim_wide(generated, reference, device: str = "cpu") -> np.ndarray:
    """Structural similarity as GFLA's script computes it beside the usual one: (N,) float64.

    Uniform window of 51 x 51 pixels, sample covariance, a data range of 1 for pictures in [0, 1], channels averaged, a
    border of 25 pixels left out of the mean.

    Args:
        generated, reference: uint8 (N,H,W,3).
        device: where it is computed.
    Raises:
        ValueError: on other shapes or types, or pictures smaller than the window.
    """
    arrays = _checked(generated, reference, WIDE)
    sample = WIDE**2 / (WIDE**2 - 1)

    def smooth(maps: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(F.avg_pool2d(maps, (WIDE, 1), 1), (1, WIDE), 1)

    found = []
    for pair in zip(*arrays, strict=True):
        a, b = (torch.from_numpy(x).to(device).permute(2, 0, 1).double() / 255 for x in pair)  # (3,H,W)
        mean_a, mean_b, aa, bb, ab = (smooth(x[None])[0] for x in (a, b, a * a, b * b, a * b))
        covariance, variance = sample * (ab - mean_a * mean_b), sample * (aa - mean_a**2 + bb - mean_b**2)
        structure = (2 * covariance + K2**2) / (variance + K2**2)
        luminance = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
        found.append(float((structure * luminance).mean()))
    return np.array(found)


def l1(generated, reference, protocol: str = "unpadded", mask=None, device: str = "cpu") -> np.ndarray:
    """Mean absolute difference of pictures in [0, 1]; arguments and result as in `ssim`."""
    return full_reference(generated, reference, protocol, [mask], device, ("L1",))["L1"][0]


def psnr(generated, reference, protocol: str = "unpadded", mask=None, device: str = "cpu") -> np.ndarray:
    """Peak signal-to-noise ratio in dB, infinite for equal pictures; arguments and result as in `ssim`."""
    return full_reference(generated, reference, protocol, [mask], device, ("PSNR",))["PSNR"][0]


def full_reference(
    generated, reference, protocol: str = "unpadded", masks=(None,), device: str = "cpu", names=("SSIM", "PSNR", "L1")
) -> dict[str, np.ndarray]:
    """Several of "SSIM", "PSNR" and "L1" over several masks at once; arguments as in `ssim`.

    Returns:
        {name: (M,N) float64}, a row a mask.
    """
    chosen, arrays = find(protocol), _checked(generated, reference)
    arrays = [chosen.apply(array) for array in arrays]
    masks = [None if mask is None else chosen.apply(_checked_mask(mask, generated)) for mask in masks]
    chunk = CHUNK.get(torch.device(device).type, DEFAULT_CHUNK)
    values: dict[str, list] = {name: [] for name in names}
    for start in range(0, len(arrays[0]), chunk):
        part = slice(start, start + chunk)
        a, b = (torch.from_numpy(x[part]).to(device).permute(0, 3, 1, 2).float() for x in arrays)  # (n,3,H,W)
        weights = [None if mask is None else torch.from_numpy(mask[part]).to(device)[:, None] for mask in masks]
        for name in names:
            make, finish = _METRICS[name]
            found = make(a, b)
            values[name].append(finish(torch.stack([_mean(found, weight) for weight in weights])).cpu())
    return {name: torch.cat(found, 1).numpy() if found else np.zeros((len(masks), 0)) for name, found in values.items()}


def _checked(generated, reference, least: int = WINDOW) -> list[np.ndarray]:
    generated, reference = np.asarray(generated), np.asarray(reference)
    if generated.shape != reference.shape or generated.ndim != 4 or generated.shape[3] != 3:
        shapes = f"{generated.shape} and {reference.shape}"
        raise ValueError(f"expected two uint8 arrays of one shape (N, H, W, 3), got {shapes}")
    if generated.dtype != np.uint8 or reference.dtype != np.uint8:
        raise ValueError(f"expected uint8 pictures, got {generated.dtype} and {reference.dtype}")
    if min(generated.shape[1:3]) < least:
        height, width = generated.shape[1:3]
        raise ValueError(f"expected pictures of at least {least} x {least} pixels, got {width} x {height}")
    return [generated, reference]


def _checked_mask(mask, generated) -> np.ndarray:
    mask, shape = np.asarray(mask), np.shape(generated)[:3]
    if mask.shape != shape or mask.dtype != bool:
        raise ValueError(f"mask: expected bool {shape}, got {mask.dtype} {mask.shape}")
    return mask


def _mean(values: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Mean of (n,3,h,w) over channels and the pixels that weight (n,1,H,W) picks, None: all; (n,) float64.

    Values of a map without its border fall on the middle of the weight.
    """
    if weight is None:
        return values.mean((1, 2, 3), dtype=torch.float64)
    border = (weight.shape[2] - values.shape[2]) // 2
    weight = weight[..., border : weight.shape[2] - border, border : weight.shape[3] - border].double()
    return (values.double() * weight).sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)))


def _ssim_map(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a, b (n,3,H,W) in 0..255 -> (n,3,H-10,W-10).

    Written in difference and sum of the two, (1 - md²/(ma² + mb² + c1)) (1 - vd/(va + vb + c2)), which needs four
    filtered maps instead of five, and stays precise in float32 where pictures are alike. In place, as much as can be:
    memory is what takes the time.
    """
    spread = (a.amax((1, 2, 3)) - a.amin((1, 2, 3)))[:, None, None, None]
    spread = torch.where(spread > 0, spread, 255.0)
    c1, c2 = 2 * (K1 * spread) ** 2, 2 * (K2 * spread) ** 2
    difference, total = a - b, (a + b).sub_(255)
    maps = torch.cat([difference, total, difference * difference, total * total], 1)  # (n,12,H,W)
    mean_d, mean_t, square_d, square_t = _filter(maps).split(3, dim=1)
    variance_d = torch.addcmul(square_d, mean_d, mean_d, value=-1)
    variance_t = torch.addcmul(square_t, mean_t, mean_t, value=-1)
    mean_d, mean_t = mean_d.square().mul_(2), mean_t.add(255).square_()
    luminance = mean_d.div_(mean_t.add_(mean_d, alpha=0.5).add_(c1)).neg_().add_(1)
    variance_t.add_(variance_d).add_(c2)
    return variance_d.mul_(-2).div_(variance_t).add_(1).mul_(luminance)


def _filter(maps: torch.Tensor) -> torch.Tensor:
    """The Gaussian window over rows, then columns, where it fits: (n,C,H,W) -> (n,C,H-10,W-10)."""
    channels, distance = maps.shape[1], torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-(distance**2) / (2 * SIGMA**2))
    window = (window / window.sum()).to(maps).expand(channels, 1, 1, WINDOW)
    maps = F.conv2d(maps, window.mT.contiguous(), groups=channels)
    return F.conv2d(maps, window.contiguous(), groups=channels).contiguous()  # which what follows is faster in


_METRICS = {  # the map (n,3,h,w) of two pictures, and what is made of its means
    "SSIM": (_ssim_map, lambda mean: mean),
    "PSNR": (lambda a, b: (a - b).square_(), lambda mean: -10 * torch.log10(mean / 255**2)),
    "L1": (lambda a, b: (a - b).abs_(), lambda mean: mean / 255),
}
