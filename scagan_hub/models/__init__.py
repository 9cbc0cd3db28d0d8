"""The nets: PCT-Net predicts the target's edges, IS-Net renders the picture, discriminators judge it."""

from .discriminator import PatchDiscriminator, ResNetDiscriminator
from .is_net import ISNet
from .pct_net import PCTNet

__all__ = ["ISNet", "PCTNet", "PatchDiscriminator", "ResNetDiscriminator"]
