"""What is asked of a training run and what it says: recipes, configuration files, --dry-run, trackers, processes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from tiny_training import TINY, parameters, quick, train
from torch.utils.flop_counter import FlopCounterMode

from scagan_hub.models import PatchDiscriminator
from scagan_hub.training.command import command, parse
from scagan_hub.training.components import components
from scagan_hub.training.config import MODELS, Weights
from scagan_hub.training.journal import check_trackers
from scagan_hub.training.loop import Trainer
from scagan_hub.training.plan import plan
from scagan_hub.training.recipes import by_recipe

ROOT = Path(__file__).parents[1]


def asked(*options: str):
    return parse(["--data", "d", "--output", "o", *options], "")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(MODELS, "demo", TINY)


def test_a_preset_is_a_recipe_that_options_override():
    demo = asked("--steps", "7")
    assert (demo.discriminator, demo.weights.appearance, demo.steps) == ("patch", 5.0, 7)
    first, second = (
        asked("--preset", "release", "--phase", "pct"),
        asked("--preset=release", "--phase=is", "--pct-net=m"),
    )
    assert (first.learning_rate, first.batch_size, first.steps, first.decay_from) == (2e-4, 5, 320_000, 160_000)
    assert (second.learning_rate, second.batch_size, second.steps, second.decay_from) == (1e-4, 3, 533_333, 266_666)
    assert demo.mirror and not first.mirror and not second.mirror
    assert second.betas == (0.5, 0.999) and second.weights == Weights() and second.init == "normal"


def test_the_bundled_weights_command_is_short():
    assert command(by_recipe("demo", data=Path("d"), output=Path("o"))) == (
        "accelerate launch train_accelerate.py --preset demo --data DATA --output OUTPUT --phase both"
    )


@pytest.mark.parametrize("options", ["", "--variant batch_norm", "--phase is --variant no_prior_transfer"])
def test_a_command_repeats_its_configuration(options):
    config = asked(
        "--preset", "release", "--clip", "1.5", "--weights.contextual", "0.2", "--ema", "0.99", *options.split()
    )
    words = command(config).split()[3:]
    assert parse(words, "").plain() == config.plain() | {"data": "DATA", "output": "OUTPUT"}


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_configuration_file_lies_between_recipe_and_options(tmp_path, suffix):
    file = tmp_path / f"run.{suffix}"
    fields = {"data": "from_file", "learning_rate": 1e-05, "weights": {"flow": 2}, "betas": [0, 0.9], "clip": 3}
    file.write_text(json.dumps(fields) if suffix == "json" else yaml.safe_dump(fields))
    config = parse(["--config", str(file), "--output", "o", "--clip", "4"], "")
    assert (config.data, config.learning_rate, config.betas, config.clip) == (Path("from_file"), 1e-05, (0.0, 0.9), 4.0)
    recipe = by_recipe("demo", data="", output="")
    assert config.weights == replace(recipe.weights, flow=2.0) != Weights(flow=2.0) and config.steps == recipe.steps


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("learning_rte: 1", "unknown field 'learning_rte'; did you mean 'learning_rate'?"),
        ("weights: {apearance: 1}", "weights: unknown field 'apearance'; did you mean 'appearance'?"),
        ("betas: [0.5]", "betas: expected 2 values, got [0.5]"),
        ("steps: many", "steps: expected int, got 'many'"),
        ("phase: 2", "phase: expected one of pct, is, both, got 2"),
        ("- steps", "expected fields and their values"),
        ("{", "is no JSON or YAML"),
    ],
)
def test_an_unusable_configuration_file_is_refused_in_one_line(tmp_path, text, says):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ValueError) as refused:
        parse(["--config", str(file)], "")
    assert says in str(refused.value) and str(file) in str(refused.value) and "\n" not in str(refused.value)


def test_rates_fall_to_zero_by_step(people, tmp_path):
    config = quick(people, tmp_path, steps=10, decay_from=6)
    assert [config.rate_factor(step) for step in (0, 5, 6, 8, 9)] == [1, 1, 1, 0.5, 0.25]
    assert config.schedule == "constant to step 6, then falling to zero at step 10"


def test_steps_that_end_before_the_rates_fall_are_said(tiny, people, tmp_path):
    config = quick(people, tmp_path, steps=6, decay_from=6)
    assert all(config.rate_factor(step) == 1 for step in range(6))
    (line,) = (line for line in plan(config).splitlines() if line.startswith("rates:"))
    assert "constant for all 6 steps: they would fall from step 6 on; give an earlier --decay-from" in line


def test_clipping_bounds_the_gradients_that_are_stepped_with(tiny, people, tmp_path):
    trainer = Trainer(quick(people, tmp_path / "run", clip=1e-3, phase="pct"))
    batch = torch.utils.data.default_collate([trainer.train_set[i] for i in range(2)])
    trainer.nets.backward([batch], 0)
    before = trainer.nets.norms()
    phase = trainer.nets.phases["pct"]
    after = torch.nn.utils.get_total_norm([p.grad for p in phase.generator.parameters()])
    assert before["pct/generator_gradient"] > 2e-3 and after <= 1.001e-3


def test_a_dry_run_counts_what_a_run_would_take_and_writes_nothing(tiny, people, tmp_path):
    config = quick(people, tmp_path / "run", discriminator="patch")
    lines = dict(line.split(":", 1) for line in plan(config).splitlines())
    pct_net, is_net, content = components(config)
    judge = PatchDiscriminator(2, config.discriminator_width), PatchDiscriminator(19, config.discriminator_width)
    counts = [sum(p.numel() for net in nets for p in net.parameters()) for nets in ([pct_net], judge, [is_net])]
    assert f"{counts[0]:,} parameters in the generator, {counts[1]:,} " in lines["phase pct"]
    assert f"{counts[2]:,} parameters" in lines["phase is"] and "4 pairs to train on, 4 held out" in lines["data"]
    assert "4 of 2 pairs" in lines["steps"] and "1 x cpu" in lines["devices"] and not (tmp_path / "run").exists()
    trainer = Trainer(config)
    with FlopCounterMode(display=False) as counter:
        trainer.nets.backward([next(trainer.updates())[0]], 0)
    assert float(lines["work"].split()[0]) == pytest.approx(counter.get_total_flops() / 1e12, rel=0.01)


def test_trackers_get_every_figure_and_the_held_out_pictures(tiny, people, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = quick(people, tmp_path / "run", steps=2, log_every=1, phase="pct", trackers=("tensorboard",))
    train(config)
    (folder,) = (config.output / "tracking").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    terms = ("appearance", "adversarial", "total", "discriminator", "accuracy", "learning_rate")
    tags = {f"pct/{term}" for term in (*terms, "generator_gradient", "discriminators_gradient")}
    assert tags | {"held_out/edge_l1"} == set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("pct/total")] == [1, 2]
    assert 0 <= events.Scalars("pct/accuracy")[0].value <= 1 and events.Tags()["images"] == ["held_out"]


@pytest.mark.parametrize("mirror", [True, False])
def test_a_run_mirrors_as_it_is_told(tiny, people, tmp_path, mirror):
    trainer = Trainer(quick(people, tmp_path / "run", phase="pct", steps=8, mirror=mirror))
    pictures = [picture for (batch,) in trainer.updates() for picture in batch["source_image"]]
    as_they_are = [trainer.train_set[i]["source_image"] for i in range(4)]
    mirrored = [not any(torch.equal(seen, known) for known in as_they_are) for seen in pictures]
    assert any(mirrored) == mirror and not all(mirrored)
    assert trainer.facts()["data"].endswith("mirrored at random") == mirror


def test_unknown_and_absent_trackers_are_refused():
    with pytest.raises(ValueError, match="no tracker is called 'tensorbord'; expected some of .*tensorboard"):
        check_trackers(("tensorbord",))
    with pytest.raises(ValueError, match="'wandb' is not installed: pip install wandb"):
        check_trackers(("wandb",))


def test_a_run_may_not_go_on_with_other_data(tiny, people, tmp_path):
    train(quick(people, tmp_path / "run", steps=1))
    pairs = people / "pairs-train.csv"
    pairs.write_text("".join(pairs.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="was made with 4 pairs; .* has 3"):
        Trainer(quick(people, tmp_path / "run", steps=2, resume="latest")).run()


def test_fused_adam_is_adam(tiny, people, tmp_path):
    trainer = Trainer(quick(people, tmp_path / "run", steps=1, phase="pct", adversarial_from=9))
    net = trainer.nets.pct_net
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    trainer.run()
    start = Trainer(quick(people, tmp_path / "other", phase="pct", adversarial_from=9))
    assert all(torch.equal(before[name], p) for name, p in start.nets.pct_net.named_parameters())
    plain = torch.optim.Adam(start.nets.pct_net.parameters(), 2e-4, (0.5, 0.999))
    start.resume()
    start.nets.backward(next(start.updates()), 0)
    plain.step()
    assert all(torch.allclose(p, parameters(start)[name], atol=1e-7) for name, p in parameters(trainer).items())


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "accelerate").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_the_example(path):
    config = load_config_from_file(str(path))
    assert config.distributed_type == "MULTI_GPU" and config.num_processes % (8 * config.num_machines) == 0


def test_sharding_launches_are_refused(tiny, people, tmp_path, monkeypatch):
    from accelerate import Accelerator
    from accelerate.utils import DistributedType

    monkeypatch.setattr(Accelerator, "distributed_type", DistributedType.FSDP)
    with pytest.raises(ValueError, match="launched with FSDP: expected one process or data-parallel ones"):
        Trainer(quick(people, tmp_path))
