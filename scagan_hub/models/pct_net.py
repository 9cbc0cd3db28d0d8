"""Phase 1: PCT-Net, `E_g = F(E_s, P_s, P_t)`, predicts the target's edge map.

Source edges, target pose and the edge prior (which carries the source pose) go in; the target's edges come out
and become the content of IS-Net.
"""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class ResidualBlock(nn.Module):
    """conv 3x3, BatchNorm, ReLU, conv 3x3, BatchNorm, sum; reflect padding."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv_0 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.norm_0 = nn.BatchNorm2d(channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.norm_1 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm_1(self.conv_1(F.relu(self.norm_0(self.conv_0(x)), inplace=True)))


class PCTNet(ModelMixin, ConfigMixin):
    """Predicts the target's edge map.

    Args:
        width: channels after the first convolution (release: 64).
        edge_channels: 1 edge map, or a parsing map's classes.
        prior_channels: 18 times `edge_channels` for the plates of edge patches, as many as these for source edges
            aligned limb by limb.
        residual_blocks: how many at a quarter of the size.
        patch_size: the net sees and writes `patch_size` x `patch_size` pixels of edges at each position; 2 makes it
            about four times cheaper.
        render: "direct" (the paper: tanh of a convolution), or "blend": what is drawn is blended by a learned mask
            with the aligned source edges, so that lines which are there already need not be drawn again.
    """

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        prior_channels: int = 18,
        residual_blocks: int = 6,
        patch_size: int = 1,
        render: str = "direct",
        edge_channels: int = 1,
    ):
        super().__init__()
        self.aligned = prior_channels == edge_channels
        if render == "blend" and not self.aligned:
            raise ValueError(
                f'render="blend" needs aligned edges: {edge_channels} prior_channels, not {prior_channels}'
            )
        channels_in = edge_channels * patch_size**2 + 18 + prior_channels * (patch_size**2 if self.aligned else 1)
        self.conv_in = nn.Conv2d(channels_in, width, 7, padding=3, padding_mode="reflect", bias=False)
        self.norm_in = nn.BatchNorm2d(width)
        self.down_0 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
        self.down_norm_0 = nn.BatchNorm2d(2 * width)
        self.down_1 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False)
        self.down_norm_1 = nn.BatchNorm2d(4 * width)
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(residual_blocks)))
        transposed: dict[str, Any] = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "bias": False}
        self.up_0 = nn.ConvTranspose2d(4 * width, 2 * width, **transposed)
        self.up_norm_0 = nn.BatchNorm2d(2 * width)
        self.up_1 = nn.ConvTranspose2d(2 * width, width, **transposed)
        self.up_norm_1 = nn.BatchNorm2d(width)
        planes = edge_channels + (render == "blend")
        self.conv_out = nn.Conv2d(width, planes * patch_size**2, 7, padding=3, padding_mode="reflect")

    def forward(self, source_edge: torch.Tensor, pose_map: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
        """
        Args:
            source_edge: (B,E,H,W) in [-1, 1], light lines on dark, E = `edge_channels`.
            pose_map: (B,18,H,W) heatmaps of the target pose in [0, 1].
            prior: (B,18 E,H,W) plates or (B,E,H,W) aligned edges, see `Content.edge_prior`.
        Returns:
            the target's edges (B,E,H,W) in [-1, 1].
        Raises:
            ValueError: when H or W is not a multiple of 4 x `patch_size`, or the prior has other channels.
        """
        patch, step = self.config.patch_size, 4 * self.config.patch_size
        if source_edge.shape[2] % step or source_edge.shape[3] % step:
            raise ValueError(f"PCTNet needs height and width in multiples of {step}, got {tuple(source_edge.shape)}")
        if prior.shape[1] != self.config.prior_channels:
            raise ValueError(f"PCTNet expects a prior of {self.config.prior_channels} channels, got {prior.shape[1]}")
        small = lambda x: F.avg_pool2d(x, patch) if patch > 1 else x  # noqa: E731
        fine = lambda x: F.pixel_unshuffle(x, patch)  # noqa: E731
        plates = fine(prior) if self.aligned else small(prior)
        x = torch.cat([fine(source_edge), small(pose_map), plates], dim=1)
        x = F.relu(self.norm_in(self.conv_in(x)), inplace=True)  # (B,w,H,W) / patch
        x = F.relu(self.down_norm_0(self.down_0(x)), inplace=True)  # (B,2w,H/2,W/2)
        x = F.relu(self.down_norm_1(self.down_1(x)), inplace=True)  # (B,4w,H/4,W/4)
        x = self.blocks(x)
        x = F.relu(self.up_norm_0(self.up_0(x)), inplace=True)
        x = F.relu(self.up_norm_1(self.up_1(x)), inplace=True)
        out = F.pixel_shuffle(self.conv_out(x), patch)
        drawn = torch.tanh(out[:, : self.config.edge_channels])
        if self.config.render == "direct":
            return drawn
        return torch.lerp(drawn, prior.to(drawn.dtype), torch.sigmoid(out[:, self.config.edge_channels :]))
