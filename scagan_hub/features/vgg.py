"""VGG16 and VGG19 as feature nets, which run only as deep as a loss looks.

VGG19 is the paper's: from the Hub, or from a local file of torchvision's or timm's names. VGG16 is torchvision's and
LPIPS', whose package on PyPI carries it.
"""

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from .weights import fill, locate

CONVS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)
HUB_VGG19 = "timm/vgg19.tv_in1k"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VGG(nn.Module):
    """The convolutions of VGG16 or VGG19, named `conv1_1` ... as in the papers; frozen.

    Args:
        depth: 16 or 19.
        preprocessing: what is done to images in [-1, 1]: "imagenet" (its statistics) or "raw" (nothing, see `raw`).

    Attributes:
        perceptual_layers, contextual_layers: what the losses look at unless told otherwise; the release's.
    """

    perceptual_layers = ("relu1_2",)
    contextual_layers = ("relu3_2", "relu4_2")

    def __init__(self, depth: int = 19, preprocessing: str = "imagenet"):
        super().__init__()
        self.name, self.preprocessing = f"vgg{depth}", preprocessing
        channels = 3
        for stage, (count, width) in enumerate(zip(CONVS[depth], WIDTHS, strict=True), start=1):
            for i in range(1, count + 1):
                self.add_module(f"conv{stage}_{i}", nn.Conv2d(channels, width, 3, padding=1))
                channels = width
        self.requires_grad_(False)

    def forward(self, image: torch.Tensor, layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """image (B,3,H,W) in [-1, 1] -> the named features, such as "relu3_2" (B,256,H/4,W/4)."""
        x, stage, features = self._preprocess(image), "1", {}
        missing = set(layers)
        for name, conv in self.named_children():
            if name[4] != stage:
                x, stage = F.max_pool2d(x, 2), name[4]
            x = F.relu(conv(x))
            layer = name.replace("conv", "relu")
            if layer in missing:
                features[layer] = x
                missing.remove(layer)
            if not missing:
                return features
        raise ValueError(f"VGG has no layer {sorted(missing)}; name layers like 'relu3_2'")

    def raw(self) -> "VGG":
        """The same net, fed images in [-1, 1] as they are, as the SCA-GAN release feeds its contextual loss."""
        twin = copy.copy(self)
        twin.preprocessing = "raw"
        return twin

    def _preprocess(self, image: torch.Tensor) -> torch.Tensor:
        if self.preprocessing == "raw":
            return image
        mean, std = image.new_tensor(IMAGENET_MEAN), image.new_tensor(IMAGENET_STD)
        return ((image + 1) / 2 - mean[:, None, None]) / std[:, None, None]


def vgg16(path: str | Path | None = None) -> VGG:
    """VGG16 with torchvision's weights.

    Args:
        path: a file that `weights.locate` gives; None: looked for, and fetched through pip if need be.
    Raises:
        ValueError: when the weights cannot be had, or the file isn't those.
    """
    path = locate("VGG16")[0] if path is None else Path(path)
    vgg = VGG(16)
    fill(list(vgg.children()), path, "VGG16")
    return vgg


def vgg19(path: str | Path | None = None) -> VGG:
    """VGG19 from a file of torchvision's or timm's names (`features.0.weight` ...), .safetensors or .pth.

    Args:
        path: None: from the Hub, or its cache.
    Raises:
        ValueError: when the Hub cannot be reached, or the file cannot be read or lacks a convolution.
    """
    path = _from_hub() if path is None else path
    try:
        if str(path).endswith(".safetensors"):
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"cannot read VGG19 weights from {path}: {error}") from error
    vgg, index, state = VGG(19), 0, {}
    for name, _ in vgg.named_children():
        if name.endswith("_1") and name != "conv1_1":
            index += 1  # a pooling layer
        for part in ("weight", "bias"):
            key = f"features.{index}.{part}"
            if key not in weights:
                raise ValueError(f"{path} is no VGG19: it has no {key}")
            state[f"{name}.{part}"] = weights[key]
        index += 2
    vgg.load_state_dict(state)
    return vgg


def _from_hub() -> str:
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(HUB_VGG19, "model.safetensors")
    except Exception as error:  # the Hub's client raises those of its HTTP library as well as its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(
            f"the features 'vgg19' are fetched from the Hub ({HUB_VGG19}), which gave nothing ({reason}): check the "
            "network, give a local file of VGG19's weights, or choose vgg16 or efficientnet-lite0"
        ) from error
