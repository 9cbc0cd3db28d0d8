"""IS-Net and its losses written down plainly, as the yardsticks of `inference.py` and `training.py`: the same weights,
the same pictures, the same figures.

One operation after another as the paper draws them, in the default memory layout: style enlarged to every level's
size before its convolutions, gamma and beta as two of them, then `norm (1 + gamma) + beta` and the activation, one
operation each.
"""

import torch
import torch.nn.functional as F

from scagan_hub.models import ISNet
from scagan_hub.models.content_style import LEAK, Modulation
from scagan_hub.training.losses import EPSILON


class PlainISNet(ISNet):
    """An `ISNet` of the Content-Style form that computes plainly; takes an ISNet's weights by `load_state_dict`."""

    def style_modulations(self, style: torch.Tensor) -> torch.Tensor:
        return style

    def decode(self, style, target_edge, pose_map, aligned=None, noise=None) -> torch.Tensor:
        f = self._start(pose_map, noise)
        for block, size in zip(self.blocks, self.block_sizes, strict=True):
            if f.shape[2:] != size:
                f = F.interpolate(f, size=size, mode="bilinear", align_corners=False)
            contents = {"edge": target_edge, "pose": pose_map}
            f = sum(plain_path(path, f, style, contents[name]) for name, path in block.paths.items())
        return torch.tanh(self.conv_out(F.leaky_relu(f, LEAK)))


def plain_path(path, f: torch.Tensor, style: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
    f = path.conv_in(cs_spade(path.style, f, style))
    f = path.conv_middle(cs_spade(path.content_0, f, content))
    return path.conv_out(cs_spade(path.content_1, f, content))


def cs_spade(modulation: Modulation, f: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    hidden = F.relu(modulation.shared(F.interpolate(source, size=f.shape[2:], mode="nearest")))
    weights, biases = modulation.affine.weight.chunk(2), modulation.affine.bias.chunk(2)
    gamma = F.conv2d(hidden, weights[0], biases[0] - 1, padding=1)
    beta = F.conv2d(hidden, weights[1], biases[1], padding=1)
    return F.leaky_relu(F.instance_norm(f) * (1 + gamma) + beta, LEAK)


def whole_vgg(vgg, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every layer's features, wanted or not."""
    return vgg(image, tuple(name.replace("conv", "relu") for name, _ in vgg.named_children()))


def dense_contextual_loss(generated: torch.Tensor, target: torch.Tensor, bandwidth: float = 0.5) -> torch.Tensor:
    """`losses.contextual_loss` with the whole matrix of distances, step by step as it is defined."""
    centre = target.mean(dim=(0, 2, 3), keepdim=True)
    x, y = (F.normalize((f - centre).flatten(2), dim=1, eps=EPSILON) for f in (generated, target))
    distance = (1 - x.transpose(1, 2) @ y) / 2  # (B, generated positions, target positions)
    relative = distance / (distance.amin(dim=2, keepdim=True) + EPSILON)
    weight = torch.exp((1 - relative) / bandwidth)
    similarity = weight / weight.sum(dim=2, keepdim=True)
    return -similarity.amax(dim=1).mean(dim=1).log().mean()
