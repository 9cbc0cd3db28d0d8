"""Training runs of tiny nets. As a script, a process of such runs: python tiny_training.py '[{"output": ..., ...}]'

Each run's settings are those of `quick`, `plain` and `fault` of `Watched`, and how many processes there must be.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from accelerate.utils import gather_object
from conftest import HEIGHT, WIDTH

from scagan_hub import ScaGan
from scagan_hub.training.command import typed
from scagan_hub.training.components import components
from scagan_hub.training.config import MODELS, PlaceWeights, TrainConfig, Weights
from scagan_hub.training.loop import Trainer
from scagan_hub.training.watch import Stopped

SIZE = (HEIGHT, WIDTH)
ON_CPU = {"ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
TINY = {
    "content": {"image_size": SIZE, "prior": "aligned", "alignment": "limbs"},
    "pct_net": {"width": 4, "prior_channels": 1, "residual_blocks": 1, "render": "blend"},
    "is_net": {"image_size": SIZE, "width": 4, "modulation_width": 4, "aligned_channels": 4, "render": "blend"},
}
TINY_PLACES = {
    "content": {"image_size": SIZE, "prior": "aligned"},
    "pct_net": {"image_size": SIZE, "width": 8, "head_width": 8},
    "is_net": {"image_size": SIZE, "widths": (8, 8, 8, 8)},
}


def quick(data: Path, output: Path, **settings) -> TrainConfig:
    """A run of a second on the nets of `TINY` or `TINY_PLACES`, which stand in for the preset's."""
    usual = {"steps": 4, "batch_size": 2, "discriminator_width": 4, "workers": 0, "evaluate_pairs": 2, "trackers": ()}
    kinds = {"weights": Weights, "places": PlaceWeights}
    settings = {k: kinds[k](**v) if k in kinds and isinstance(v, dict) else v for k, v in settings.items()}
    return TrainConfig(data, output, **usual | settings)


class Watched(Trainer):
    """Keeps the first update's gradients.

    Args:
        plain: leave out the discriminators' dropout, which each process draws anew.
        fault: "signal" or "nan": what befalls the last process in the second update.
    """

    def __init__(self, config: TrainConfig, plain: bool = False, fault: str | None = None):
        super().__init__(config)
        self.gradients, self.fault, norms = {}, fault, self.nets.norms

        def keep_and_go_on():
            if not self.gradients:
                self.gradients = {name: value.grad.clone() for name, value in trained(self).items()}
            return norms()

        self.nets.norms = keep_and_go_on
        nets = [phase.discriminators for phase in self.nets.phases.values()] if plain else []
        for dropout in (module for net in nets for module in net.modules() if isinstance(module, torch.nn.Dropout)):
            dropout.p = 0.0

    def update(self, batches):
        if self.record["step"] == 1 and self.accelerator.is_last_process:
            if self.fault == "signal":
                os.kill(os.getpid(), signal.SIGTERM)
            elif self.fault == "nan":
                batches[0]["target_pose"].fill_(torch.nan)
        return super().update(batches)


def train(config: TrainConfig, plain: bool = False) -> Watched:
    trainer = Watched(config, plain)
    trainer.run()
    return trainer


def weights(output: Path) -> dict[str, torch.Tensor]:
    """Of the exported model."""
    pipe = ScaGan.from_pretrained(str(output / "model"))
    return {**pipe.pct_net.state_dict(), **{f"is.{k}": v for k, v in pipe.is_net.state_dict().items()}}


def trained(trainer: Trainer) -> dict[str, torch.nn.Parameter]:
    """All that is trained in a run, by name."""
    return {
        f"{phase.name}.{part}.{name}": value
        for phase in trainer.nets.phases.values()
        for part, net in phase.plain.items()
        for name, value in net.named_parameters()
    }


def parameters(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trained(trainer).items()}


def distance(got: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], base: dict | None = None) -> float:
    """How far `got` is off, as a share of the length of `wanted` (of the way to it from `base`).

    Biases are left aside: before an InstanceNorm their gradients are nothing but rounding, which Adam makes steps of.
    """
    assert got.keys() == wanted.keys()
    names = [name for name, value in wanted.items() if value.ndim > 1]
    off = torch.cat([(got[name] - wanted[name]).flatten() for name in names])
    way = torch.cat([(wanted[name] - base[name] if base else wanted[name]).flatten() for name in names])
    return (off.norm() / way.norm()).item()


def expected_order(trainer: Trainer, position: int) -> list[int]:
    """The pairs of the pass through the data that begins at a position."""
    epoch = position // len(trainer.train_set)
    generator = torch.Generator().manual_seed(trainer.config.seed * 1_000_003 + epoch)
    return torch.randperm(len(trainer.train_set), generator=generator).tolist()


def save_untrained(folder: Path) -> Path:
    """A saved model of untrained nets."""
    pct_net, is_net, content = components(quick(folder, folder))
    ScaGan(pct_net.eval(), is_net.eval(), content).save_pretrained(folder)
    return folder


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


def worker(runs: list[dict], launcher: list[str]) -> subprocess.Popen:
    """Processes that do these runs one after another."""
    return begin([*launcher, str(Path(__file__)), json.dumps(runs)])


def begin(command: list[str]) -> subprocess.Popen:
    """A command on the CPU, in a session of its own."""
    root = Path(__file__).parents[1]
    environment = os.environ | ON_CPU | {"PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"}
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


def kill_at(process: subprocess.Popen, output: Path, step: int) -> None:
    """SIGKILL to a run and all its processes as soon as its log has come to a step."""
    wait_for(process, output, step)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(process: subprocess.Popen, output: Path, step: int) -> None:
    """Until a run's log has come to a step."""
    log = output / "log.jsonl"
    while not (log.exists() and len(log.read_text().splitlines()) >= step):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def main() -> None:
    MODELS.update(demo=TINY, places=TINY_PLACES)
    for run in json.loads(sys.argv[1]):
        processes, ours = run.pop("processes"), {name: run.pop(name, None) for name in ("plain", "fault")}
        config = quick(**typed(run, "argument"))
        trainer = Watched(config, **ours)
        assert trainer.accelerator.num_processes == processes
        try:
            trainer.run()
        except Stopped as stopped:
            (config.output / f"stopped_{trainer.accelerator.process_index}").write_text(f"{stopped.status} {stopped}")
        sums = {name: value.double().sum().item() for name, value in parameters(trainer).items()}
        assert all(other == sums for other in gather_object([sums]))  # every process has the same weights
        if trainer.accelerator.is_main_process:
            torch.save(parameters(trainer), config.output / "parameters.pt")
            torch.save(trainer.gradients, config.output / "gradients.pt")


if __name__ == "__main__":
    main()
