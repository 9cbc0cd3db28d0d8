"""What can go wrong in a long run: kills, signals, damaged checkpoints, a full disk, figures that are not finite."""

import json
import os
import random
import re
import resource
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from tiny_training import (
    TINY,
    begin,
    distance,
    expected_order,
    kill_at,
    parameters,
    quick,
    same,
    save_untrained,
    train,
    wait_for,
    weights,
    worker,
)

from scagan_hub.training import checkpoint
from scagan_hub.training.config import MODELS, Weights
from scagan_hub.training.loop import Trainer
from scagan_hub.training.watch import Stopped, Watch


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(MODELS, "demo", TINY)


@pytest.fixture
def model(tmp_path) -> Path:
    return save_untrained(tmp_path / "model")


def test_a_run_killed_at_a_random_step_and_resumed_ends_as_the_uninterrupted_one(people, tmp_path):
    settings = {"steps": 6, "save_every": 2, "evaluate_every": 3, "log_every": 1}
    run = settings | {"data": str(people), "output": str(tmp_path / "parts"), "processes": 1}
    step = random.randint(1, 5)
    kill_at(worker([run], [sys.executable]), tmp_path / "parts", step)
    with (tmp_path / "parts" / "log.jsonl").open("a") as log:
        log.write('{"step": 9, "ho')  # what a kill in the midst of a line leaves
    whole = train(quick(people, tmp_path / "whole", **settings))
    resumed = train(quick(people, tmp_path / "parts", resume="latest", **settings))
    assert same(parameters(whole), parameters(resumed)), f"killed at step {step}"
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 3, 4, 5, 6, 6]  # a line a step and one a validation, none twice


def test_micro_batches_make_one_batch(people, model, tmp_path):
    settings = {"phase": "is", "pct_net": model, "steps": 1}
    parts = train(quick(people, tmp_path / "parts", accumulate=2, **settings), plain=True)
    whole = train(quick(people, tmp_path / "whole", batch_size=4, **settings), plain=True)
    assert distance(parts.gradients, whole.gradients) < 1e-4


def test_sigterm_saves_and_leaves(people, tmp_path):
    settings = {"phase": "pct", "evaluate_every": 1000}
    config = quick(people, tmp_path / "parts", steps=999, save_every=999, log_every=1, **settings)

    def interrupt():
        while not (config.output / "log.jsonl").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Stopped, match=r"SIGTERM: saved after step \d+; go on with --resume latest") as stopped:
        Trainer(config).run()
    assert stopped.value.status == 143 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    (saved,) = (config.output / "checkpoints").iterdir()
    steps = int(saved.name.removeprefix("step-")) + 2
    resumed = train(quick(people, tmp_path / "parts", steps=steps, resume="latest", **settings))
    assert same(parameters(resumed), parameters(train(quick(people, tmp_path / "whole", steps=steps, **settings))))


