"""Training of nets of learned places: each phase on a tiny data set with correspondences, resuming."""

import json
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState
from test_places import write_rendered
from tiny_training import TINY_PLACES as TINY
from tiny_training import Blurred, parameters, quick, same, train, weights

from scagan_hub import ScaGan
from scagan_hub.models.mend_net import MendNet
from scagan_hub.models.place_net import PlaceNet
from scagan_hub.training import place_phases
from scagan_hub.training.command import command, parse
from scagan_hub.training.config import MODELS, PlaceWeights, TrainConfig, Weights
from scagan_hub.training.loop import Trainer
from scagan_hub.training.plan import plan

NO_LPIPS = PlaceWeights(lpips=0, painted=0, head_lpips=0)
PLACE_TERMS = {"place", "shown", "person", "edge", "head_place", "head_shown", "head_person"}


@pytest.fixture
def make_config(monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "places", TINY)
    data = write_rendered(tmp_path / "rendered")

    def make(output="run", **settings) -> TrainConfig:
        usual = {"preset": "places", "places": NO_LPIPS, "weights": Weights(adversarial=0), "log_every": 1}
        usual |= {"learning_rate": 1e-3, "warmup": 2, "weight_decay": 1e-2, "clip": 1.0, "identity": 0.25}
        return quick(settings.pop("data", data), tmp_path / output, **usual | {"plain_ground": 0.5} | settings)

    return make


@pytest.fixture
def model(make_config, tmp_path):
    """A saved model of untrained nets."""
    nets = Trainer(make_config("untrained")).nets
    nets.averaged().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def read_log(config: TrainConfig) -> list[dict]:
    return [json.loads(line) for line in (config.output / "log.jsonl").read_text().splitlines()]


def terms_of(line: dict, phase: str) -> set[str]:
    known = {"total", "learning_rate", *(f"{net}_gradient" for net in ("body", "head", "generator"))}
    return {name.removeprefix(f"{phase}/") for name in line if name.startswith(f"{phase}/")} - known


def test_phase_pct_learns_places_and_is_measured_by_them(make_config):
    config = make_config(phase="pct", evaluate_pairs=3)
    trainer = train(config)
    first, *_, last = read_log(config)
    assert terms_of(first, "pct") == PLACE_TERMS
    assert {"held_out/place_error", "held_out/edge_l1"} == {name for name in last if name.startswith("held_out/")}
    moved = parameters(trainer)
    assert {name.split(".")[1] for name in moved} == {"generator"}  # nothing judges
    before = parameters(Trainer(replace(config, output=config.output / "again")))
    changed = {name.split(".")[2] for name in moved if not torch.equal(moved[name], before[name])}
    assert changed == {"unet", "head"}
    pipe = ScaGan.from_pretrained(str(config.output / "model"))
    assert isinstance(pipe.pct_net, PlaceNet) and isinstance(pipe.is_net, MendNet)
    assert pipe.report["training"]["nets"] == "PlaceNet; MendNet is untrained"
    assert len(list((config.output / "pictures").iterdir())) == 1


def test_phase_is_mends_with_a_frozen_place_net(make_config, model):
    config = make_config(phase="is", pct_net=model)
    train(config)
    first, *_, last = read_log(config)
    assert terms_of(first, "is") == {"appearance", "alpha"} and not terms_of(first, "pct")
    assert {"held_out/ssim", "held_out/l1"} == {name for name in last if name.startswith("held_out/")}
    before, after = weights(model.parent), weights(config.output)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("is.") for name in changed)


