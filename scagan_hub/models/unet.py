"""The body of the nets that look for places: a U-Net whose levels a pose modulates (FiLM, Perez et al. 2018)."""

import torch
import torch.nn.functional as F
from torch import nn

GROUPS = 8


class NormedBlock(nn.Module):
    """`x + conv(silu(conv(silu(norm(x)))))`; (B,C,H,W) -> the same."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.conv_0 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_1(F.silu(self.conv_0(F.silu(self.norm(x)))))


class PoseUNet(nn.Module):
    """Four levels, x2 apart.

    Args:
        channels_in, channels_out: of the maps.
        widths: channels of the levels, finest first.
        pose_size: of the vector that modulates.
        hidden: of the vector's embedding.
    """

    def __init__(self, channels_in: int, channels_out: int, widths: tuple[int, ...], pose_size: int, hidden: int):
        super().__init__()
        self.conv_in = nn.Conv2d(channels_in, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(
            [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:], strict=False)]
        )
        counts = [1, 1] + [2] * (len(widths) - 2)  # the work is where pictures are small
        self.encoder = nn.ModuleList(
            [nn.Sequential(*(NormedBlock(w) for _ in range(n))) for w, n in zip(widths, counts, strict=True)]
        )
        self.ups = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in zip(widths, widths[1:], strict=False)])
        self.decoder = nn.ModuleList([NormedBlock(w) for w in widths[:-1]])
        self.embed = nn.Sequential(nn.Linear(pose_size, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.films = nn.ModuleList([nn.Linear(hidden, 2 * w) for w in (*widths, *widths[:-1])])
        self.conv_out = nn.Conv2d(widths[0], channels_out, 3, padding=1)
        for layer in (*self.films, self.conv_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x (B,C,H,W), pose (B,P) -> maps (B,channels_out,H,W); the pose's embedding (B,hidden)."""
        embedding = self.embed(pose)
        films = [film(embedding)[:, :, None, None].chunk(2, 1) for film in self.films]
        skips = []
        x = self.conv_in(x)
        for level, blocks in enumerate(self.encoder):
            x = self.downs[level - 1](x) if level else x
            gain, shift = films[level]
            x = blocks(torch.addcmul(shift, x, 1 + gain))
            skips.append(x)
        for level in reversed(range(len(self.decoder))):
            x = F.interpolate(self.ups[level](x), size=skips[level].shape[2:], mode="bilinear", align_corners=False)
            gain, shift = films[len(self.encoder) + level]
            x = self.decoder[level](torch.addcmul(shift, x + skips[level], 1 + gain))
        return self.conv_out(x), embedding
