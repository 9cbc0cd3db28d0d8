"""What a configuration's preset and variant stand for: the untrained components of a `ScaGan`."""

from ..content import Content
from ..models import ISNet, PCTNet
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