@pytest.fixture(params=["no", "bf16"])
def precision(request, monkeypatch):
    """Accelerate, which keeps a process's first precision, is told to forget it before and after."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    yield request.param
    AcceleratorState._reset_state(reset_partial_state=True)


def test_both_phases_train_in_one_update(make_config, precision):
    config = make_config(mixed_precision=precision, accumulate=2, steps=2)
    trainer = train(config)
    first, *_, last = read_log(config)
    assert terms_of(first, "pct") == PLACE_TERMS and terms_of(first, "is") == {"appearance", "alpha"}
    assert 0 < last["held_out/l1"] < 1 and last["held_out/place_error"] > 0
    assert all(value.isfinite().all() for value in parameters(trainer).values())


def test_each_loss_reaches_its_own_net_alone(make_config):
    trainer = Trainer(make_config(weights=Weights(adversarial=1.0), discriminator="patch"))
    nets, reached = trainer.nets, []
    members = {"pct_net": nets.pct_net, "is_net": nets.is_net, "judges": nets.phases["is"].discriminators}

    def backward(loss):
        loss.backward()
        reached.append({k for k, net in members.items() if any(p.grad is not None for p in net.parameters())})
        for net in members.values():
            net.zero_grad()

    nets.accelerator.backward = backward
    terms = nets.backward(next(trainer.updates()), 0)
    assert reached == [{"pct_net"}, {"is_net"}, {"judges"}]
    assert {"is/adversarial", "is/discriminator", "is/accuracy"} <= terms.keys()


@pytest.mark.parametrize("phase", ["pct", "is", "both"])
def test_a_resumed_run_ends_as_the_uninterrupted_one(make_config, model, phase):
    settings = {"phase": phase, "pct_net": model if phase == "is" else None}
    settings |= {"weights": Weights(adversarial=1.0), "discriminator": "patch"} if phase == "both" else {}
    whole = train(make_config("whole", **settings))
    train(make_config("parts", steps=2, **settings))
    resumed = train(make_config("parts", resume="latest", **settings))
    assert same(parameters(whole), parameters(resumed))
    assert same(weights(whole.config.output), weights(resumed.config.output))


def test_phase_is_does_without_parsing_maps_and_says_so(make_config, model, people):
    config = make_config(phase="is", pct_net=model, data=people)
    train(config)
    assert terms_of(read_log(config)[0], "is") == {"appearance"}
    assert "left out:  no parsing maps in " in plan(config)


def test_phase_pct_without_correspondences_is_refused(make_config, people):
    for phase in ("pct", "both"):
        with pytest.raises(ValueError, match="train_correspondences: `scagan people --correspondences` makes people"):
            Trainer(make_config(phase=phase, data=people))


def test_nets_of_another_form_and_variants_are_refused(make_config, tiny_folder):
    with pytest.raises(ValueError, match="--pct-net .*: this model has a PCTNet, this run a PlaceNet"):
        Trainer(make_config(phase="is", pct_net=tiny_folder))
    with pytest.raises(ValueError, match="the preset places has no variant batch_norm"):
        make_config(variant="batch_norm")


def test_a_dry_run_counts_both_phases(make_config, tmp_path):
    config = make_config(weights=Weights(adversarial=1.0), discriminator="patch")
    lines = dict(line.split(":", 1) for line in plan(config).splitlines())
    trainer = Trainer(config)
    counts = [sum(p.numel() for p in net.parameters()) for net in (trainer.nets.pct_net, trainer.nets.is_net)]
    assert lines["phase pct"].strip() == f"{counts[0]:,} parameters in the generator"
    assert lines["phase is"].strip().startswith(f"{counts[1]:,} parameters in the generator, ")
    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        trainer.nets.backward([next(trainer.updates())[0]], 0)
    assert float(lines["work"].split()[0]) == pytest.approx(counter.get_total_flops() / 1e12, rel=0.02)
    assert not config.output.exists()


def test_the_recipe_is_a_command_that_options_override():
    config = parse(["--data", "d", "--output", "o", "--preset", "places", "--places.alpha", "0.3"], "")
    assert (config.betas, config.weight_decay, config.clip, config.ema) == ((0.9, 0.98), 1e-2, 1.0, 0.998)
    assert config.places == PlaceWeights(alpha=0.3) and config.weights == Weights(adversarial=0)
    assert parse(command(config).split()[3:], "").plain() == config.plain() | {"data": "DATA", "output": "OUTPUT"}
    assert config.rate_factor(0) == 0.01 and config.rate_factor(99) == 1 and config.rate_factor(config.steps - 1) < 1e-3
    assert config.schedule.startswith("rising for 100 steps, constant to step")


def test_pictures_are_judged_as_lpips_sees_them(make_config, model, monkeypatch):
    monkeypatch.setattr(place_phases, "Lpips", Blurred)
    config = make_config(phase="is", pct_net=model, places=PlaceWeights(), steps=1)
    train(config)
    line, last = read_log(config)
    assert terms_of(line, "is") == {"appearance", "alpha", "lpips", "painted", "head_lpips"}
    assert last["held_out/lpips"] > 0
    assert "parameters in the generator" in plan(config)
