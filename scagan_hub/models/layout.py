"""Memory layouts: nets run in channels_last, but are trained in PyTorch's default one where that is slow."""

import torch


def training_layout(device: torch.device) -> torch.memory_format:
    """The layout to train in.

    Forward passes gain by channels_last everywhere; but on CPUs without AVX-512 the gradients of a convolution's
    weights take up to five times as long in it.
    """
    if device.type == "cpu" and "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return torch.contiguous_format
    return torch.channels_last


def layout_of(x: torch.Tensor) -> torch.memory_format:
    """channels_last or the default, as a tensor (B,C,H,W) lies in memory; the default where it could be either."""
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last