TINY_SCRIPT = """
import sys
from tiny_training import MODELS, TINY
MODELS["demo"] = TINY
import train_accelerate
sys.exit(train_accelerate.main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who the parent is")
def test_a_run_saves_and_leaves_when_accelerates_launcher_is_told_to_end(people, tmp_path):
    script, output = tmp_path / "script.py", tmp_path / "run"
    script.write_text(TINY_SCRIPT)
    launcher = [str(Path(sys.executable).with_name("accelerate")), "launch", "--num_processes", "1"]
    options = [
        "--data",
        people,
        "--output",
        output,
        "--phase",
        "pct",
        "--features",
        "none",
        "--trackers",
        "tensorboard",
    ]
    options += ["--discriminator-width", "4", "--batch-size", "2", "--evaluate-pairs", "2", "--log-every", "1"]
    process = begin([*launcher, str(script), *map(str, options), "--steps", "1000000", "--mixed-precision", "no"])
    try:
        wait_for(process, output, 1)
        process.terminate()
        _, said = process.communicate(timeout=60)  # until the run itself has closed its end
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGTERM
    (step,) = re.findall(r"train_accelerate: error: SIGTERM: saved after step (\d+); go on with --resume latest", said)
    (saved,) = (output / "checkpoints").iterdir()
    assert saved.name == f"step-{int(step):08}" and checkpoint.find_damage(saved) is None


@pytest.mark.parametrize("first", Watch.SIGNALS)
def test_a_second_signal_of_either_kind_ends_a_run_as_always(first):
    before = [signal.getsignal(number) for number in Watch.SIGNALS]
    with Watch(Accelerator()):
        os.kill(os.getpid(), first)
        assert [signal.getsignal(number) for number in Watch.SIGNALS] == before


@pytest.mark.parametrize("phase", ["is", "both"])
def test_a_figure_that_is_not_finite_stops_the_run_and_changes_no_weight(people, model, tmp_path, phase):
    settings = {"phase": phase, "pct_net": model if phase == "is" else None, "save_every": 2}
    spoilt = Weights(adversarial=float("inf"))
    config = quick(people, tmp_path / "run", adversarial_from=2, weights=spoilt, **settings)
    trainer = Trainer(config)
    with pytest.raises(Stopped) as stopped:
        trainer.run()
    message = str(stopped.value)
    assert message.startswith("step 3: not finite: ") and "is/adversarial" in message
    order = expected_order(trainer, 4)  # a pass through the 4 pairs is two steps
    assert message.endswith(", ".join("->".join(trainer.train_set.pairs[i]) for i in order[:2]))
    (saved,) = (config.output / "checkpoints").iterdir()
    assert saved.name == "step-00000002" and checkpoint.find_damage(saved) is None
    fresh = Trainer(config)
    checkpoint.restore(saved, fresh.nets.parts())
    assert same(parameters(fresh), parameters(trainer))


def test_gradients_that_are_never_finite_in_fp16_stop_the_run(people, tmp_path):
    trainer = Trainer(quick(people, tmp_path / "run", phase="pct", steps=9, log_every=2, save_every=2))
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)  # Accelerate makes none on a CPU
    next(trainer.nets.pct_net.parameters()).register_hook(lambda gradient: gradient * torch.nan)
    before = {name: value.detach().clone() for name, value in trainer.nets.pct_net.named_parameters()}
    with pytest.raises(Stopped, match="^step 4: fp16 gradients are not finite in .* down to 0.25; use"):
        trainer.run()
    assert same(before, dict(trainer.nets.pct_net.named_parameters()))
    assert [saved.name for saved in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]


class Part:
    """A part of a checkpoint."""

    def __init__(self, value: float, size: int = 100):
        self.state = {"weight": torch.full((size,), value)}

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def write(folder: Path, step: int, keep: int = 3, size: int = 100) -> Path:
    return checkpoint.write(folder, {"a": Part(step, size), "b": Part(-step)}, {"step": step}, keep)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda c: truncate(c / "a.pt"), r"a.pt: expected \d+ bytes, got \d+"),
        (lambda c: flip(c / "b.pt"), "b.pt: expected .* sha256"),
        (lambda c: (c / "a.pt").unlink(), "a.pt: No such file"),
        (lambda c: (c / "manifest.json").unlink(), "manifest.json: No such file"),
        (lambda c: (c / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda c: (c / "manifest.json").write_text("[]"), "manifest.json cannot be read"),
        (lambda c: (c / "record.json").write_text("{}"), "record.json: expected"),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(tmp_path, damage, says):
    first, second = write(tmp_path, 1), write(tmp_path, 2)
    damage(second)
    said = []
    assert checkpoint.newest(tmp_path, said.append) == first
    assert len(said) == 1 and "step-00000002 is damaged" in said[0]
    assert re.search(says, said[0])
    assert (tmp_path / "damaged-00000002").is_dir() and not second.exists()
    parts = {"a": Part(0), "b": Part(0)}
    checkpoint.restore(first, parts)
    assert parts["b"].state["weight"].eq(-1).all()


def test_no_whole_checkpoint_is_an_error_every_time_and_none_at_all_is_not(people, tmp_path):
    assert checkpoint.newest(tmp_path / "nowhere") is None
    train(quick(people, tmp_path / "run", steps=1, phase="pct"))
    (saved,) = (tmp_path / "run" / "checkpoints").iterdir()
    truncate(saved / "pct.generator.pt")
    kept = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    resumed, anew = (Trainer(quick(people, tmp_path / "run", phase="pct", resume=how)) for how in ("latest", "no"))
    for name in (saved.name, saved.name, "damaged-00000001"):
        saved = saved.rename(saved.with_name(name))
        with pytest.raises(Stopped, match="none of its 1 checkpoints is whole.*; start anew in another --output"):
            resumed.run()
        with pytest.raises(Stopped, match="holds an earlier run"):
            anew.run()
    saved.rename(saved.with_name("step-00000001"))
    assert kept == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}


def test_what_cannot_be_read_now_is_not_taken_for_damage(tmp_path):
    write(tmp_path, 1)
    second = write(tmp_path, 2)
    (second / "a.pt").rename(second / "elsewhere")
    (second / "a.pt").symlink_to("a.pt")  # too many levels: an error of reading though the file is there
    with pytest.raises(ValueError, match="^cannot read .*a.pt: Too many levels of symbolic links; .*try again$"):
        checkpoint.newest(tmp_path)
    assert second.is_dir()


def test_what_a_crash_leaves_is_not_taken_for_a_checkpoint_and_swept_up(tmp_path):
    first = write(tmp_path, 1)
    (tmp_path / "unfinished-00000002").mkdir()
    (tmp_path / "unfinished-00000002" / "a.pt").write_bytes(b"half")
    assert checkpoint.newest(tmp_path) == first
    second = write(tmp_path, 2)
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_only_the_last_checkpoints_are_kept(tmp_path):
    made = [write(tmp_path, step, keep=2) for step in (1, 2, 30)]
    assert sorted(tmp_path.iterdir()) == made[1:]


@contextmanager
def full_disk(left: int):
    """No file may grow beyond `left` bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_a_clear_error_and_older_checkpoints_stay(tmp_path):
    first = write(tmp_path, 1)
    said = "cannot write the checkpoint .*step-00000002: .*; earlier ones are untouched"
    with full_disk(50_000), pytest.raises(ValueError, match=said):
        write(tmp_path, 2, size=100_000)
    assert list(tmp_path.iterdir()) == [first] and checkpoint.newest(tmp_path) == first


