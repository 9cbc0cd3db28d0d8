"""LPIPS v0.1 (Zhang et al. 2018): how far apart two pictures are in the features of AlexNet, or of VGG16.

The learned weights of the features come with torchmetrics, the nets' own from torchvision's files. torchmetrics'
own LPIPS builds its nets with torchvision, which this package does without; a test holds the two together.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..models.features import IMAGENET_MEAN, IMAGENET_STD, VGG
from .weights import read_state

VGG_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


class AlexNet(nn.Module):
    """The five convolutions of AlexNet (Krizhevsky 2014, "one weird trick")."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(3, 64, 11, stride=4, padding=2),
                nn.Conv2d(64, 192, 5, padding=2),
                nn.Conv2d(192, 384, 3, padding=1),
                nn.Conv2d(384, 256, 3, padding=1),
                nn.Conv2d(256, 256, 3, padding=1),
            ]
        )
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """x (N,3,H,W) by ImageNet's statistics -> the five features after their ReLU."""
        features = []
        for i, conv in enumerate(self.convs):
            x = F.relu(conv(F.max_pool2d(x, 3, 2) if i in (1, 2) else x))
            features.append(x)
        return features


class VGG16(nn.Module):
    """VGG16's convolutions, as `AlexNet` above."""

    def __init__(self):
        super().__init__()
        self.trunk = VGG(16, preprocessing="raw")
        self.convs = list(self.trunk.children())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        features = self.trunk(x, VGG_LAYERS)
        return [features[layer] for layer in VGG_LAYERS]


NETS = {"AlexNet": (AlexNet, "alex"), "VGG16": (VGG16, "vgg")}


class Lpips(nn.Module):
    """LPIPS v0.1.

    Args:
        net: "AlexNet", which the published tables use, or "VGG16".
        path: torchvision's file of its weights.
    Raises:
        ValueError: the file holds another net.
    """

    def __init__(self, net: str, path: Path):
        super().__init__()
        from torchmetrics.functional.image import lpips as reference

        trunk, name = NETS[net]
        self.trunk = trunk()
        _fill(self.trunk.convs, read_state(path), path)
        learned = read_state(Path(reference.__file__).parent / "lpips_models" / f"{name}.pth")
        self.scales = [learned[f"lin{i}.model.1.weight"][0] for i in range(5)]  # (C,1,1) each
        self.eval()

    def forward(self, generated: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """uint8 (N,H,W,3) twice -> (N,), 0 for equal pictures."""
        features = zip(self.trunk(_normalised(generated)), self.trunk(_normalised(reference)), strict=True)
        return sum(
            ((_unit(a) - _unit(b)).square() * scale.to(a)).sum(1).mean((1, 2))
            for (a, b), scale in zip(features, self.scales, strict=True)
        )


def _normalised(pictures: torch.Tensor) -> torch.Tensor:
    """LPIPS rounds ImageNet's statistics, of pictures in [-1, 1], to three digits."""
    mean, std = (pictures.new_tensor(values, dtype=torch.float32) for values in (IMAGENET_MEAN, IMAGENET_STD))
    mean, std = ((2 * mean - 1) * 1000).round() / 1000, (2 * std * 1000).round() / 1000
    return ((pictures.float() / 127.5 - 1 - mean) / std).permute(0, 3, 1, 2)


def _unit(features: torch.Tensor) -> torch.Tensor:
    return features / (features.norm(dim=1, keepdim=True) + 1e-10)


def _fill(convs, state: dict, path: Path) -> None:
    """torchvision's names count every layer: features.0, features.3, ...; the order is the convolutions'."""
    layers = sorted({int(name.split(".")[1]) for name in state if name.startswith("features.")})
    try:
        for conv, layer in zip(convs, layers, strict=True):
            conv.load_state_dict({part: state[f"features.{layer}.{part}"] for part in ("weight", "bias")})
    except (ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{path} does not hold the net that LPIPS needs: {reason}") from error
