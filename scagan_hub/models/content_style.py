"""The decoder's building blocks: CS-SPADE and the Content-Style DeBlk ("Spatial Content Alignment For Pose
Transfer", slides 12-13; equations `W(S, f)` and `U(E_g, W) + V(P_t, W)`).

Style is a small map (8 x 6) that a plain SPADE would enlarge (nearest) to every level's size before running two
3 x 3 convolutions over it. Enlarged like that it is constant over long runs of rows and columns, and what n such
convolutions make of a run depends only on the distance to its ends: n cells at each end and one for the whole inside.
`StyleModulation` therefore keeps at most three cells of every run for the first convolution, five for the second, and
copies rows and columns back out: the same function, 40 x 30 cells of work in place of 256 x 176.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from .layout import layout_of

LEAK = 0.2


def standardise(f: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """`(f - mean) / std` of every channel of every picture; (B,C,H,W) -> (B,C,H,W), channels_last if f is.

    On a CPU the statistics of a channels_last tensor are ten times faster as batch norms of one picture each.
    """
    if f.device.type == "cpu" and not torch.compiler.is_compiling():
        pictures = [F.batch_norm(picture, None, None, training=True, eps=eps) for picture in f.split(1)]
        return pictures[0] if len(pictures) == 1 else torch.cat(pictures)
    variance, mean = torch.var_mean(f, dim=(2, 3), correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    return torch.addcmul(-mean * scale, f, scale)


def modulate(normed: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """`act(gamma normed + beta)`; all (B,C,H,W)."""
    return F.leaky_relu(torch.addcmul(beta, normed, gamma), LEAK, inplace=True)


def recomputed(function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
    """`function(*inputs)`, of which nothing is kept for the backward pass, which computes it once more.

    For what takes much memory and little time. A modulation's second convolution, which takes most of its time, is
    not run again: the recomputation stops at what the gradients need.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)