def test_a_disk_too_full_for_the_model_is_a_clear_error_and_the_earlier_one_stays(people, tmp_path):
    trainer = train(quick(people, tmp_path / "run", steps=1, phase="pct"))
    before, there = weights(tmp_path / "run"), sorted((tmp_path / "run").iterdir())
    trainer.exported = 0
    with full_disk(10_000), pytest.raises(Stopped, match="^cannot write the folder .*model: .*File too large.*$"):
        trainer.save()
    assert same(before, weights(tmp_path / "run")) and sorted((tmp_path / "run").iterdir()) == there


def test_a_run_falls_back_and_ends_as_the_uninterrupted_one(people, tmp_path, capsys):
    settings = {"phase": "pct", "save_every": 1}
    train(quick(people, tmp_path / "parts", steps=2, **settings))
    truncate(tmp_path / "parts" / "checkpoints" / "step-00000002" / "pct.generator.pt")
    resumed = train(quick(people, tmp_path / "parts", steps=3, resume="latest", **settings))
    assert "step-00000002 is damaged (pct.generator.pt: " in capsys.readouterr().out
    assert same(parameters(resumed), parameters(train(quick(people, tmp_path / "whole", steps=3, **settings))))


def test_a_frozen_pct_net_is_part_of_the_checkpoint(people, tmp_path, model):
    other = train(quick(people, tmp_path / "other", phase="pct", steps=1)).config.output / "model"
    settings = {"phase": "is", "save_every": 1}
    first = train(quick(people, tmp_path / "run", steps=1, pct_net=model, **settings)).nets.pct_net.state_dict()
    second = Trainer(quick(people, tmp_path / "run", steps=2, pct_net=other, resume="latest", **settings))
    second.resume()
    assert same(first, second.nets.pct_net.state_dict())


def test_a_folder_takes_its_place_at_once(tmp_path):
    for folder, text in (("new", "new"), ("model", "old")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "weights").write_text(text)
    (tmp_path / "model" / "left_over").touch()
    checkpoint.replace_folder(tmp_path / "new", tmp_path / "model")
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "weights"]
    assert (tmp_path / "model" / "weights").read_text() == "new"


def test_what_a_resumed_run_may_not_change_is_named(people, tmp_path):
    train(quick(people, tmp_path / "run", steps=1))
    changed = {"learning_rate": 1e-3, "weights": Weights(appearance=2.0), "steps": 2, "workers": 0, "save_every": 7}
    config = quick(people, tmp_path / "run", resume="latest", **changed)
    with pytest.raises(Stopped) as stopped:
        Trainer(config).run()
    assert str(stopped.value).endswith(
        "made by another configuration: learning_rate: 0.0002 -> 0.001, weights.appearance: 1.0 -> 2.0"
    )
    with pytest.raises(Stopped, match="holds an earlier run: go on with it by --resume latest"):
        Trainer(quick(people, tmp_path / "run", steps=2)).run()
