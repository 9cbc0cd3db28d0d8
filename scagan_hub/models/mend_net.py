"""Phase 2 by learned places: MendNet copies what the source shows, and paints the rest in its style.

The source's person, moved once through the places of phase 1, is a picture with holes. MendNet mends it. Its body is
the paper's: content in a path of its own and style through CS-SPADE, `W(style, f)` then `W(content, f)` in every
block. Ours is what they are fed: content is the moved source with its edges and pose; style is looked up in the source
by attention, for every place of the target. The picture is put together of three layers, the person copied, the person
painted and the backdrop, by masks that begin with what phase 1 says.
"""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

from ..content.alignment import backdrop, carried_on, part_maps, sample
from .content_style import modulate, standardise
from .place_net import Places
from .unet import GROUPS, NormedBlock

PATCH = 2  # the body works on patches of this many pixels a side
CELL = 16  # pixels a side of a place that style is looked up for
PARTS = 30  # channels of `_parts`
SURE = 3.5  # largest logit that phase 1 is believed
STEP = 2.0  # logits of the masks for what the body says of them
FINE = 12  # channels of the convolution at full size
STAY = -2.0  # logit from which the source's own pixel is learned to stay as the backdrop


class ContentStyleStage(nn.Module):
    """`f + conv(W(content, conv(W(style, f))))`, where `W` normalises and modulates."""

    def __init__(self, channels: int, style_channels: int):
        super().__init__()
        self.style = nn.Conv2d(style_channels, 2 * channels, 1)
        self.content = nn.Conv2d(channels, 2 * channels, 1)
        self.conv_0 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, f: torch.Tensor, style: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
        """f and content (B,C,H,W), style (B,S,h,w) at any size."""
        size = f.shape[2:]
        by_style = F.interpolate(self.style(style), size=size, mode="bilinear", align_corners=False)
        x = self.conv_0(_modulated(f, by_style))
        return f + self.conv_1(_modulated(x, self.content(content)))


