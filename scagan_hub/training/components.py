"""What a configuration's preset and variant stand for: the untrained components of a `ScaGan`."""

import json

import torch

from ..content import Content
from ..models import ISNet, PCTNet
from ..models.content_style import Modulation
from ..pipeline import ScaGan
from .config import MODELS, VARIANTS, TrainConfig


def components(config: TrainConfig) -> tuple[PCTNet | None, ISNet, Content]:
    """PCT-Net (None for a variant without), IS-Net and content; the nets' weights are PyTorch's own draw."""
    preset, variant = MODELS[config.preset], VARIANTS[config.variant]
    content = Content(**preset["content"] | variant.get("content", {}))
    is_net = ISNet(**preset["is_net"] | variant.get("is_net", {}))
    if not config.has_pct_net:
        return None, is_net, content
    settings = preset["pct_net"] | variant.get("pct_net", {})
    return PCTNet(**settings | {"prior_channels": content.prior_channels}), is_net, content


def trained_net(folder, name: str, like: torch.nn.Module) -> torch.nn.Module:
    """The net `name` of a trained model.

    Raises:
        ValueError: when it is of another form than `like`.
    """
    net = getattr(ScaGan.from_pretrained(str(folder)), name)
    for key, wanted in like.config.items():
        if not key.startswith("_") and json.dumps(net.config[key]) != json.dumps(wanted):
            raise ValueError(f"--{name.replace('_', '-')} {folder}: {key} is {net.config[key]}, this run has {wanted}")
    return net.train()


def initialise(net: torch.nn.Module, form: str) -> None:
    """Draws a net's weights: N(0, .02), or Kaiming's where nothing normalises what a layer gives on; gammas at one."""
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear):
            if form == "kaiming" and not name.endswith(("affine", "out")):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            else:
                torch.nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, Modulation):
            torch.nn.init.ones_(module.affine.bias[: len(module.affine.bias) // 2])
