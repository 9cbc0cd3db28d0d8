"""Training end to end on a tiny data set: both phases, resuming, what is refused before the first step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_training import SIZE, TINY, quick, save_untrained, weights

from scagan_hub import ScaGan
from scagan_hub.content import Content
from scagan_hub.evaluation.held_out import choose
from scagan_hub.models import ISNet
from scagan_hub.models.content_style import Modulation
from scagan_hub.training.__main__ import main
from scagan_hub.training.average import EMA
from scagan_hub.training.components import components, initialise, trained_net
from scagan_hub.training.config import MODELS, TrainConfig, Weights
from scagan_hub.training.loop import Trainer
from scagan_hub.training.objective import Objective, discriminators, windows


@pytest.fixture
def make_config(monkeypatch, people, tmp_path):
    monkeypatch.setitem(MODELS, "demo", TINY)
    return lambda output="run", **settings: quick(people, tmp_path / output, **settings)


def test_both_phases_train_and_the_model_loads(make_config):
    config = make_config(save_every=2, evaluate_every=4, keep=1)
    Trainer(config).run()
    log = [json.loads(line) for line in (config.output / "log.jsonl").read_text().splitlines()]
    assert {"pct/adversarial", "is/flow", "is/discriminator"} <= log[0].keys() and 0 < log[1]["held_out/l1"] < 1
    assert [p.name for p in (config.output / "checkpoints").iterdir()] == ["step-00000004"]
    assert len(list((config.output / "pictures").iterdir())) == 1
    assert all(torch.isfinite(value).all() for value in weights(config.output).values())


def test_a_resumed_run_ends_as_the_uninterrupted_one(make_config):
    whole, first = make_config("whole"), make_config("parts", steps=2)
    Trainer(whole).run()
    Trainer(first).run()
    Trainer(make_config("parts", resume="latest")).run()
    expected, got = weights(whole.output), weights(first.output)
    assert expected.keys() == got.keys() and all(torch.equal(expected[name], got[name]) for name in expected)


def test_a_run_starts_from_trained_nets_of_its_own_form(make_config):
    first = make_config("first")
    Trainer(first).run()
    model = first.output / "model"
    on = make_config("second", pct_net=model, is_net=model, learning_rate=0.0, seed=1)
    before = weights(first.output)
    after = Trainer(on).nets.is_net.state_dict()
    assert all(torch.equal(before[f"is.{name}"].to(value), value) for name, value in after.items())
    with pytest.raises(ValueError, match="--is-net .*: edge_channels is 1, this run has 0"):
        Trainer(make_config("third", variant="no_content_branch", is_net=model))


@pytest.mark.parametrize("fed", [{"prior_radius": 9}, {"heatmap_sigma": 12.0}])
def test_a_pct_net_that_was_fed_otherwise_is_refused(make_config, monkeypatch, fed):
    model = save_untrained(make_config().output)
    ((field, value),) = fed.items()
    monkeypatch.setitem(MODELS, "demo", TINY | {"content": TINY["content"] | fed})
    with pytest.raises(ValueError, match=f"--pct-net .*: content's {field} is .*, this run has {value}"):
        Trainer(make_config("run", phase="is", pct_net=model))


def test_a_converted_release_is_not_taken_for_a_pct_net_of_the_preset(tmp_path, monkeypatch):
    small = {"pct_net": {"width": 4, "residual_blocks": 1}, "is_net": {"width": 4, "modulation_width": 4}}
    monkeypatch.setitem(MODELS, "release", {"content": MODELS["release"]["content"], **small})
    pct_net, is_net, content = components(TrainConfig(tmp_path, tmp_path, preset="release"))
    fed = Content(heatmap_sigma=12.0, prior="patches_release")  # as `release.py` has it
    ScaGan(pct_net.eval(), is_net.eval(), fed).save_pretrained(tmp_path / "release")
    with pytest.raises(ValueError, match="content's prior is patches_release, this run has patches"):
        trained_net(tmp_path / "release", "pct_net", pct_net, content)


def test_a_model_without_pct_net_is_refused_as_one(make_config):
    first = make_config("first", variant="no_prior_transfer", steps=1)
    Trainer(first).run()
    model = first.output / "model"
    with pytest.raises(ValueError, match="--pct-net .*: this model has no PCT-Net"):
        Trainer(make_config("second", phase="is", pct_net=model))


def test_phase_pct_is_measured_by_its_edges(make_config, monkeypatch):
    monkeypatch.setattr(ISNet, "forward", None)  # never trained: neither figures nor pictures come from it
    monkeypatch.setattr(ISNet, "decode", None)
    config = make_config("first", phase="pct", evaluate_pairs=3, steps=1)
    trainer = Trainer(config)
    trainer.run()
    logged = json.loads((config.output / "log.jsonl").read_text().splitlines()[-1])
    pipe = ScaGan.from_pretrained(str(config.output / "model"))
    off = []
    for i in choose(trainer.held_out, 3):
        x = trainer.nets._inputs(torch.utils.data.default_collate([trainer.held_out[i]]))
        off.append((pipe.pct_net(x["source_edge"], x["pose_map"], x["prior"]) - x["target_edge"]).abs().mean() / 2)
    assert {name for name in logged if name.startswith("held_out/")} == {"held_out/edge_l1"}
    assert logged["held_out/edge_l1"] == pytest.approx(torch.stack(off).mean().item(), rel=1e-4)
    assert np.asarray(Image.open(config.output / "pictures" / "step-00000001.png")).shape == (3 * 64, 5 * 44, 3)


def test_the_card_says_which_nets_were_trained(make_config):
    said = lambda **settings: Trainer(make_config(**settings)).facts()["nets"]  # noqa: E731
    model = make_config("first", phase="pct", steps=1).output / "model"
    Trainer(make_config("first", phase="pct", steps=1)).run()
    assert "- nets: PCT-Net; IS-Net is untrained" in (model / "README.md").read_text()
    assert said() == "PCT-Net and IS-Net" and said(variant="no_prior_transfer") == "IS-Net"
    assert said(phase="is", pct_net=model) == "IS-Net; PCT-Net is of another run"
    assert said(phase="pct", is_net=model) == "PCT-Net; IS-Net is of another run"


def test_phase_is_leaves_the_pct_net_alone(make_config):
    first = make_config("first", phase="pct")
    Trainer(first).run()
    second = make_config("second", phase="is", pct_net=first.output / "model", discriminator="patch", view_scale=2)
    Trainer(second).run()
    before, after = weights(first.output), weights(second.output)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("is.") for name in changed)


def test_gradients_reach_only_the_generator_and_the_discriminators_own_step_only_them():
    config = TrainConfig(Path("d"), Path("o"), discriminator_width=4)
    judges = discriminators(3, config)
    objective = Objective(config, judges, None, "is")
    generated = torch.rand(1, 3, 16, 12, requires_grad=True)
    target, source, pose = torch.rand(1, 3, 16, 12), torch.rand(1, 3, 16, 12), torch.rand(1, 18, 16, 12)
    judges.requires_grad_(False)
    objective.generator(generated, target, source, pose, 0)["total"].backward()
    assert generated.grad is not None and all(p.grad is None for p in judges.parameters())
    generated.grad = None
    judges.requires_grad_(True)
    objective.discriminator(generated, target, source, pose, 0)["discriminator"].backward()
    assert generated.grad is None and all(p.grad is not None for p in judges.parameters())


def test_windows_lie_round_a_joint_of_each_pose_and_inside_the_picture():
    picture, pose_map = torch.rand(2, 3, 16, 12), torch.zeros(2, 18, 16, 12)
    pose_map[0, 3, 15, 11] = pose_map[1, 0, 8, 6] = 1
    seen, _ = windows([picture, pose_map], pose_map, scale=2)
    assert torch.equal(seen[0], picture[0, :, 8:, 6:]) and torch.equal(seen[1], picture[1, :, 4:12, 3:9])


def test_objective_weighs_its_terms():
    config = TrainConfig(Path("d"), Path("o"), weights=Weights(adversarial=0, appearance=3))
    objective = Objective(config, discriminators(3, config), None, "is")
    picture = torch.rand(1, 3, 16, 12)
    terms = objective.generator(picture, 1 - picture, picture, torch.rand(1, 18, 16, 12), 0)
    torch.testing.assert_close(terms["total"], 3 * (2 * picture - 1).abs().mean())


def test_average_follows_weights_and_copies_statistics():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    ema = EMA(net, decay=0.5)
    before = ema.average["0.weight"].clone()
    torch.nn.init.ones_(net[0].weight)
    net[1].running_mean.fill_(7.0)
    for _ in range(40):
        ema.update(net)
    assert not torch.equal(ema.average["0.weight"], before)
    torch.testing.assert_close(ema.average["0.weight"], net[0].weight.detach(), atol=1e-4, rtol=0)
    assert (ema.average["1.running_mean"] == 7).all()


def test_a_damaged_data_set_is_refused_before_the_first_step(make_config, people):
    (people / "test" / "test_0_0.png").unlink()
    with pytest.raises(ValueError, match="test: 1 paired names have no image: test_0_0.png"):
        Trainer(make_config())


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_stops_the_run_with_its_name_in_one_line(make_config, people, workers):
    path = people / "train" / "train_1_1.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="train_1_1.png: cannot be read: ") as stop:
        Trainer(make_config(workers=workers)).run()
    assert "\n" not in str(stop.value)


def test_an_unreadable_held_out_image_is_refused_before_the_first_step(make_config, people):
    path = people / "test" / "test_1_1.png"
    path.write_bytes(path.read_bytes()[:-40])
    config = make_config(evaluate_pairs=4)
    with pytest.raises(ValueError, match="test_1_1.png: cannot be read: "):
        Trainer(config)
    assert not config.output.exists()


def test_a_validation_that_fails_loses_no_work(make_config, people):
    config = make_config(save_every=2, evaluate_every=2, phase="pct")
    trainer = Trainer(config)
    path = people / "test" / "test_1_1.png"
    path.write_bytes(path.read_bytes()[:-40])
    trainer.config.evaluate_pairs = 4
    with pytest.raises(ValueError, match="test_1_1.png: cannot be read: "):
        trainer.run()
    assert [saved.name for saved in (config.output / "checkpoints").iterdir()] == ["step-00000002"]


def test_impossible_settings_are_refused(make_config):
    for name in ("seed", "workers", "ema", "learning_rate", "decay_from"):
        with pytest.raises(ValueError, match=f"^{name} must be at least 0, got -1$"):
            make_config(**{name: -1})
    for name, value, says in [
        ("ema", 1.0, "below 1"),
        ("betas", (0.5, 1.0), "below 1"),
        ("seed", 2**32, "below 42949"),
    ]:
        with pytest.raises(ValueError, match=f"^{name} must be {says}"):
            make_config(**{name: value})
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        make_config(batch_size=0)
    with pytest.raises(ValueError, match="--pct-net"):
        make_config(phase="is")


def test_initial_style_keeps_its_scale_at_small_width():
    torch.manual_seed(0)
    net = ISNet(**TINY["is_net"])
    initialise(net, "kaiming")
    style = net.encode(torch.rand(1, 3, *SIZE) * 2 - 1)
    assert 0.1 < style.std() < 100


@pytest.mark.parametrize("form", ["normal", "kaiming"])
def test_every_modulation_starts_as_the_identity(form):
    net = ISNet(**TINY["is_net"])
    initialise(net, form)
    found = [module.affine.bias.detach().chunk(2) for module in net.modules() if isinstance(module, Modulation)]
    assert found and all((gamma == 1).all() and (beta == 0).all() for gamma, beta in found)


def test_nets_start_as_the_release_does(make_config):
    phases = Trainer(make_config(discriminator_width=32, init="normal")).nets.phases
    patch = Trainer(make_config(discriminator_width=32, discriminator="patch")).nets.phases["is"]
    for net in (net for phase in phases.values() for net in phase.plain.values()):
        drawn = torch.cat([w.detach().flatten() for name, w in net.named_parameters() if w.ndim > 1])
        assert abs(drawn.std() - 0.02) < 5e-4 and abs(drawn.mean()) < 5e-4
    judge = phases["is"].plain["discriminators"]["style"]
    assert (judge.blocks[0].conv_0.bias == 0).all()
    assert patch.plain["discriminators"]["style"].conv_out.bias.any()


def test_a_run_says_at_its_start_how_the_rates_go(people, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(MODELS, "demo", TINY)
    options = "--features none --steps 1 --workers 0 --evaluate-pairs 2 --batch-size 2 --mixed-precision no"
    monkeypatch.setattr("sys.argv", ["", "--data", str(people), "--output", str(tmp_path / "run"), *options.split()])
    assert main() == 0
    assert capsys.readouterr().out.startswith(
        "learning rates: constant for all 1 steps: they would fall from step 1,600"
    )


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("train_accelerate", [str(Path(__file__).parents[1] / "train_accelerate.py")]),
        ("scagan_hub.training", ["-m", "scagan_hub.training"]),
    ],
)
def test_the_script_and_the_module_refuse_bad_input_in_one_line(tmp_path, program, called):
    command = [sys.executable, *called, "--data", str(tmp_path / "nowhere"), "--output", str(tmp_path / "run")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"{program}: error: no file ") and done.stderr.count("\n") == 1
