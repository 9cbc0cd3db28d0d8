"""Training across two processes: launched once by torchrun, killed, resumed, and looked at from many sides."""

import json
import random
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from conftest import write_people
from test_places import write_rendered
from tiny_training import (
    SIZE,
    TINY,
    TINY_PLACES,
    distance,
    expected_order,
    finish,
    kill_at,
    parameters,
    quick,
    same,
    save_untrained,
    train,
    weights,
    worker,
)

from scagan_hub import ScaGan
from scagan_hub.data import PosePairs
from scagan_hub.training.config import MODELS
from scagan_hub.training.loop import Trainer
from scagan_hub.training.validation import validate

pytestmark = pytest.mark.distributed
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
KILLED = {"steps": 6, "save_every": 2, "log_every": 1, "evaluate_every": 3, "evaluate_pairs": 3}
PICTURES = {"phase": "is", "discriminator": "patch", "steps": 3}
EDGES = {"phase": "pct", "steps": 3}
PLACES = {
    **{"preset": "places", "steps": 3, "identity": 0.25, "plain_ground": 0.5, "clip": 1.0},
    **{"weights": {"adversarial": 0.0}, "places": {"lpips": 0.0, "painted": 0.0, "head_lpips": 0.0}},
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(MODELS, "demo", TINY)
    monkeypatch.setitem(MODELS, "places", TINY_PLACES)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The outputs of all runs, beside `people` and `model`; `parts` was killed at a random step and resumed."""
    folder = tmp_path_factory.mktemp("runs")
    people, rendered = write_people(folder / "people"), write_rendered(folder / "rendered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "demo", TINY)
        model = save_untrained(folder / "model")

    def run(output: str, **settings) -> dict:
        return {"data": str(people), "output": str(folder / output), "processes": 2, **settings}

    stopped = {"steps": 3, "save_every": 1, "phase": "pct"}
    plan = [run("is", pct_net=str(model), **PICTURES), run("pct", plain=True, **EDGES), run("whole", **KILLED)]
    plan += [run("places", **PLACES | {"data": str(rendered)})]
    plan += [run("signal", fault="signal", **stopped), run("nan", fault="nan", **stopped), run("parts", **KILLED)]
    step = random.randint(1, KILLED["steps"] - 1)
    kill_at(worker(plan, TWO), folder / "parts", step)
    finish(worker([run("parts", resume="latest", **KILLED)], TWO))
    (folder / "killed_at").write_text(str(step))
    return folder


def read(folder: Path, what: str = "parameters") -> dict[str, torch.Tensor]:
    return torch.load(folder / f"{what}.pt")


def test_killed_and_resumed_they_end_as_the_uninterrupted_ones(runs):
    said = f"killed at step {(runs / 'killed_at').read_text()}"
    assert same(read(runs / "whole"), read(runs / "parts")), said
    assert same(weights(runs / "whole"), weights(runs / "parts")), said


@pytest.mark.parametrize(
    ("phase", "settings", "plain"),
    [
        ("is", PICTURES | {"batch_size": 4}, False),  # all that the two processes saw, at once
        ("pct", EDGES | {"accumulate": 2}, True),  # BatchNorm sees half a batch, as it did in each of them
        ("places", PLACES | {"accumulate": 2}, False),  # so do means over what is known
    ],
)
def test_with_half_the_batch_each_they_follow_one_with_the_whole(runs, tmp_path, phase, settings, plain):
    if phase == "is":
        settings = settings | {"pct_net": runs / "model"}
    config = quick(runs / ("rendered" if phase == "places" else "people"), tmp_path, **settings)
    start, one = parameters(Trainer(config)), train(config, plain)
    assert distance(read(runs / phase, "gradients"), one.gradients) < 1e-4
    assert distance(read(runs / phase), parameters(one), start) < 0.05


def test_one_process_goes_on_where_two_stopped_in_the_data(runs):
    trainer = Trainer(quick(runs / "people", runs / "whole", resume="latest", batch_size=3, steps=7))
    trainer.resume()
    assert (trainer.record["step"], trainer.record["samples"]) == (6, 24)
    order, pairs = expected_order(trainer, 24), trainer.train_set.pairs
    assert next(trainer.updates())[0]["names"] == ["->".join(pairs[i]) for i in order[:3]]


def test_validation_counts_every_pair_once(runs):
    lines = [json.loads(line) for line in (runs / "whole" / "log.jsonl").read_text().splitlines()]
    last = [line for line in lines if "held_out/ssim" in line][-1]
    pipe = ScaGan.from_pretrained(str(runs / "whole" / "model"))
    figures, grid = validate(pipe, PosePairs(runs / "people", "test", SIZE), 3, Accelerator())
    assert last["step"] == 6 and grid.shape == (3 * SIZE[0], 5 * SIZE[1], 3)
    assert {name: last[f"held_out/{name}"] for name in figures} == pytest.approx(figures, rel=1e-4)


def test_what_befalls_one_process_stops_both_at_the_same_step(runs):
    for process in range(2):
        signalled = (runs / "signal" / f"stopped_{process}").read_text()
        assert signalled == "143 SIGTERM: saved after step 2; go on with --resume latest"
        spoilt = (runs / "nan" / f"stopped_{process}").read_text()
        assert spoilt.startswith("1 step 2: not finite: pct/appearance, ") and spoilt.count("->") == 2
    assert [path.name for path in (runs / "nan" / "checkpoints").iterdir()] == ["step-00000001"]
    after = torch.load(runs / "nan" / "checkpoints" / "step-00000001" / "pct.generator.pt")
    spared = {name.removeprefix("pct.generator."): value for name, value in read(runs / "nan").items()}
    assert all(torch.equal(spared[name], value) for name, value in after.items() if name in spared)
