"""The two phases of nets of learned places: PlaceNet by what is known of the targets, MendNet by its pictures."""

from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from ..content.alignment import head_window, sample
from ..evaluation.held_out import scaled
from ..features.lpips import Lpips
from ..models.layout import training_layout
from ..models.mend_net import Layers
from ..models.place_net import PlaceNet, Places, head_frames
from .config import PlaceWeights, TrainConfig
from .learner import Learner
from .objective import Objective, discriminators
from .place_losses import Truth, alpha_loss, body_terms, head_terms, painted_alone

REACH, SIDE = 1.2, 64  # of the window that LPIPS looks at heads in


class Apart(nn.Module):
    """PlaceNet's two nets beside each other, as its losses look at them."""

    def __init__(self, net: PlaceNet):
        super().__init__()
        self.net = net

    def forward(self, source_image, source_pose, target_pose) -> tuple:
        """Inputs of `PlaceNet` -> the body's places, the head's, and `head_frames` of the two poses."""
        frames, both = head_frames(source_pose, target_pose, source_image.shape[2])
        head = self.net.head(source_image, source_pose, target_pose, frames)
        return self.net.body(source_image, source_pose, target_pose), head, frames, both


def weighted(terms: dict[str, torch.Tensor], weights: PlaceWeights) -> dict[str, torch.Tensor]:
    """The terms times their weights."""
    by_name = asdict(weights)
    return {name: by_name[name] * value for name, value in terms.items()}


def place_terms(apart: tuple, net: PlaceNet, truth: Truth, weights: PlaceWeights) -> dict[str, torch.Tensor]:
    """The weighted terms of what `Apart` has given, and "total"."""
    body, head, frames, both = apart
    terms = body_terms(body, truth) | head_terms(head, net.head, frames, both, truth)
    terms = weighted(terms, weights)
    return {**terms, "total": sum(terms.values())}


class PlacePhase(Learner):
    """Phase 1: body and head of a PlaceNet, in one update, each with an optimiser; nothing judges them."""

    def __init__(self, net: PlaceNet, config: TrainConfig, accelerator):
        apart = {"body": net.unet, "head": net.head}
        super().__init__("pct", net, None, config, accelerator, Apart(net), apart)

    def backward(self, inputs: tuple, truth: Truth, share: float) -> dict[str, torch.Tensor]:
        """Adds `share` of one micro-batch's gradients; the terms of the losses.

        Args:
            inputs: source_image, source_pose, target_pose.
        """
        terms = place_terms(self.generator(*inputs), self.plain["generator"], truth, self.config.places)
        self.accelerator.backward(terms["total"] * share)
        return self._named(terms)


class MendTerms:
    """The terms of MendNet's pictures that no other net's have.

    Args:
        weights: a net of LPIPS is needed only where a term that it makes weighs something.
    Attributes:
        lpips: the nets by name.
    Raises:
        ValueError: when a needed net's weights cannot be had.
    """

    def __init__(self, weights: PlaceWeights, device: torch.device):
        self.weights = weights
        needed = {"AlexNet": weights.lpips or weights.painted, "VGG16": weights.head_lpips}
        layout = training_layout(device)
        self.lpips = {name: Lpips(name).to(device, memory_format=layout) for name, weight in needed.items() if weight}

    def __call__(self, layers: Layers, target, target_pose, person=None) -> dict[str, torch.Tensor]:
        """
        Args:
            target: (B,3,H,W) in [-1, 1].
            target_pose: (B,18,3).
            person: (B,1,H,W), 1 where the person is, else 0; None: not known, which leaves two terms out.
        """
        terms = {} if person is None else {"alpha": alpha_loss(layers.alpha, person)}
        if "AlexNet" in self.lpips:
            terms |= self._lpips(layers, target, person)
        if "VGG16" in self.lpips:
            terms["head_lpips"] = self._in_head(layers.image, target, target_pose)
        return weighted(terms, self.weights)

    @torch.inference_mode()
    def measure(self, generated: np.ndarray, target: np.ndarray) -> np.ndarray:
        """LPIPS by AlexNet of (n,H,W,3) uint8, twice -> (n,)."""
        net = self.lpips["AlexNet"]
        pictures = (scaled(torch.from_numpy(x).to(net.mean.device).permute(0, 3, 1, 2)) for x in (generated, target))
        return net(*pictures).cpu().numpy()

    def _lpips(self, layers: Layers, target, person) -> dict[str, torch.Tensor]:
        net, pictures = self.lpips["AlexNet"], {}
        if self.weights.lpips:
            pictures["lpips"] = layers.image
        if self.weights.painted and person is not None:
            pictures["painted"] = painted_alone(layers.painted, target, person)
        if not pictures:
            return {}
        with torch.no_grad():
            wanted = [torch.cat([x] * len(pictures)) for x in net.features(target)]
        distances = net.distance(net.features(torch.cat(list(pictures.values()))), wanted).chunk(len(pictures))
        return {name: distance.mean() for name, distance in zip(pictures, distances, strict=True)}

    def _in_head(self, image, target, target_pose) -> torch.Tensor:
        net = self.lpips["VGG16"]
        at, there = head_window(target_pose, target.shape[2], REACH, SIDE)
        with torch.no_grad():
            wanted = net.features(sample(target, at))
        return (net.distance(net.features(sample(image, at)), wanted) * there).sum() / there.sum().clamp_min(1)


def mend_judges(config: TrainConfig) -> nn.ModuleDict | None:
    """Discriminators of a picture beside the source as copied, and beside the target's pose; None: nothing judges."""
    return discriminators(3, config) if config.weights.adversarial else None


class MendPhase(Learner):
    """Phase 2: MendNet, whose places are given."""

    def __init__(self, net, config: TrainConfig, features, terms: MendTerms, accelerator):
        super().__init__("is", net, mend_judges(config), config, accelerator)
        self.objective, self.terms = Objective(config, self.discriminators, features, "is"), terms

    def backward(self, x: dict, places: Places, step: int, share: float) -> dict[str, torch.Tensor]:
        """Adds `share` of one micro-batch's gradients, MendNet's and its discriminators'; the terms of the losses.

        Args:
            x: of `PlaceNets._inputs`.
            places: of the batch, without gradient.
        """
        self.discriminators.requires_grad_(False)
        layers = self.generator(x["source_image"], x["source_pose"], x["target_pose"], places)
        seen = (x["target_image"], layers.copied, x["pose_map"])
        with self.accelerator.autocast():
            image = layers.image
            terms = self.objective.generator(image, *seen, step)
            own = self.terms(layers, x["target_image"], x["target_pose"], x["person"])
        terms |= own | {"total": terms["total"] + sum(own.values())}
        self.accelerator.backward(terms["total"] * share)
        terms |= self._against(self.objective, image, seen, step, share)
        return self._named(terms)
