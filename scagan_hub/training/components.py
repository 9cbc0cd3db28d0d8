"""What a configuration's preset and variant stand for: the untrained components of a `ScaGan`."""

import json

import torch

from ..content import Content
from ..models import ISNet, PCTNet
from ..models.content_style import Modulation
from ..models.mend_net import MendNet
from ..models.place_net import PlaceNet
from ..pipeline import ScaGan
from .config import MODELS, VARIANTS, TrainConfig


def components(config: TrainConfig) -> tuple[PCTNet | PlaceNet | None, ISNet | MendNet, Content]:
    """PCT-Net (None for a variant without), IS-Net and content, or PlaceNet and MendNet for these two; the nets'
    weights are their own draw."""
    preset, variant = MODELS[config.preset], VARIANTS[config.variant]
    content = Content(**preset["content"] | variant.get("content", {}))
    if config.learns_places:
        return PlaceNet(**preset["pct_net"]), MendNet(**preset["is_net"]), content
    is_net = ISNet(**preset["is_net"] | variant.get("is_net", {}))
    if not config.has_pct_net:
        return None, is_net, content
    settings = preset["pct_net"] | variant.get("pct_net", {})
    return PCTNet(**settings | {"prior_channels": content.prior_channels}), is_net, content


# What a net isn't fed: PCT-Net no aligned source, IS-Net no edge prior.
NOT_FED = {"pct_net": {"alignment"}, "is_net": {"prior", "prior_radius"}}


def trained_net(folder, name: str, like: torch.nn.Module, content: Content) -> torch.nn.Module:
    """The net `name` of a trained model.

    Raises:
        ValueError: when there is none, it is of another form than `like`, or was fed otherwise than by `content`.
    """
    pipe, option = ScaGan.from_pretrained(str(folder)), f"--{name.replace('_', '-')} {folder}"
    net = getattr(pipe, name)
    if net is None:
        raise ValueError(f"{option}: this model has no PCT-Net; give one that was trained with it")
    if type(net) is not type(like):
        raise ValueError(f"{option}: this model has a {type(net).__name__}, this run a {type(like).__name__}")
    for part, own, wanted in (("", net.config, like.config), ("content's ", pipe.content.config, content.config)):
        for key, value in wanted.items():
            matters = not key.startswith("_") and not (part and key in NOT_FED[name])
            if matters and json.dumps(own[key]) != json.dumps(value):
                raise ValueError(f"{option}: {part}{key} is {own[key]}, this run has {value}")
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
