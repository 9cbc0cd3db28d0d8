"""What a pair costs in a phase, found from shapes alone: passes of tensors that have no values."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from .config import TrainConfig
from .objective import Objective, discriminators
from .place_losses import Truth
from .place_phases import Apart, mend_judges, place_terms


@dataclass
class Cost:
    """Of one pair in one phase.

    Attributes:
        parameters: of the generator and of its discriminators.
        flops: of all passes, forward and backward; a multiplication and an addition are two.
        kept: bytes that the larger of its two graphs keeps for its backward pass.
    """

    parameters: dict[str, int]
    flops: int
    kept: int


def edge_cost(phase: str, net, channels: int, nets: dict, config: TrainConfig, content, features) -> Cost:
    """Of one of the paper's nets. Runs a pair of tensors without values; a batch takes as many times as much."""
    height, width = content.config.image_size
    make = lambda count: torch.empty(1, count, height, width)  # noqa: E731
    judges = discriminators(channels, config)
    objective = Objective(config, judges, features, phase)
    if phase == "pct":
        inputs = (make(channels), make(18), make(content.prior_channels))
    else:
        edge = make(content.edge_channels) if net.config.edge_channels else None
        inputs = (make(3), edge, make(18), make(4) if net.config.aligned_channels else None)
    seen = (make(channels), make(channels), make(18), max(config.adversarial_from, 1))
    with FlopCounterMode(display=False) as counter:
        if phase == "is" and nets["pct"][0] is not None and "pct" not in config.phases:
            with torch.no_grad():
                nets["pct"][0](make(content.edge_channels), make(18), make(content.prior_channels))
        judges.requires_grad_(False)
        drawing = Kept(net, judges, features)
        with drawing:
            generated = net(*inputs)
            total = objective.generator(generated, *seen, getattr(net, "flow", None))["total"]
        total.backward()
        judges.requires_grad_(True)
        judging = Kept(judges)
        with judging:
            loss = objective.discriminator(generated, *seen)["discriminator"]
        loss.backward()
    parameters = {"generator": count(net), "discriminators": count(judges)}
    return Cost(parameters, counter.get_total_flops(), max(drawing.bytes, judging.bytes))


def place_costs(config: TrainConfig, pct_net, is_net, content, features, mend_terms) -> dict[str, Cost]:
    """Of nets of learned places, by phase; as `edge_cost`."""
    shape = content.config.image_size
    make = lambda count: torch.empty(1, count, *shape)  # noqa: E731
    pose = torch.empty(1, 18, 3)
    inputs, costs = (make(3), pose, pose), {}
    if "pct" in config.phases:
        truth, kept = Truth(make(2), make(1), make(1), make(1)), Kept(pct_net)
        with FlopCounterMode(display=False) as counter:
            with kept:
                total = place_terms(Apart(pct_net)(*inputs), pct_net, truth, config.places)["total"]
            total.backward()
        costs["pct"] = Cost({"generator": count(pct_net)}, counter.get_total_flops(), kept.bytes)
    if "is" in config.phases:
        with FlopCounterMode(display=False) as counter:
            with torch.no_grad():
                places, inside = pct_net(*inputs), pct_net.silhouette(*inputs[:2])
            costs["is"] = _mend_cost(config, is_net, (inputs[0], inside, *inputs[1:], places), features, mend_terms)
        costs["is"].flops = counter.get_total_flops()
    return costs


def _mend_cost(config: TrainConfig, is_net, inputs: tuple, features, mend_terms) -> Cost:
    """But for its flops."""
    judges, target, pose_map = mend_judges(config), torch.empty_like(inputs[0]), inputs[0].new_empty(1, 18, 1, 1)
    person, step = torch.empty_like(target[:, :1]), max(config.adversarial_from, 1)
    judges = torch.nn.ModuleDict() if judges is None else judges
    objective = Objective(config, judges, features, "is")
    judges.requires_grad_(False)
    drawing = Kept(is_net, judges, features, *mend_terms.lpips.values())
    with drawing:
        layers = is_net(*inputs)
        seen = (target, layers.copied, pose_map.expand(-1, -1, *target.shape[2:]))
        total = objective.generator(layers.image, *seen, step)["total"]
        total = total + sum(mend_terms(layers, target, inputs[3], person).values())
    total.backward()
    judging = Kept(judges)
    if objective.judges(step):
        judges.requires_grad_(True)
        with judging:
            loss = objective.discriminator(layers.image, *seen, step)["discriminator"]
        loss.backward()
    parameters = {"generator": count(is_net)} | ({"discriminators": count(judges)} if len(judges) else {})
    return Cost(parameters, 0, max(drawing.bytes, judging.bytes))


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Adds up what graphs made inside keep for their backward pass, weights aside."""

    def __init__(self, *nets):
        weights = (p for net in nets if net is not None for p in net.parameters())
        self.known = {p.untyped_storage()._cdata for p in weights}
        self.bytes = 0
        super().__init__(self._keep, lambda kept: kept)

    def _keep(self, tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.bytes += storage.nbytes()
        return tensor


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
