"""The objective: `L = l_adv L_adv + l_1 L_1 + l_per L_per + l_cx L_cx` (slides 14-16), a function each."""

import torch
import torch.nn.functional as F

EPSILON = 1e-5


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


def contextual_loss(generated: torch.Tensor, target: torch.Tensor, bandwidth: float = 0.5) -> torch.Tensor:
    """L_cx of one layer's features (Mechrez et al. 2018, in the form of the SCA-GAN release).

    Features are centred by the target's mean over batch and positions and normalised over channels. The cosine
    distance of every generated to every target position, relative to the generated position's nearest, becomes a
    similarity; each target position counts by its best match.

    Args:
        generated, target: (B,C,h,w); the target's carry no gradient.
        bandwidth: h of the paper.
    Returns:
        mean over the batch of `-log CX`.
    """
    target = target.detach()
    centre = target.mean(dim=(0, 2, 3), keepdim=True)
    x = F.normalize((generated - centre).flatten(2), dim=1, eps=EPSILON)  # (B,C,N)
    y = F.normalize((target - centre).flatten(2), dim=1, eps=EPSILON)
    distance = (1 - x.transpose(1, 2) @ y) / 2  # (B, generated positions, target positions)
    relative = distance / (distance.amin(dim=2, keepdim=True) + EPSILON)
    similarity = torch.softmax((1 - relative) / bandwidth, dim=2)
    return -similarity.amax(dim=1).mean(dim=1).log().mean()
