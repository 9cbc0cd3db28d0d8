"""`--dry-run`: what a run would take, found without training: its nets are built without memory, its data is read."""

import torch
from accelerate import PartialState
from torch._subclasses.fake_tensor import FakeTensorMode

from ..features.loading import load_features
from .components import components
from .config import TrainConfig
from .costs import Cost, count, edge_cost, place_costs
from .data import notes, pair_sets
from .place_phases import MendTerms

FLOAT = 4  # bytes
FLOATS_A_PARAMETER = 4  # itself, its gradient, Adam's two moments


def fake_tensors() -> FakeTensorMode:
    """Nets and passes made inside have shapes but neither values nor memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def plan(config: TrainConfig) -> str:
    """What a run would take, as lines for a reader.

    Raises:
        ValueError: for data that cannot be trained on, or features that are not there.
    """
    with fake_tensors():
        pct_net, is_net, content = components(config)
    train_set, held_out = pair_sets(config, content)
    mends = config.learns_places and "is" in config.phases
    features = load_features(config.features) if mends or not config.learns_places else None
    mend_terms = MendTerms(config.places, torch.device("cpu")) if mends else None
    looked_through = [features, *(mend_terms.lpips.values() if mends else ())]
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(config.mixed_precision)
    with fake_tensors(), torch.autocast("cpu", kind, enabled=kind is not None):
        if config.learns_places:
            costs = place_costs(config, pct_net, is_net, content, features, mend_terms)
        else:
            nets = {"pct": (pct_net, content.edge_channels), "is": (is_net, 3)}
            costs = {name: edge_cost(name, *nets[name], nets, config, content, features) for name in config.phases}
    frozen = [net for net in (*looked_through, None if "pct" in costs else pct_net) if net is not None]
    return "\n".join(
        [
            f"data:      {len(train_set):,} pairs to train on, {len(held_out):,} held out; no file is missing",
            *(f"left out:  {line}" for line in notes(config, train_set)),
            *(f"{'phase ' + name + ':':<11}{_parameters(cost)}" for name, cost in costs.items()),
            *_totals(config, list(costs.values()), sum(map(count, frozen)), len(train_set)),
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
