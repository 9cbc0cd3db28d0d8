"""Training runs of tiny nets. As a script, a process of such runs: python tiny_training.py '[{"output": ..., ...}]'

Each run's settings are those of `quick`; `plain` takes the discriminators' dropout out, which each process draws anew.
"""

import json
import sys
from pathlib import Path

import torch
from accelerate.utils import gather_object
from conftest import HEIGHT, WIDTH

from scagan_hub import ScaGan
from scagan_hub.training.command import typed
from scagan_hub.training.config import MODELS, TrainConfig
from scagan_hub.training.loop import Trainer

SIZE = (HEIGHT, WIDTH)
TINY = {
    "content": {"image_size": SIZE, "prior": "aligned", "alignment": "limbs"},
    "pct_net": {"width": 4, "prior_channels": 1, "residual_blocks": 1, "render": "blend"},
    "is_net": {"image_size": SIZE, "width": 4, "modulation_width": 4, "aligned_channels": 4, "render": "blend"},
}


def quick(data: Path, output: Path, **settings) -> TrainConfig:
    """A run of a second on the nets of `TINY`, which stand in for the preset's."""
    usual = {"steps": 4, "batch_size": 2, "discriminator_width": 4, "workers": 0, "evaluate_pairs": 2, "trackers": ()}
    return TrainConfig(data, output, **usual | settings)


class Watched(Trainer):
    """Keeps the first update's gradients; with `plain`, its discriminators have no dropout."""

    def __init__(self, config: TrainConfig, plain: bool = False):
        super().__init__(config)
        self.gradients, norms = {}, self.nets.norms

        def keep_and_go_on():
            if not self.gradients:
                self.gradients = {name: value.grad.clone() for name, value in trained(self).items()}
            return norms()

        self.nets.norms = keep_and_go_on
        nets = [phase.discriminators for phase in self.nets.phases.values()] if plain else []
        for dropout in (module for net in nets for module in net.modules() if isinstance(module, torch.nn.Dropout)):
            dropout.p = 0.0


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


def main() -> None:
    MODELS["demo"] = TINY
    for run in json.loads(sys.argv[1]):
        processes, plain = run.pop("processes"), run.pop("plain", False)
        config = quick(**typed(run, "argument"))
        trainer = train(config, plain)
        assert trainer.accelerator.num_processes == processes
        sums = {name: value.double().sum().item() for name, value in parameters(trainer).items()}
        assert all(other == sums for other in gather_object([sums]))  # every process has the same weights
        if trainer.accelerator.is_main_process:
            torch.save(parameters(trainer), config.output / "parameters.pt")
            torch.save(trainer.gradients, config.output / "gradients.pt")


if __name__ == "__main__":
    main()
