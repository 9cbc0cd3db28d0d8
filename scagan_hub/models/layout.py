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
    """channels_last or the default, as a tensor (B,C,H,W), or part of its channels, lies in memory; the default where
    it could be either."""
    either = x.shape[1] == 1 or x.shape[2:].numel() == 1
    return torch.channels_last if x.stride(1) == 1 and not either else torch.contiguous_format
