"""Training of nets of learned places: each phase on a tiny data set with correspondences, resuming, the losses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from conftest import HEIGHT, STANDING, WIDTH
from test_places import write_rendered
from tiny_training import TINY_PLACES as TINY
from tiny_training import parameters, quick, same, train, weights

from scagan_hub import ScaGan
from scagan_hub.evaluation.held_out_places import place_error
from scagan_hub.models.mend_net import Layers, MendNet
from scagan_hub.models.place_net import PlaceNet, Places, head_frames, in_frame, inverse_frames
from scagan_hub.training import place_phases
from scagan_hub.training.command import command, parse
from scagan_hub.training.config import MODELS, PlaceWeights, TrainConfig, Weights
from scagan_hub.training.loop import Trainer
from scagan_hub.training.place_losses import Truth, alpha_loss, body_terms, head_terms, head_window, painted_alone
from scagan_hub.training.place_phases import Apart, MendTerms
from scagan_hub.training.plan import plan

SIZE = (HEIGHT, WIDTH)
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


def person(batch: int = 1) -> torch.Tensor:
    pose = torch.tensor([(x, y, 1.0) for x, y in STANDING])
    return pose.expand(batch, -1, -1).clone()


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


class Blurred(torch.nn.Module):
    """Stands in for LPIPS."""

    def __init__(self, name: str):
        super().__init__()
        self.mean = torch.zeros(1)

    def features(self, image):
        return [torch.nn.functional.avg_pool2d(image, 4)]

    def distance(self, a, b):
        return (a[0] - b[0]).square().mean((1, 2, 3))

    def forward(self, a, b):
        return self.distance(self.features(a), self.features(b))


def test_pictures_are_judged_as_lpips_sees_them(make_config, model, monkeypatch):
    monkeypatch.setattr(place_phases, "Lpips", Blurred)
    config = make_config(phase="is", pct_net=model, places=PlaceWeights(), steps=1)
    train(config)
    line, last = read_log(config)
    assert terms_of(line, "is") == {"appearance", "alpha", "lpips", "painted", "head_lpips"}
    assert last["held_out/lpips"] > 0
    assert "parameters in the generator" in plan(config)


@pytest.mark.parametrize(
    ("weights", "nets", "terms"),
    [
        ({}, {"AlexNet", "VGG16"}, {"lpips", "painted", "head_lpips"}),
        ({"lpips": 0}, {"AlexNet", "VGG16"}, {"painted", "head_lpips"}),
        ({"painted": 0, "head_lpips": 0}, {"AlexNet"}, {"lpips"}),
        ({"lpips": 0, "painted": 0, "head_lpips": 0}, set(), set()),
    ],
)
def test_a_term_that_weighs_nothing_needs_no_net(monkeypatch, weights, nets, terms):
    monkeypatch.setattr(place_phases, "Lpips", Blurred)
    mend_terms, picture = MendTerms(PlaceWeights(**weights), torch.device("cpu")), torch.rand(1, 3, *SIZE)
    layers = Layers(picture, picture, picture, *[torch.full((1, 1, *SIZE), 0.5)] * 2)
    assert mend_terms.lpips.keys() == nets
    assert mend_terms(layers, 1 - picture, person(), torch.ones(1, 1, *SIZE)).keys() == terms | {"alpha"}
    assert mend_terms(layers, 1 - picture, person()).keys() == terms - {"painted"}


@pytest.fixture
def made():
    """What a PlaceNet says of two poses, and a truth with all states."""
    torch.manual_seed(0)
    net = PlaceNet(**TINY["pct_net"])
    source, target = person(2), person(2)
    target[..., 0] += 3
    apart = Apart(net)(torch.rand(2, 3, *SIZE) * 2 - 1, source, target)
    state = torch.randint(4, (2, 1, *SIZE))
    truth = Truth(torch.rand(2, 2, *SIZE) * 40, state, (state > 0) * 2, torch.rand(2, 1, *SIZE))
    return net, apart, truth, (source, target)


def test_places_at_the_truth_cost_nothing(made):
    net, (body, head, frames, both), truth, _ = made
    shift = torch.tensor([4.0, -2.0])[:, None, None]
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in SIZE), indexing="ij")
    places = (torch.stack([columns, rows]) + shift).expand(2, -1, -1, -1)
    state = torch.full((2, 1, *SIZE), 3)
    truth = replace(truth, places=places, state=state)
    right = replace(body, position=places[:, :, ::2, ::2])
    assert body_terms(right, truth)["place"] == 0
    off = replace(body, position=places[:, :, ::2, ::2] + 10)
    assert body_terms(off, truth)["place"] == 18  # smooth L1 of 10 pixels, twice
    goal = in_frame(inverse_frames(frames[0]), net.head.pixels(frames[1]) + shift)
    right = head_terms((goal, *head[1:]), net.head, frames, both, truth)
    assert right["head_place"] < 1e-8
    assert head_terms((goal + 1, *head[1:]), net.head, frames, both, truth)["head_place"] > 1


@pytest.mark.parametrize("lacking", ["nothing", "state", "person", "head", "joints"])
def test_losses_are_finite_whatever_a_batch_lacks(made, lacking):
    net, _, truth, (source, target) = made
    if lacking == "state":
        truth = replace(truth, state=torch.ones_like(truth.state))  # the source shows nothing of it
    elif lacking == "person":
        truth = replace(truth, state=torch.zeros_like(truth.state), classes=torch.zeros_like(truth.classes))
    elif lacking in ("head", "joints"):
        target[:, [0, 1, 2, 5, 14, 15, 16, 17] if lacking == "head" else slice(None)] = 0
    apart = Apart(net)(torch.rand(2, 3, *SIZE) * 2 - 1, source, target)
    terms = body_terms(apart[0], truth) | head_terms(apart[1], net.head, *apart[2:], truth)
    assert terms.keys() == PLACE_TERMS and all(value.isfinite() for value in terms.values())
    sum(terms.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_picture_without_heads_has_a_finite_loss_in_its_window(monkeypatch):
    monkeypatch.setattr(place_phases, "Lpips", Blurred)
    terms = MendTerms(PlaceWeights(), torch.device("cpu"))
    pose, net = person(2), MendNet(**TINY["is_net"])
    places = Places(*(torch.zeros(2, count, *SIZE) for count in (2, 1, 1, 1)))
    target = torch.rand(2, 3, *SIZE) * 2 - 1
    pose[1] = 0
    layers = net(target, person(2), pose, places)
    first = terms(layers, target, pose)["head_lpips"]
    alone = terms.lpips["VGG16"]
    at, there = head_window(pose, HEIGHT)
    assert there.tolist() == [True, False] and first > 0
    pose[0] = 0
    none = terms(layers, target, pose)["head_lpips"]
    none.backward()
    assert none == 0 and all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert alone.features(torch.zeros(1, 3, 64, 64))[0].shape == (1, 3, 16, 16) and at.shape == (2, 64, 64, 2)


def test_alpha_wants_the_softened_silhouette():
    there = torch.zeros(1, 1, 8, 8)
    there[..., 4:] = 1
    soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(there, (1,) * 4, mode="replicate"), 3, 1)
    best = alpha_loss(soft, there)
    assert best < alpha_loss(there, there) and best < alpha_loss(torch.full_like(there, 0.5), there)
    assert alpha_loss(1 - there, there).isfinite()
    painted, target = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    assert torch.equal(painted_alone(painted, target, there), 1 - there.expand(-1, 3, -1, -1))


def test_place_error_is_the_median_of_what_is_shown():
    position, places = torch.zeros(2, 2, 1, 3), torch.zeros(2, 2, 1, 3)
    places[0, 0, 0] = torch.tensor([1.0, 2.0, 50.0])
    state = torch.tensor([[[3, 3, 2]], [[2, 1, 0]]])
    np.testing.assert_array_equal(place_error(position, places, state), [1.0, np.nan])


def test_places_are_the_same_under_autocast():
    torch.manual_seed(0)
    net, source, target = PlaceNet(**TINY["pct_net"]).eval(), person(), person()
    target[..., 0] += 2.7
    picture = torch.rand(1, 3, *SIZE) * 2 - 1
    with torch.no_grad():  # untrained, its places are those of the poses alone
        exact = net(picture, source, target).position
        with torch.autocast("cpu", torch.bfloat16):
            half = net(picture, source, target).position
    assert (exact - half).abs().max() < 1e-3
    frames, _ = head_frames(source, target, HEIGHT)
    assert in_frame(frames[0], net.head.grid.expand(1, -1, -1, -1)).shape == (1, 2, 48, 48)