def _modulated(f: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
    gain, shift = modulation.chunk(2, dim=1)
    return modulate(standardise(f), 1 + gain, shift)


class StyleLookup(nn.Module):
    """Cross-attention from places of the target to places of the source: what is worn where.

    Keys and queries know features and parts of the body, values features and the source's colours.
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm_source, self.norm_target = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query = nn.Linear(channels + PARTS, channels)
        self.key = nn.Linear(channels + PARTS, channels)
        self.value = nn.Linear(channels + 3, channels)
        self.out = nn.Linear(channels, channels)

    def memory(
        self, source: torch.Tensor, parts: torch.Tensor, colours: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (B,heads,n,d) of the source's features (B,C,h,w), its pose's `_parts` (B,30,h,w) and its
        colours (B,3,h,w)."""
        source = self.norm_source(_tokens(source))
        key = self.key(torch.cat([source, _tokens(parts)], 2))
        value = self.value(torch.cat([source, _tokens(colours)], 2))
        return self._split(key), self._split(value)

    def forward(
        self, target: torch.Tensor, parts: torch.Tensor, memory: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """(B,C,h,w): the style for every place of target (B,C,h,w)."""
        tokens = self.norm_target(_tokens(target))
        query = self._split(self.query(torch.cat([tokens, _tokens(parts)], 2)))
        key, value = (x.expand(len(query), -1, -1, -1) for x in memory)
        found = F.scaled_dot_product_attention(query, key, value)  # (B,heads,n,d)
        style = self.out(found.transpose(1, 2).flatten(2))  # (B,n,C)
        return style.transpose(1, 2).unflatten(2, target.shape[2:])

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _tokens(x: torch.Tensor) -> torch.Tensor:
    """(B,C,h,w) -> (B,h w,C)."""
    return x.flatten(2).transpose(1, 2)


class MendNet(ModelMixin, ConfigMixin):
    """IS-Net's part in a model with learned places.

    Args:
        image_size: (height, width) of the pictures.
        widths: channels of the four levels, the finest, at half size, first.
    """

    @register_to_config
    def __init__(
        self, image_size: tuple[int, int] = (256, 176), widths: tuple[int, int, int, int] = (32, 64, 128, 192)
    ):
        super().__init__()
        style = widths[-1]
        steps = list(zip((3 * PATCH**2, *widths[1:-1]), widths[1:], strict=True))
        self.source = nn.ModuleList(
            [
                # without the last norm features would grow for ever, since the lookup's norm leaves their size free
                nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), NormedBlock(b), nn.GroupNorm(GROUPS, b))
                for a, b in steps
            ]
        )
        # moved source, source as it stands and edges in patches; backdrop, shown, person; parts
        channels_in = (3 + 3 + 1) * PATCH**2 + 3 + 2 + PARTS
        self.conv_in = nn.Conv2d(channels_in, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(
            [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:], strict=False)]
        )
        self.content = nn.ModuleList([NormedBlock(width) for width in widths])
        self.lookup = StyleLookup(style)
        self.ups = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in zip(widths, widths[1:], strict=False)])
        self.stages = nn.ModuleList([ContentStyleStage(width, style) for width in widths])
        self.norm_out = nn.GroupNorm(GROUPS, widths[0])
        self.conv_out = nn.Conv2d(widths[0], 6 * PATCH**2 + 3, 3, padding=1)
        self.fine_in = nn.Conv2d(3 * 3 + 2, FINE, 3, padding=1)
        self.fine_out = nn.Conv2d(FINE, 5, 3, padding=1)
        for layer in (self.conv_out, self.fine_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def encode(self, person_image: torch.Tensor, source_pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What depends on the source alone: keys and values of its style.

        Args:
            person_image: (B,3,H,W) in [-1, 1], the source `carried_on` beyond its person.
            source_pose: (B,18,3) x, y, confidence in pixels.
        """
        x = F.pixel_unshuffle(person_image, PATCH)
        for step in self.source:
            x = step(x)
        parts = _parts(source_pose, self.config.image_size, CELL).to(x.dtype)
        colours = F.avg_pool2d(person_image, CELL, ceil_mode=True, count_include_pad=False)
        return self.lookup.memory(x, parts, colours.to(x.dtype))

    def decode(
        self,
        memory: tuple[torch.Tensor, torch.Tensor],
        source_image: torch.Tensor,
        person_image: torch.Tensor,
        target_pose: torch.Tensor,
        places: Places,
    ) -> "Layers":
        """The picture.

        Args:
            memory: of `encode`.
            source_image: (B,3,H,W) in [-1, 1].
            person_image: (B,3,H,W) in [-1, 1], the source `carried_on` beyond its person.
            target_pose: (B,18,3) x, y, confidence in pixels.
            places: phase 1's.
        """
        size = self.config.image_size
        source_image = source_image.float()
        moved = sample(person_image.float(), places.position.permute(0, 2, 3, 1), "bicubic").clamp(-1, 1)
        behind = backdrop(source_image).expand_as(source_image)
        shown, person = (x.clamp(-SURE, SURE) for x in (places.shown, places.person))
        patches = F.pixel_unshuffle(torch.cat([moved, source_image, torch.sigmoid(places.edge)], 1), PATCH)
        small = [x[:, :, ::PATCH, ::PATCH] for x in (behind, shown, person)]
        x = torch.cat([patches, *small, _parts(target_pose, size, PATCH)], 1)
        x = self.conv_in(x.to(self.conv_in.weight.dtype).contiguous(memory_format=torch.channels_last))
        contents = [self.content[0](x)]
        for down, block in zip(self.downs, self.content[1:], strict=True):
            contents.append(block(down(contents[-1])))
        style = self.lookup(contents[-1], _parts(target_pose, size, CELL).to(x.dtype), memory)
        f = self.stages[-1](contents[-1], style, contents[-1])
        for level in reversed(range(len(self.ups))):
            content = contents[level]
            f = F.interpolate(self.ups[level](f), size=content.shape[2:], mode="bilinear", align_corners=False)
            f = self.stages[level](f + content, style, content)
        out = self.conv_out(F.silu(self.norm_out(f)))
        shade = F.interpolate(out[:, 6 * PATCH**2 :].float(), scale_factor=PATCH, mode="bilinear", align_corners=False)
        out = F.pixel_shuffle(out[:, : 6 * PATCH**2], PATCH).float()  # (B,6,H,W)
        behind = torch.lerp(behind, source_image, torch.sigmoid(STAY + STEP * out[:, 5:])) + shade
        painted, masks = moved + out[:, :3], torch.cat([shown, person], 1) + STEP * out[:, 3:5]
        fine = torch.cat([moved, painted, behind, masks], 1).to(x.dtype)
        fine = self.fine_out(F.silu(self.fine_in(fine.contiguous(memory_format=torch.channels_last)))).float()
        masks = torch.sigmoid(masks + STEP * fine[:, 3:])
        return Layers(moved, painted + fine[:, :3], behind, masks[:, :1], masks[:, 1:])

    def forward(
        self,
        source_image: torch.Tensor,
        inside: torch.Tensor,
        source_pose: torch.Tensor,
        target_pose: torch.Tensor,
        places: Places,
    ) -> "Layers":
        """`encode` and `decode`; inside (B,1,H,W): 1 where the source shows its person, else 0."""
        person_image = carried_on(source_image, inside)
        memory = self.encode(person_image, source_pose)
        return self.decode(memory, source_image, person_image, target_pose, places)


class Layers:
    """What a picture is put together of: copied, painted, behind (B,3,H,W) in [-1, 1]; keep, alpha (B,1,H,W)."""

    def __init__(
        self, copied: torch.Tensor, painted: torch.Tensor, behind: torch.Tensor, keep: torch.Tensor, alpha: torch.Tensor
    ):
        self.copied, self.painted, self.behind, self.keep, self.alpha = copied, painted, behind, keep, alpha

    @property
    def person(self) -> torch.Tensor:
        """The person's colours (B,3,H,W), about [-1, 1], where alpha is above 0."""
        return torch.lerp(self.painted, self.copied, self.keep)

    @property
    def image(self) -> torch.Tensor:
        """(B,3,H,W), about [-1, 1]."""
        return torch.lerp(self.behind, self.person, self.alpha)


def _parts(pose: torch.Tensor, size: tuple[int, int], step: int) -> torch.Tensor:
    """Where in the boxes of its own ten parts each place lies, and which of them it belongs to: (B,30,h,w)."""
    place, distance, _ = part_maps(pose, pose, size, step)
    return torch.cat([(place / 2).flatten(1, 2), torch.softmax(-4 * distance, 1)], 1)
