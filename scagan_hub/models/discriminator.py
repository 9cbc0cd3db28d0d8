"""ResNet discriminators: D_s judges cat(image, I_s), D_c judges cat(image, P_t); in phase 1 edges replace images."""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from .content_style import standardise


class ResidualBlock(nn.Module):
    """reflect pad, conv 3x3, InstanceNorm, ReLU, dropout, reflect pad, conv 3x3, InstanceNorm, sum."""

    def __init__(self, channels: int, dropout: float):
        super().__init__()
        self.conv_0 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.dropout(F.relu(standardise(self.conv_0(x)), inplace=True))
        return x + standardise(self.conv_1(inner))


class ResNetDiscriminator(ModelMixin, ConfigMixin):
    """The release's discriminator: its last feature map itself is scored, entry by entry.

    Args:
        channels_in: of the image and its condition together.
        width: channels after the first convolution (release: 64).
        residual_blocks: at a quarter of the size.
        dropout: inside the residual blocks.
    """

    @register_to_config
    def __init__(self, channels_in: int, width: int = 64, residual_blocks: int = 3, dropout: float = 0.5):
        super().__init__()
        self.conv_in = nn.Conv2d(channels_in, width, 7, padding=3, padding_mode="reflect")
        self.down_0 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.down_1 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width, dropout) for _ in range(residual_blocks)))

    def forward(self, image: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """image (B,C,H,W), condition (B,K,H,W), C + K = `channels_in` -> scores (B,4 width,H/4,W/4)."""
        x = torch.cat([image, condition], dim=1)
        for conv in (self.conv_in, self.down_0, self.down_1):
            x = F.relu(standardise(conv(x)), inplace=True)
        return self.blocks(x)


class PatchDiscriminator(ModelMixin, ConfigMixin):
    """A small spectrally normalised discriminator: strided 4x4 convolutions, one score a patch.

    For training on little hardware; it sees `patch_size` x `patch_size` pixels at each position.
    """

    @register_to_config
    def __init__(self, channels_in: int, width: int = 32, levels: int = 3):
        super().__init__()
        widths = [channels_in, *(width * 2**i for i in range(levels))]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.conv_out = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, image: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """image (B,C,H,W), condition (B,K,H,W), C + K = `channels_in` -> scores (B,1,H/2^levels,W/2^levels)."""
        x = torch.cat([image, condition], dim=1)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return self.conv_out(x)