def kept_cells(length: int, cells: int, reach: int) -> tuple[list[int], list[int]]:
    """Which positions of a nearest-enlarged axis to keep, and where each position finds its value among them.

    Args:
        length: size of the axis after enlarging `cells` values.
        reach: how many 3-wide convolutions see the axis: of every run, so many cells at each end differ.
    Returns:
        the style cell of every kept position; for each of the `length` positions, its kept position.
    """
    longest = 2 * reach + 1
    run_of = [position * cells // length for position in range(length)]
    source: list[int] = []
    back: list[int] = []
    for cell in sorted(set(run_of)):
        size = run_of.count(cell)
        kept, first = min(size, longest), len(source)
        source += [cell] * kept
        back += [first + (i if i < reach or size == kept else max(reach, i - size + kept)) for i in range(size)]
    return source, back


class _Pick(torch.autograd.Function):
    """Rows and columns of x by index: (B,C,h,w) -> (B,C,len(rows),len(columns)), channels_last if x is.

    The gradient of a row or column that was picked often is a sum, taken as a product with a 0/1 matrix: far
    cheaper than the scatter-add that indexing would leave.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, columns)
        ctx.size = x.shape[2:]
        if layout_of(x) == torch.contiguous_format:
            return x.index_select(3, columns).index_select(2, rows)  # rows last: they lie in one piece
        cells = x.permute(0, 2, 3, 1).flatten(1, 2)  # (B,h w,C)
        index = (rows[:, None] * x.shape[3] + columns).flatten()
        return cells.index_select(1, index).unflatten(1, (len(rows), len(columns))).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        rows, columns = (
            F.one_hot(index, count).to(grad.dtype).T for index, count in zip(ctx.saved_tensors, ctx.size, strict=True)
        )
        if layout_of(grad) == torch.contiguous_format:
            return torch.matmul(rows, torch.matmul(grad, columns.T)), None, None
        grad = torch.matmul(columns, grad.permute(0, 2, 3, 1))  # (B,H,w,C)
        grad = torch.matmul(rows, grad.flatten(2)).unflatten(2, (len(columns), -1))  # (B,h,w,C)
        return grad.permute(0, 3, 1, 2), None, None


class Modulation(nn.Module):
    """gamma(S), then beta(S) of CS-SPADE: conv 3x3, ReLU, conv 3x3; (B,S,H,W) -> (B,2C,H,W).

    gamma multiplies as it stands (the talk's form): its bias starts at one.
    """

    def __init__(self, source_channels: int, channels: int, hidden: int):
        super().__init__()
        self.shared = nn.Conv2d(source_channels, hidden, 3, padding=1)
        self.affine = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, source: torch.Tensor) -> torch.Tensor:
        return self.affine(F.relu(self.shared(source), inplace=True))


class StyleModulation(Modulation):
    """`Modulation` by a source that is enlarged (nearest) to `size` first, in the shrunk form (see the module)."""

    rows_back: torch.Tensor
    columns_back: torch.Tensor

    def __init__(self, source_channels: int, channels: int, hidden: int, cells: tuple[int, int], size: tuple[int, int]):
        super().__init__(source_channels, channels, hidden)
        for axis, length, count in zip(("rows", "columns"), size, cells, strict=True):
            first, first_back = kept_cells(length, count, reach=1)
            second, back = kept_cells(length, count, reach=2)
            between = [first_back[back.index(kept)] for kept in range(len(second))]
            for stage, index in (("first", first), ("second", between), ("back", back)):
                self.register_buffer(f"{axis}_{stage}", torch.tensor(index), persistent=False)

    def forward(self, style: torch.Tensor) -> torch.Tensor:
        """style (B,S,h,w) -> gamma and beta of the kept cells (B,2C,<=5h,<=5w)."""
        hidden = F.relu(self.shared(_Pick.apply(style, self.rows_first, self.columns_first)), inplace=True)
        return self.affine(_Pick.apply(hidden, self.rows_second, self.columns_second))

    def spread(self, modulation: torch.Tensor) -> list[torch.Tensor]:
        """gamma and beta of the kept cells (B,2C,<=5h,<=5w) -> gamma (B,C,H,W), beta (B,C,H,W)."""
        return [_Pick.apply(half, self.rows_back, self.columns_back) for half in modulation.chunk(2, dim=1)]

    def plain(self, style: torch.Tensor) -> torch.Tensor:
        """The reference: enlarge, then convolve at full size; equals `cat(spread(forward(style)), 1)`."""
        size = (len(self.rows_back), len(self.columns_back))
        return super().forward(F.interpolate(style, size=size, mode="nearest"))


class ContentStylePath(nn.Module):
    """One path of the DeBlk: W by style, conv; W by its content, conv; W by its content, conv."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        content_channels: int,
        style_channels: int,
        hidden: int,
        cells: tuple[int, int],
        size: tuple[int, int],
    ):
        super().__init__()
        middle = min(channels_in, channels_out)
        self.style = StyleModulation(style_channels, channels_in, hidden, cells, size)
        self.content_0 = Modulation(content_channels, middle, hidden)
        self.content_1 = Modulation(content_channels, middle, hidden)
        self.conv_in = nn.Conv2d(channels_in, middle, 3, padding=1)
        self.conv_middle = nn.Conv2d(middle, middle, 3, padding=1)
        self.conv_out = nn.Conv2d(middle, channels_out, 3, padding=1)

    def forward(self, normed: torch.Tensor, style_modulation: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
        f = self.conv_in(recomputed(self._by_style, normed, style_modulation))
        f = self.conv_middle(recomputed(self._by_content, f, recomputed(self.content_0, content)))
        return self.conv_out(recomputed(self._by_content, f, recomputed(self.content_1, content)))

    def _by_style(self, normed: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
        return modulate(normed, *self.style.spread(modulation))

    def _by_content(self, f: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
        return modulate(standardise(f), *modulation.chunk(2, dim=1))


class ContentStyleBlock(nn.Module):
    """Content-Style DeBlk: `U(E_g, W(f, style)) + V(P_t, W(f, style))`, no shortcut.

    Without edge channels only the pose's path is left (the ablation "w/o content branch").
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        edge_channels: int,
        pose_channels: int,
        style_channels: int,
        hidden: int,
        cells: tuple[int, int],
        size: tuple[int, int],
    ):
        super().__init__()
        contents = {"edge": edge_channels, "pose": pose_channels}
        self.paths = nn.ModuleDict(
            {
                name: ContentStylePath(channels_in, channels_out, channels, style_channels, hidden, cells, size)
                for name, channels in contents.items()
                if channels
            }
        )

    def style_modulations(self, style: torch.Tensor) -> list[torch.Tensor]:
        """What depends on the source alone, one tensor a path."""
        return [path.style(style) for path in self.paths.values()]  # type: ignore[operator]  # a ModuleDict tells no class

    def forward(
        self, f: torch.Tensor, style_modulations: list[torch.Tensor], edge: torch.Tensor | None, pose: torch.Tensor
    ) -> torch.Tensor:
        """f (B,C_in,H,W), edge (B,E,H,W), pose (B,18,H,W) -> (B,C_out,H,W)."""
        normed = standardise(f)
        contents = {"edge": edge, "pose": pose}
        outputs = [
            path(normed, modulation, contents[name])
            for (name, path), modulation in zip(self.paths.items(), style_modulations, strict=True)
        ]
        return sum(outputs[1:], outputs[0])


class SpadeResidualBlock(nn.Module):
    """The ablation "SPADE ResBlk": a residual SPADE block conditioned on cat(style, edges, pose)."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        edge_channels: int,
        pose_channels: int,
        style_channels: int,
        hidden: int,
        cells: tuple[int, int],
        size: tuple[int, int],
    ):
        super().__init__()
        middle = min(channels_in, channels_out)
        source = style_channels + edge_channels + pose_channels
        self.modulation_0 = Modulation(source, channels_in, hidden)
        self.modulation_1 = Modulation(source, middle, hidden)
        self.conv_0 = nn.Conv2d(channels_in, middle, 3, padding=1)
        self.conv_1 = nn.Conv2d(middle, channels_out, 3, padding=1)
        self.learned_shortcut = channels_in != channels_out
        if self.learned_shortcut:
            self.modulation_s = Modulation(source, channels_in, hidden)
            self.conv_s = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def style_modulations(self, style: torch.Tensor) -> list[torch.Tensor]:
        return [style]

    def forward(
        self, f: torch.Tensor, style_modulations: list[torch.Tensor], edge: torch.Tensor | None, pose: torch.Tensor
    ) -> torch.Tensor:
        style = F.interpolate(style_modulations[0], size=f.shape[2:], mode="nearest").expand(len(f), -1, -1, -1)
        source = torch.cat([part for part in (style, edge, pose) if part is not None], dim=1)
        normed = standardise(f)
        shortcut = f
        if self.learned_shortcut:
            gamma, beta = self.modulation_s(source).chunk(2, dim=1)
            shortcut = self.conv_s(torch.addcmul(beta, normed, gamma))
        f = self.conv_0(modulate(normed, *self.modulation_0(source).chunk(2, dim=1)))
        return shortcut + self.conv_1(modulate(standardise(f), *self.modulation_1(source).chunk(2, dim=1)))
