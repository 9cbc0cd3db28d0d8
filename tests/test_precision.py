"""Mixed precision: a run trains in it, goes on in it bit for bit, and stops at figures that are not finite."""

import json

import pytest
import torch
from accelerate.state import AcceleratorState
from tiny_training import TINY, distance, parameters, quick, same, train

from scagan_hub.training.config import MODELS, Weights
from scagan_hub.training.loop import Trainer
from scagan_hub.training.watch import Stopped

on_cuda = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Tiny nets; Accelerate, which keeps a process's first precision, is told to forget it before and after."""
    monkeypatch.setitem(MODELS, "demo", TINY)
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(
    params=["bf16 on a CPU", *(pytest.param(f"{name} on a GPU", marks=on_cuda) for name in ("no", "bf16", "fp16"))]
)
def precision(request, monkeypatch) -> str:
    if request.param.endswith("CPU"):
        monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    return request.param.split()[0]


def test_a_run_trains_in_it_and_its_weights_stay_in_float32(people, tmp_path, precision):
    config = quick(people, tmp_path / "run", steps=8, log_every=4, mixed_precision=precision, view_scale=2)
    trainer, computed = Trainer(config), []
    for net in (phase.plain["generator"] for phase in trainer.nets.phases.values()):
        conv = next(module for module in net.modules() if isinstance(module, torch.nn.Conv2d))
        conv.register_forward_hook(lambda _, __, out: computed.append(out.dtype))
    before = parameters(trainer)
    trainer.run()
    expected = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert computed[0] == computed[1] == expected  # of both nets, in the first update
    after = parameters(trainer)
    moved = {".".join(name.split(".")[:2]) for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {f"{phase}.{part}" for phase in ("pct", "is") for part in ("generator", "discriminators")}
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in after.values())
    log = [json.loads(line) for line in (config.output / "log.jsonl").read_text().splitlines()]
    assert log[-1]["held_out/l1"] < 1 and all(line["is/total"] > 0 for line in log if "is/total" in line)


def test_a_resumed_run_ends_as_the_uninterrupted_one(people, tmp_path, precision):
    settings = {"mixed_precision": precision, "discriminator": "patch", "save_every": 2}
    trainer = Trainer(quick(people, tmp_path / "whole", **settings))
    start = parameters(trainer)
    trainer.run()
    whole = parameters(trainer)
    train(quick(people, tmp_path / "parts", steps=2, **settings))
    resumed = parameters(train(quick(people, tmp_path / "parts", resume="latest", **settings)))
    if trainer.accelerator.device.type == "cpu":
        assert same(resumed, whole)
    else:  # where gradients add up in another order each time
        assert distance(resumed, whole, start) < 0.25


def test_a_figure_that_is_not_finite_stops_it_and_changes_no_weight(people, tmp_path, precision):
    spoilt = {"weights": Weights(adversarial=float("inf")), "adversarial_from": 2}
    trainer = Trainer(quick(people, tmp_path / "run", save_every=2, mixed_precision=precision, **spoilt))
    with pytest.raises(Stopped, match="step 3: not finite: .*is/adversarial"):
        trainer.run()
    saved = torch.load(
        tmp_path / "run" / "checkpoints" / "step-00000002" / "is.generator.pt", map_location="cpu", weights_only=True
    )
    now = trainer.nets.phases["is"].plain["generator"].state_dict()
    assert all(torch.equal(value, now[name].cpu()) for name, value in saved.items())
