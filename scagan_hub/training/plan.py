"""`--dry-run`: what a run would take, found without training: its nets are built without memory, its data is read."""

from dataclasses import dataclass

import torch
from accelerate import PartialState
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from ..data import PosePairs
from ..models.features import load_features
from .components import components
from .config import TrainConfig
from .objective import Objective, discriminators

FLOAT = 4  # bytes
FLOATS_A_PARAMETER = 4  # itself, its gradient, Adam's two moments


def fake_tensors() -> FakeTensorMode:
    """Nets and passes made inside have shapes but neither values nor memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


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


def plan(config: TrainConfig) -> str:
    """What a run would take, as lines for a reader.

    Raises:
        ValueError: for data that cannot be trained on, or features that are not there.
    """
    with fake_tensors():
        pct_net, is_net, content = components(config)
    size, parsing = content.config.image_size, content.config.kind == "parsing"
    sets = {split: PosePairs(config.data, split, size, parsing) for split in ("train", "test")}
    features = load_features(config.features)
    nets = {"pct": (pct_net, content.edge_channels), "is": (is_net, 3)}
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(config.mixed_precision)
    with fake_tensors(), torch.autocast("cpu", kind, enabled=kind is not None):
        costs = {name: _cost(name, *nets[name], nets, config, content, features) for name in config.phases}
    frozen = [net for net in (features, None if "pct" in costs else pct_net) if net is not None]
    return "\n".join(
        [
            f"data:      {len(sets['train']):,} pairs to train on, {len(sets['test']):,} held out; no file is missing",
            *(f"{'phase ' + name + ':':<11}{_parameters(cost)}" for name, cost in costs.items()),
            *_totals(config, list(costs.values()), sum(map(_count, frozen)), len(sets["train"])),
        ]
    )


def _parameters(cost: Cost) -> str:
    return ", ".join(f"{count:,} parameters in the {part}" for part, count in cost.parameters.items())


def _totals(config: TrainConfig, costs: list[Cost], frozen: int, pairs: int) -> list[str]:
    launch = PartialState()
    batches = config.accumulate * launch.num_processes
    images = config.batch_size * batches
    flops = sum(cost.flops for cost in costs) * images
    trained = sum(sum(cost.parameters.values()) for cost in costs)
    averaged = sum(cost.parameters["generator"] for cost in costs)
    state = FLOAT * (trained * FLOATS_A_PARAMETER + averaged + frozen)
    kept = max(cost.kept for cost in costs) * config.batch_size
    return [
        f"devices:   {launch.num_processes} x {launch.device.type}, mixed precision: {config.mixed_precision}",
        f"steps:     {config.steps:,} of {images} pairs ({config.batch_size} a batch x {config.accumulate} x "
        f"{launch.num_processes} processes), {config.steps * images / pairs:.1f} times through the data",
        f"rates:     {config.schedule}",
        f"work:      {flops / 1e12:.3g} TFLOP a step, {flops * config.steps / 1e15:,.3g} PFLOP in all",
        f"memory:    at least {_gib(state + kept)} a process: {_gib(state)} of weights, gradients, moments, averages, "
        f"{_gib(kept)} kept for backward passes",
    ]


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"


def _cost(phase: str, net, channels: int, nets: dict, config: TrainConfig, content, features) -> Cost:
    """Runs a pair of tensors that have shapes and no values; a batch takes as many times as much."""
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
        drawing = _Kept(net, judges, features)
        with drawing:
            generated = net(*inputs)
            total = objective.generator(generated, *seen, getattr(net, "flow", None))["total"]
        total.backward()
        judges.requires_grad_(True)
        judging = _Kept(judges)
        with judging:
            loss = objective.discriminator(generated, *seen)["discriminator"]
        loss.backward()
    parameters = {"generator": _count(net), "discriminators": _count(judges)}
    return Cost(parameters, counter.get_total_flops(), max(drawing.bytes, judging.bytes))


class _Kept(torch.autograd.graph.saved_tensors_hooks):
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


def _count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
