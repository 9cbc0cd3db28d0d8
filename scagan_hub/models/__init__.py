"""The nets: phase 1 transfers the content (PCT-Net, or PlaceNet), phase 2 renders the picture (IS-Net, or MendNet),
discriminators judge it."""

from .discriminator import PatchDiscriminator, ResNetDiscriminator
from .is_net import ISNet
from .mend_net import MendNet
from .pct_net import PCTNet
from .place_net import PlaceNet

__all__ = ["ISNet", "MendNet", "PCTNet", "PatchDiscriminator", "PlaceNet", "ResNetDiscriminator"]
