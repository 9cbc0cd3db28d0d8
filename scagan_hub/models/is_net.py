"""Phase 2: IS-Net, `I_g = G(I_s, E_g, P_t)`, renders the person from style, edges and pose.

The style encoder turns the source image into an 8-row map; the decoder starts from the target pose (or from
noise) and grows by Content-Style blocks, x2 between them, to the size of the picture.
"""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

from .content_style import LEAK, ContentStyleBlock, SpadeResidualBlock
from .layout import layout_of

NORMS = {"none": nn.Identity, "batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
BLOCKS = {"content_style": ContentStyleBlock, "spade_residual": SpadeResidualBlock}
STYLE_HEIGHT = 8
MAX_FLOW = 0.05  # of the picture's height


class StyleBlock(nn.Module):
    """`relu(conv(x)) + relu(conv3x3(relu(conv(x))))`, reflect padding, ReLU after every convolution."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, norm: str):
        super().__init__()
        middle = max(channels_in, channels_out)
        first: dict[str, Any] = {
            "kernel_size": kernel,
            "stride": stride,
            "padding": kernel // 2,
            "padding_mode": "reflect",
        }
        self.shortcut = nn.Conv2d(channels_in, channels_out, **first)
        self.conv_0 = nn.Conv2d(channels_in, middle, **first)
        self.conv_1 = nn.Conv2d(middle, channels_out, 3, padding=1, padding_mode="reflect")
        self.norm_s, self.norm_0 = NORMS[norm](channels_out), NORMS[norm](middle)
        self.norm_1 = NORMS[norm](channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = F.relu(self.norm_0(self.conv_0(x)), inplace=True)
        residual = F.relu(self.norm_1(self.conv_1(residual)), inplace=True)
        return F.relu(self.norm_s(self.shortcut(x)), inplace=True) + residual


class ISNet(ModelMixin, ConfigMixin):
    """Renders the picture of a person in a target pose.

    Args:
        image_size: (height, width) of the picture.
        width: channels of the last block; earlier blocks have 2, 4, 8, 8, ... times as many (release: 64).
        modulation_width: hidden channels of every CS-SPADE (release: 128).
        start: "pose" (the paper's `G(I_s, E_g, P_t)`) or "noise" (the release's default, z ~ N(0, I)).
        noise_size: dimension of z.
        encoder_norm: "none", or the ablations "batch" and "instance".
        block: "content_style", or the ablation "spade_residual".
        edge_channels: content channels of the edge path: 1 edge map, a parsing map's classes, or 0 for none.
        aligned_channels: 4 when the aligned source (RGB and mask) joins the edge path, else 0.
        content_resize: how content is brought to a block's size: "nearest" (release) or "area" (keeps thin lines).
        patch_size: the nets work on patches of this many pixels a side; 2 leaves hardly any work at full size.
        render: "direct" (the paper: tanh of a convolution), or "blend": the painted picture is blended by a learned
            mask with the aligned source, which a small learned flow moves into place.
    """

    @register_to_config
    def __init__(
        self,
        image_size: tuple[int, int] = (256, 176),
        width: int = 64,
        modulation_width: int = 128,
        start: str = "pose",
        noise_size: int = 256,
        encoder_norm: str = "none",
        block: str = "content_style",
        edge_channels: int = 1,
        aligned_channels: int = 0,
        content_resize: str = "nearest",
        patch_size: int = 1,
        render: str = "direct",
    ):
        super().__init__()
        grid = (image_size[0] // patch_size, image_size[1] // patch_size)
        self.sizes = level_sizes(grid)
        levels = len(self.sizes)
        encoder = [width * min(8, 2**i) for i in range(levels)]
        self.encoder = nn.ModuleList([StyleBlock(3 * patch_size**2, width, 7, 1, encoder_norm)])
        for channels_in, channels_out in zip(encoder, encoder[1:], strict=False):
            self.encoder.append(StyleBlock(channels_in, channels_out, 3, 2, encoder_norm))

        style, cells = encoder[-1], self.sizes[0]
        self.first: nn.Linear | nn.Conv2d
        if start == "noise":
            self.first = nn.Linear(noise_size, style * cells[0] * cells[1])
        else:
            self.first = nn.Conv2d(18, style, 3, padding=1)
        decoder = [(size, width * min(8, 2**i)) for i, size in zip(reversed(range(levels)), self.sizes, strict=True)]
        decoder.insert(1, decoder[1])
        content = (edge_channels + aligned_channels) * patch_size**2
        self.blocks = nn.ModuleList()
        channels_in = style
        for size, channels in decoder:
            block_args = (channels_in, channels, content, 18, style, modulation_width, cells, size)
            self.blocks.append(BLOCKS[block](*block_args))
            channels_in = channels
        self.block_sizes = [size for size, _ in decoder]
        self.conv_out = nn.Conv2d(width, (4 if render == "blend" else 3) * patch_size**2, 3, padding=1)
        if render == "blend":
            self.flow_out = nn.Conv2d(width, 2, 3, padding=1)

    def encode(self, source_image: torch.Tensor) -> torch.Tensor:
        """The style of a source image: (B,3,H,W) in [-1, 1] -> (B,8 width,8,6)."""
        self._check("source_image", source_image, 3)
        x = F.pixel_unshuffle(source_image, self.config.patch_size)
        for block in self.encoder:
            x = block(x)
        return x

    def style_modulations(self, style: torch.Tensor) -> list[list[torch.Tensor]]:
        """All that the decoder needs of the source; worth keeping when one person gets many poses."""
        return [block.style_modulations(style) for block in self.blocks]  # type: ignore[operator]  # a ModuleList

    def decode(
        self,
        style_modulations: list[list[torch.Tensor]],
        target_edge: torch.Tensor | None,
        pose_map: torch.Tensor,
        aligned: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The picture from `style_modulations(encode(source_image))`; other arguments as in `forward`.

        Modulations of one source may meet a batch of poses.
        """
        edge = self._edge_content(target_edge, aligned)
        self._check("pose_map", pose_map, 18)
        pose_map = pose_map.contiguous(memory_format=layout_of(self.conv_out.weight))
        pose = F.avg_pool2d(pose_map, self.config.patch_size)  # (B,18,H,W) / patch
        f = self._start(pose_map, noise)
        for block, size, modulations in zip(self.blocks, self.block_sizes, style_modulations, strict=True):
            if f.shape[2:] != size:
                f = F.interpolate(f, size=size, mode="bilinear", align_corners=False)
            f = block(f, modulations, self._resize(edge, size), self._resize(pose, size))
        return self._render(F.leaky_relu(f, LEAK), aligned)

    def compile(self, **options: Any) -> None:
        """Compiles `encode`, `style_modulations` and `decode`; options as for `torch.compile`."""
        for name in ("encode", "style_modulations", "decode"):
            setattr(self, name, torch.compile(getattr(self, name), **options))

    def forward(
        self,
        source_image: torch.Tensor,
        target_edge: torch.Tensor | None,
        pose_map: torch.Tensor,
        aligned: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """
        Args:
            source_image: (B,3,H,W) in [-1, 1].
            target_edge: the target's edges (B,E,H,W) in [-1, 1]; None where `edge_channels` is 0.
            pose_map: (B,18,H,W) heatmaps of the target pose in [0, 1].
            aligned: (B,4,H,W), see `Content.align`; needed where `aligned_channels` is 4.
            noise: z (B,noise_size) for `start="noise"`; drawn where it is None.
        Returns:
            the picture (B,3,H,W) in [-1, 1].
        Raises:
            ValueError: on a tensor of another shape than the configuration's.
        """
        modulations = self.style_modulations(self.encode(source_image))
        return self.decode(modulations, target_edge, pose_map, aligned, noise)

    def _check(self, name: str, x: torch.Tensor | None, channels: int) -> torch.Tensor:
        expected = (channels, *self.config.image_size)
        if x is None or tuple(x.shape[1:]) != expected:
            got = "None" if x is None else tuple(x.shape)
            raise ValueError(f"ISNet expects {name} of shape (B, {', '.join(map(str, expected))}), got {got}")
        return x

    def _edge_content(self, target_edge: torch.Tensor | None, aligned: torch.Tensor | None) -> torch.Tensor | None:
        contents: list[torch.Tensor] = []
        if self.config.edge_channels:
            contents.append(self._check("target_edge", target_edge, self.config.edge_channels))
        if self.config.aligned_channels:
            aligned = self._check("aligned", aligned, self.config.aligned_channels)
            contents.append(aligned.to(contents[0].dtype) if contents else aligned)
        if not contents:
            return None
        return F.pixel_unshuffle(torch.cat(contents, dim=1), self.config.patch_size)

    def _resize(self, content: torch.Tensor | None, size: tuple[int, int]) -> torch.Tensor | None:
        if content is None or content.shape[2:] == size:
            return content
        return F.interpolate(content, size=size, mode=self.config.content_resize)

    def _start(self, pose_map: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        if self.config.start == "pose":
            return self.first(F.interpolate(pose_map, size=self.sizes[0], mode="nearest"))
        if noise is None:
            noise = torch.randn(len(pose_map), self.config.noise_size).to(pose_map)
        return self.first(noise).view(len(pose_map), -1, *self.sizes[0])

    def _render(self, f: torch.Tensor, aligned: torch.Tensor | None) -> torch.Tensor:
        out = F.pixel_shuffle(self.conv_out(f), self.config.patch_size)
        painted = torch.tanh(out[:, :3])  # (B,3,H,W)
        if self.config.render == "direct":
            return painted
        flow = MAX_FLOW * torch.tanh(self.flow_out(f)).float()  # (B,2,H,W) / patch, of the picture's height
        mask = torch.sigmoid(out[:, 3:])
        self.flow = flow if self.training else None  # for the objective
        moved = sample_with_flow(aligned[:, :3].float(), flow)  # type: ignore[index]  # `blend` has it
        return torch.lerp(painted, moved.to(painted.dtype), mask)


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes of the decoder's levels, smallest (8 rows) first: x2 to `size`, widths rounded half to even.

    Raises:
        ValueError: when the height is not 8 x 2^n with n >= 1.
    """
    height, width = size
    heights = [height]
    while heights[0] > STYLE_HEIGHT and heights[0] % 2 == 0:
        heights.insert(0, heights[0] // 2)
    if heights[0] != STYLE_HEIGHT or len(heights) < 2:
        raise ValueError(f"the decoder's height must be 16, 32, 64, 128, 256 ..., got {height} x {width}")
    return [(h, round(h * width / height)) for h in heights]


def sample_with_flow(image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """`image` (B,3,H,W) read at every pixel's place plus `flow` (B,2,h,w) = (x, y) in units of H; enlarged first."""
    height, width = image.shape[2:]
    flow = F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False)
    x = (torch.arange(width, device=image.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=image.device) * 2 + 1) / height - 1
    grid_x = x + flow[:, 0] * (2 * height / width)
    grid_y = y[:, None] + flow[:, 1] * 2
    grid = torch.stack([grid_x, grid_y], dim=-1)  # (B,H,W,2)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
