"""The training loop: batches in, two phases, checkpoints, held-out figures and pictures out."""

import dataclasses
import json
import time

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from PIL import Image
from torch.utils.data import DataLoader

from ..data import PairSampler, PosePairs
from ..evaluation import l1, ssim
from ..evaluation.held_out import choose, generate_pairs
from ..models.content_style import Modulation
from ..models.features import load_features
from ..pipeline import ScaGan
from . import checkpoint
from .components import components
from .config import TrainConfig
from .phase import Phase


class Trainer:
    """Everything a run holds; `run` is the loop."""

    def __init__(self, config: TrainConfig):
        self.config = config
        self.pct_net, self.is_net, self.content = components(config)
        size, parsing = self.content.config.image_size, self.content.config.kind == "parsing"
        self.train_set, self.held_out = (PosePairs(config.data, split, size, parsing) for split in ("train", "test"))
        features = load_features(config.features)
        self.accelerator = Accelerator(mixed_precision=config.mixed_precision)
        torch.manual_seed(config.seed)
        self.device = self.accelerator.device
        if config.pct_net is not None:
            self.pct_net = ScaGan.from_pretrained(str(config.pct_net)).pct_net
        elif self.pct_net is not None:
            initialise(self.pct_net, config.init)
        initialise(self.is_net, config.init)
        for net in (self.pct_net, self.is_net, features):
            if net is not None:
                net.to(self.device, memory_format=torch.channels_last)
        nets = {"pct": (self.pct_net, self.content.edge_channels), "is": (self.is_net, 3)}
        self.phases = {name: Phase(name, *nets[name], config, features, self.accelerator) for name in config.phases}
        if "pct" not in self.phases and self.pct_net is not None:
            self.pct_net.requires_grad_(False).eval()
        self.record = {
            "step": 0,
            "seconds": 0.0,
            "config": json.loads(json.dumps(dataclasses.asdict(config), default=str)),
        }

    def run(self) -> None:
        self._resume()
        batches = self._batches()
        started, previous, recent = time.monotonic(), self.record["seconds"], []
        for step, batch in enumerate(batches, start=self.record["step"]):
            set_seed(self.config.seed + step, device_specific=True)  # so that a resumed step draws the same
            self._set_rates(step)
            recent.append(self._step(batch, step))
            done = step + 1
            self.record.update(step=done, seconds=previous + time.monotonic() - started)
            if done % 50 == 0 or done == self.config.steps:
                self._log(means(recent))
                recent.clear()
            if done % self.config.evaluate_every == 0 or done == self.config.steps:
                self.evaluate()
            if done % self.config.save_every == 0 or done == self.config.steps:
                self.save()

    def _step(self, batch: dict, step: int) -> dict:
        x = self._prepare(batch)
        terms = {}
        if "pct" in self.phases:
            inputs = (x["source_edge"], x["pose_map"], x["prior"])
            edge, figures = self.phases["pct"].step(inputs, x["target_edge"], x["source_edge"], x["pose_map"], step)
            terms.update(figures)
        elif self.pct_net is None:
            edge = self.content.merged(x["prior"])
        else:
            with torch.no_grad(), self.accelerator.autocast():
                edge = self.pct_net(x["source_edge"], x["pose_map"], x["prior"]).float()
        if "is" in self.phases:
            inputs = (x["source_image"], edge, x["pose_map"], x["aligned"])
            _, figures = self.phases["is"].step(inputs, x["target_image"], x["source_image"], x["pose_map"], step)
            terms.update(figures)
        return terms

    @torch.no_grad()
    def _prepare(self, batch: dict) -> dict:
        """uint8 pictures and poses of a batch -> all that the nets are fed."""
        x = {role: scaled(batch[role].to(self.device)) for role in ("source_image", "target_image")}
        source_pose, target_pose = batch["source_pose"].to(self.device), batch["target_pose"].to(self.device)
        for role in ("source", "target"):
            if self.content.config.kind == "parsing":
                x[f"{role}_edge"] = self.content.parsing(batch[f"{role}_parsing"].to(self.device))
            else:
                x[f"{role}_edge"] = self.content.edges(x[f"{role}_image"])
        x["pose_map"] = self.content.heatmaps(target_pose)
        x["prior"], x["aligned"] = self.content.transfer(x["source_image"], x["source_edge"], source_pose, target_pose)
        return {
            key: value if value is None else value.contiguous(memory_format=torch.channels_last)
            for key, value in x.items()
        }

    def _batches(self):
        config, processes = self.config, self.accelerator.num_processes
        total = config.batch_size * processes
        sampler = PairSampler(len(self.train_set), config.seed, self.record["step"] * total, config.steps * total)
        loader = DataLoader(
            self.train_set, config.batch_size, sampler=sampler, num_workers=config.workers, drop_last=True
        )
        return self.accelerator.prepare_data_loader(loader, device_placement=False)

    def _set_rates(self, step: int) -> None:
        decay_from, steps = self.config.decay_from, self.config.steps
        factor = 1.0 if decay_from is None or step < decay_from else (steps - step) / (steps - decay_from)
        for phase in self.phases.values():
            phase.set_rate(factor)

    def _resume(self) -> None:
        folder = self.config.output / "checkpoints"
        newest = checkpoint.latest(folder) if self.config.resume == "latest" else None
        if newest is not None:
            kept = checkpoint.load(self.accelerator, newest)
            self.record.update(step=kept["step"], seconds=kept["seconds"])
            self.accelerator.print(f"resumed from {newest}")

    def save(self) -> None:
        """A checkpoint, and the averaged weights as a ScaGan folder."""
        checkpoint.save(
            self.accelerator,
            self.config.output / "checkpoints",
            self.record["step"],
            self.config.keep,
            self.record,
        )
        if self.accelerator.is_main_process:
            pipe = self.averaged()
            pipe.report = {"training": self.facts()}
            pipe.save_pretrained(self.config.output / "model")

    def facts(self) -> dict:
        """What the model card says about the training."""
        images = len(self.train_set.annotations)
        return {
            "command": self.config.command(),
            "data": f"{len(self.train_set)} pairs of {images} pictures, mirrored at random",
            "steps": self.record["step"],
            "samples": self.samples,
            "hours": round(self.record["seconds"] / 3600, 2),
            "device": f"{self.accelerator.num_processes} x {self.device.type}, {self.config.mixed_precision}",
        }

    @property
    def samples(self) -> int:
        """Pairs seen so far."""
        return self.record["step"] * self.config.batch_size * self.accelerator.num_processes

    def averaged(self) -> ScaGan:
        """The pipeline of the averaged weights, on the CPU."""
        pct_net, is_net, content = components(self.config)
        for name, net, trained in (("pct", pct_net, self.pct_net), ("is", is_net, self.is_net)):
            if net is not None:
                phase = self.phases.get(name)
                net.eval().load_state_dict(phase.ema.average if phase else trained.state_dict())
        return ScaGan(pct_net, is_net, content)

    def evaluate(self) -> None:
        """Held-out figures of the averaged weights, and a grid: source, aligned, edges, result, truth."""
        if not self.accelerator.is_main_process:
            return
        indices = choose(self.held_out, self.config.evaluate_pairs)
        batches = list(generate_pairs(self.averaged(), self.held_out, indices))
        made = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        figures = {"ssim": ssim, "l1": l1}
        self._log({f"held_out/{k}": f(made["generated"], made["target"]).mean() for k, f in figures.items()})
        rows = np.concatenate([made[name] for name in ("source", "aligned", "edges", "generated", "target")], axis=2)
        half = min(4, len(rows) // 2)
        grid = np.concatenate([np.concatenate(rows[i : i + half]) for i in (0, half)], axis=1)
        folder = self.config.output / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grid).save(folder / f"step-{self.record['step']:08d}.png")

    def _log(self, figures: dict[str, float]) -> None:
        figures = {key: round(float(value), 5) for key, value in figures.items()}
        hours = self.record["seconds"] / 3600
        line = {"step": self.record["step"], "hours": round(hours, 4), "samples": self.samples, **figures}
        if self.accelerator.is_main_process:
            self.config.output.mkdir(parents=True, exist_ok=True)
            with (self.config.output / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            self.accelerator.print(json.dumps(line), flush=True)


def initialise(net: torch.nn.Module, form: str) -> None:
    """Draws a net's weights: N(0, .02), or Kaiming's where nothing normalises what a layer gives on; gammas at one."""
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear):
            if form == "kaiming" and not name.endswith(("affine", "out")):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            else:
                torch.nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, Modulation):
            torch.nn.init.ones_(module.affine.bias[: len(module.affine.bias) // 2])


def means(steps: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Mean of every term over the steps that had it."""
    names = dict.fromkeys(name for terms in steps for name in terms)
    return {name: float(torch.stack([t[name] for t in steps if name in t]).mean()) for name in names}


def scaled(image: torch.Tensor) -> torch.Tensor:
    """uint8 0..255 -> float [-1, 1]."""
    return image.float() / 127.5 - 1
