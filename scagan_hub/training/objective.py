"""The objective of one phase: discriminators D_s and D_c, feature net, and the weighted sum of the four terms."""

import torch
import torch.nn.functional as F

from ..models import PatchDiscriminator, ResNetDiscriminator
from ..models.layout import training_layout
from .config import TrainConfig
from .losses import adversarial_loss, appearance_loss, contextual_loss, flow_roughness, perceptual_loss

THRESHOLDS = {"least_squares": 0.5, "log": 0.0}  # of a score: above it a discriminator says "real"
DISCRIMINATORS = {"resnet": ResNetDiscriminator, "patch": PatchDiscriminator}


def discriminators(channels: int, config: TrainConfig) -> torch.nn.ModuleDict:
    """`style`: D_s judges (picture, source); `content`: D_c judges (picture, target pose)."""
    kind, width = DISCRIMINATORS[config.discriminator], config.discriminator_width
    return torch.nn.ModuleDict({"style": kind(2 * channels, width=width), "content": kind(channels + 18, width=width)})


def windows(tensors: list[torch.Tensor], pose_map: torch.Tensor, scale: int) -> list[torch.Tensor]:
    """A full-size window of each sample of (B,C,H,W) tensors, smaller by `scale`, round a random joint of its pose."""
    peaks = pose_map.flatten(2).max(dim=2)  # each (B,18)
    joints = torch.multinomial((peaks.values > 0) + 1e-6, 1)
    centre = peaks.indices.gather(1, joints)  # (B,1)
    height, width = pose_map.shape[2:]
    places = []
    for position, length in ((centre // width, height), (centre % width, width)):
        first = (position - length // scale // 2).clamp(0, length - length // scale)
        places.append(first + torch.arange(length // scale, device=first.device))
    rows, columns = places[0][:, :, None], places[1][:, None]
    sample = torch.arange(len(centre), device=centre.device)[:, None, None]
    layout = training_layout(tensors[0].device)
    return [x[sample, :, rows, columns].permute(0, 3, 1, 2).contiguous(memory_format=layout) for x in tensors]


def both(net, layers: tuple[str, ...], generated: torch.Tensor, target: torch.Tensor) -> list[dict]:
    """The features of a generated picture and of the true one, which has no graph; float32."""
    made = net(generated, layers)
    with torch.no_grad():
        wanted = net(target, layers)
    return [{layer: value.float() for layer, value in features.items()} for features in (made, wanted)]


class Objective:
    """Losses of a generator and its two discriminators.

    Args:
        discriminators: see the function of that name; empty where there are none.
        features: a frozen net of `features`, or None.
        phase: "pct" (edge maps: no contextual term) or "is".
    Raises:
        ValueError: for `raw_contextual` with a net that isn't a VGG.
    """

    def __init__(self, config: TrainConfig, discriminators, features, phase: str):
        self.config, self.discriminators, self.features = config, discriminators, features
        self.phase = phase
        if features is not None:
            self.perceptual_layers = config.perceptual_layers or features.perceptual_layers
            self.contextual_layers = config.contextual_layers or features.contextual_layers
            self.raw = features.raw() if config.raw_contextual else None

    def judges(self, step: int) -> bool:
        """Whether the discriminators have joined."""
        return len(self.discriminators) > 0 and step >= self.config.adversarial_from

    def generator(self, generated, target, source, pose_map, step: int, flow=None) -> dict[str, torch.Tensor]:
        """The weighted terms, and "total".

        Args:
            generated, target, source: pictures or edge maps (B,C,H,W) in [-1, 1].
            flow: (B,2,h,w), of a generator that has one.
        """
        weights, terms = self.config.weights, {}
        terms["appearance"] = weights.appearance * appearance_loss(generated, target)
        if flow is not None:
            terms["flow"] = weights.flow * flow_roughness(flow)
        if self.features is None and not self.judges(step):
            return {**terms, "total": sum(terms.values())}
        seen = self._views([generated, target, source, pose_map], step)
        if self.features is not None:
            terms.update(self._feature_terms(*seen[:2]))
        if self.judges(step):
            scores = [net(seen[0], c) for net, c in zip(self.discriminators.values(), seen[2:], strict=True)]
            losses = [adversarial_loss(s, True, self.config.adversarial_form) for s in scores]
            terms["adversarial"] = weights.adversarial * sum(losses) / 2
        return {**terms, "total": sum(terms.values())}

    def discriminator(self, generated, target, source, pose_map, step: int) -> dict[str, torch.Tensor]:
        """On a detached `generated`: "discriminator", both's weighted loss, and "accuracy", of all their scores."""
        generated, target, *conditions = self._views([generated.detach(), target, source, pose_map], step)
        form, total, right = self.config.adversarial_form, 0.0, []
        for net, condition in zip(self.discriminators.values(), conditions, strict=True):
            for picture, real in ((target, True), (generated, False)):
                scores = net(picture, condition)
                total = total + adversarial_loss(scores, real, form)
                right.append(((scores > THRESHOLDS[form]) == real).float().mean())
        return {"discriminator": self.config.weights.adversarial * total / 2, "accuracy": torch.stack(right).mean()}

    def _views(self, tensors: list[torch.Tensor], step: int) -> list[torch.Tensor]:
        """What features and discriminators see: whole pictures, all smaller, or one full-size window of each."""
        scale = self.config.view_scale
        if scale == 1:
            return tensors
        if self.phase == "pct" or step % 2 == 1:
            return windows(tensors, tensors[-1], scale)
        return [F.avg_pool2d(x, scale) for x in tensors]

    def _feature_terms(self, generated, target) -> dict[str, torch.Tensor]:
        """Named after the feature net, since figures of different nets don't compare."""
        weights, relative, net = self.config.weights, self.config.relative_perceptual, self.features
        if self.phase == "pct":  # each map is a grey picture, and none has a contextual term
            pictures = [x.flatten(0, 1)[:, None].expand(-1, 3, -1, -1) for x in (generated, target)]
            made, wanted = both(net, self.perceptual_layers, *pictures)
            return {f"perceptual_{net.name}": weights.perceptual * perceptual_loss(made, wanted, relative)}
        shared = self.contextual_layers if self.raw is None else ()
        made, wanted = both(net, (*self.perceptual_layers, *shared), generated, target)
        perceptual = perceptual_loss({layer: made[layer] for layer in self.perceptual_layers}, wanted, relative)
        if self.raw is not None:
            made, wanted = both(self.raw, self.contextual_layers, generated, target)
        contextual = sum(contextual_loss(made[layer], wanted[layer]) for layer in self.contextual_layers)
        return {
            f"perceptual_{net.name}": weights.perceptual * perceptual,
            f"contextual_{net.name}": weights.contextual * contextual,
        }
