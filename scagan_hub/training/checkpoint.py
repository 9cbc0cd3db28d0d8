"""Checkpoints that are whole or not there, and averaged weights."""

import json
import shutil
from pathlib import Path

import torch


class EMA:
    """A running average of a net's weights; buffers (BatchNorm's statistics) are copied.

    Args:
        net: whose weights are averaged.
        decay: of the average; its start follows more quickly, (1 + step) / (10 + step).
    """

    def __init__(self, net: torch.nn.Module, decay: float):
        self.decay, self.step = decay, 0
        self.average = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: torch.nn.Module) -> None:
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        trained = {name for name, _ in net.named_parameters()}
        for name, value in net.state_dict().items():
            if name in trained:
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def state_dict(self) -> dict:
        return {"step": self.step, "average": self.average}

    def load_state_dict(self, state: dict) -> None:
        self.step = state["step"]
        for name, value in state["average"].items():
            self.average[name].copy_(value)


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint in a folder."""
    return max(folder.glob("step-*"), default=None)


def save(accelerator, folder: Path, step: int, keep: int, record: dict) -> None:
    """Writes `step-{step}` beside its final name, renames it, and drops all but the last `keep`."""
    final, unfinished = folder / f"step-{step:08d}", folder / f"unfinished-{step:08d}"
    if accelerator.is_main_process:
        shutil.rmtree(unfinished, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(unfinished))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (unfinished / "record.json").write_text(json.dumps(record, indent=1))
        shutil.rmtree(final, ignore_errors=True)
        unfinished.rename(final)
        for old in sorted(folder.glob("step-*"))[:-keep]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()


def load(accelerator, checkpoint: Path) -> dict:
    """Restores nets, averages, optimisers and random states; returns what was recorded."""
    accelerator.load_state(str(checkpoint))
    return json.loads((checkpoint / "record.json").read_text())
