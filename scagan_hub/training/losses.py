"""The objective: `L = l_adv L_adv + l_1 L_1 + l_per L_per + l_cx L_cx` (slides 14-16), a function each."""

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

EPSILON = 1e-5
CELLS = 1 << 21  # of the contextual loss's matrix at a time: 8 MiB


def adversarial_loss(scores: torch.Tensor, real: bool, form: str = "least_squares") -> torch.Tensor:
    """How far a discriminator's scores are from "real" or "fake"; mean over all entries.

    Args:
        scores: any shape, unbounded.
        real: which of the two is wanted.
        form: "least_squares" (the release; Mao et al. 2017) or "log" (the talk; Goodfellow et al. 2014, in its
            non-saturating form for the generator).
    """
    if form == "least_squares":
        return (scores - float(real)).square().mean()
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, float(real)))


def appearance_loss(generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L_1: mean absolute difference of two pictures (B,C,H,W)."""
    return F.l1_loss(generated, target)


def perceptual_loss(
    generated: dict[str, torch.Tensor], target: dict[str, torch.Tensor], relative: bool = False
) -> torch.Tensor:
    """L_per: mean absolute difference of features (Johnson et al. 2016), summed over layers.

    Args:
        generated, target: features by layer, (B,C,h,w) each; the target's carry no gradient.
        relative: divide each layer by the target's mean activation, so that layers of any scale weigh the same.
    """
    total = 0.0
    for layer, features in generated.items():
        wanted = target[layer].detach()
        difference = (features - wanted).abs().mean()
        total = total + (difference / (wanted.abs().mean() + EPSILON) if relative else difference)
    return total


def flow_roughness(flow: torch.Tensor) -> torch.Tensor:
    """Total variation of a flow: how much it stretches or tears what it moves, instead of carrying it along.

    Args:
        flow: (B,2,h,w) in units of the picture's height.
    Returns:
        mean over positions of the L1 norm of the flow's Jacobian (0 for a pure shift; 1: as much as the picture's own).
    """
    flow = flow * flow.shape[2]  # in cells
    return flow.diff(dim=2).abs().sum(1).mean() + flow.diff(dim=3).abs().sum(1).mean()


def contextual_loss(
    generated: torch.Tensor, target: torch.Tensor, bandwidth: float = 0.5, cells: int = CELLS
) -> torch.Tensor:
    """L_cx of one layer's features (Mechrez et al. 2018, in the form of the SCA-GAN release).

    Features are centred by the target's mean over batch and positions and normalised over channels. The cosine
    distance of every generated to every target position, relative to the generated position's nearest, becomes a
    similarity; each target position counts by its best match.

    The matrix of distances is made in chunks of generated positions, again in the backward pass, so that memory
    grows with the positions and not with their square. Always in float32, under autocast too: the nearest
    distances are differences of numbers near one.

    Args:
        generated, target: (B,C,h,w); the target's carry no gradient.
        bandwidth: h of the paper.
        cells: entries of the matrix in a chunk, over the batch.
    Returns:
        mean over the batch of `-log CX`; finite for any finite features.
    """
    generated, target = generated.float(), target.detach().float()
    centre = target.mean(dim=(0, 2, 3), keepdim=True)
    x = F.normalize((generated - centre).flatten(2), dim=1, eps=EPSILON)  # (B,C,N)
    y = F.normalize((target - centre).flatten(2), dim=1, eps=EPSILON)  # (B,C,M)
    return -_BestMatches.apply(x, y, bandwidth, max(1, cells // y[:, 0].numel())).mean(dim=1).log().mean()


def _best_matches(x: torch.Tensor, y: torch.Tensor, bandwidth: float) -> torch.Tensor:
    """The largest similarity of each target position y (B,C,M) to any generated position x (B,C,n): (B,M).

    With d = (1 - cos) / 2, the softmax over targets of (1 - d / (d_min + epsilon)) / h, less what is constant in it.
    """
    with torch.autocast(x.device.type, enabled=False):
        cosine = x.transpose(1, 2) @ y  # (B,n,M)
    nearest = cosine.amax(dim=2, keepdim=True)
    scale = 1 / (bandwidth * (1 - nearest + 2 * EPSILON))
    return torch.softmax((cosine - nearest.detach()) * scale, dim=2).amax(dim=1)


class _BestMatches(torch.autograd.Function):
    """`_best_matches` of x (B,C,N), `rows` of its positions at a time; only which chunk had the best is kept."""

    @staticmethod
    def forward(ctx, x, y, bandwidth, rows):
        best, chunk = x.new_zeros(y[:, 0].shape), y.new_zeros(y[:, 0].shape, dtype=torch.int32)
        for k, part in enumerate(x.split(rows, dim=2)):
            found = _best_matches(part, y, bandwidth)
            chunk.masked_fill_(found > best, k)
            best = torch.maximum(best, found)
        ctx.save_for_backward(x, y, chunk)
        ctx.settings = bandwidth, rows
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, y, chunk = ctx.saved_tensors
        bandwidth, rows = ctx.settings
        gradients = []
        for k, part in enumerate(x.split(rows, dim=2)):
            with torch.enable_grad():
                part = part.detach().requires_grad_()
                found = _best_matches(part, y, bandwidth)
            gradients += torch.autograd.grad(found, part, grad * (chunk == k))
        return torch.cat(gradients, dim=2), None, None, None
