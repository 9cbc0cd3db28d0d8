"""The training loop: batches in, two phases, checkpoints, held-out figures and pictures out."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import torch
from accelerate.utils import broadcast_object_list

from ..data import PairSampler, pair_loader
from ..files.locks import claimed
from . import checkpoint
from .command import command
from .components import components
from .config import TrainConfig, differing
from .data import pair_sets
from .journal import Journal, check_trackers
from .launch import start
from .nets import Nets
from .place_nets import PlaceNets
from .validation import check, validate
from .watch import Stopped, Watch


class Trainer:
    """Everything a run holds; `run` is the loop.

    Attributes:
        record: where the run stands; saved with every checkpoint.

    Args:
        launcher: see `Watch`.
    Raises:
        ValueError: for data that cannot be trained on, features or trackers that are not there.
    """

    def __init__(self, config: TrainConfig, launcher: int | None = None):
        self.config = config
        check_trackers(config.trackers)
        self.train_set, self.held_out = pair_sets(config, components(config)[2])
        check(self.held_out, config.evaluate_pairs)
        self.accelerator = start(config)
        self.nets = (PlaceNets if config.learns_places else Nets)(config, self.accelerator)
        self.watch = Watch(self.accelerator, launcher)
        self.images_a_step = config.batch_size * config.accumulate * self.accelerator.num_processes
        self.record = {"step": 0, "samples": 0, "seconds": 0.0, "pairs": len(self.train_set), "config": config.plain()}
        self.saved = self.exported = 0  # the steps of the newest checkpoint and of the exported model

    def run(self) -> None:
        """Trains from where the newest checkpoint stands to `steps`.

        Raises:
            Stopped: on every process, by a signal, a figure that is not finite, a checkpoint that cannot be written,
                or an output folder that this run cannot go to.
        """
        with ExitStack() as held:
            self.on_main(lambda: held.enter_context(claimed(self.config.output)))
            self._run()

    def _run(self) -> None:
        config = self.config
        self.resume()
        self.open_journal()
        recent = []
        with self.watch:
            for batches in self.updates():
                recent.append(self.update(batches))
                if self.due(config.log_every):
                    self.journal.figures(self.record, self.means(recent))
                    recent.clear()
                if self.due(config.save_every):  # first, so that a validation that fails loses no work
                    self.save()
                if self.due(config.evaluate_every):
                    self.validate()
                if self.watch.signal:
                    self.leave()
        self.save()
        self.journal.close()

    def resume(self) -> None:
        """Goes on from the newest whole checkpoint, if the configuration says so and there is one."""
        newest = self.on_main(self._newest)
        if newest is None:
            return
        kept = checkpoint.read_record(newest)
        checkpoint.restore(newest, self.nets.parts())
        self.record.update({name: kept[name] for name in ("step", "samples", "seconds")})
        self.saved = self.record["step"]
        self.accelerator.print(f"resumed from {newest}, {self.record['samples']} samples into the data")

    def open_journal(self) -> None:
        left = max(0, self.config.steps - self.record["step"])
        images = (self.record["samples"] + left * self.images_a_step, self.images_a_step)
        self.journal = Journal(self.config, self.accelerator, self.record, images)
        self.started = time.monotonic() - self.record["seconds"]

    def updates(self) -> Iterator[list[dict]]:
        """The micro-batches of every update that is left, beginning where the record stands in the data."""
        config, done = self.config, self.record["samples"]
        stop = done + max(0, config.steps - self.record["step"]) * self.images_a_step
        loader = pair_loader(
            self.train_set,
            PairSampler(
                *(len(self.train_set), config.seed, done, stop, config.mirror),
                identity=config.identity,
                plain_ground=config.plain_ground if self.train_set.parsing else 0.0,
            ),
            config.batch_size,
            config.workers,
            self.accelerator.device,
        )
        batches = iter(self.accelerator.prepare_data_loader(loader, device_placement=False))
        return map(list, zip(*[batches] * config.accumulate, strict=True))

    def update(self, batches: list[dict]) -> dict[str, torch.Tensor | float]:
        """One update of all nets; its figures, on the device where they come from there."""
        step = self.record["step"]
        rates = self.nets.set_rates(self.config.rate_factor(step))
        terms = self.nets.backward(batches, step)
        norms = self.nets.norms()
        names = [name for batch in batches for name in batch["names"]]
        must_be_finite = {} if self.accelerator.scaler else norms  # a scaler looks at the gradients itself
        bad = self.watch.look(step + 1, terms, must_be_finite, names)
        self.nets.update(bad)
        self.watch.settle()
        seconds, samples = time.monotonic() - self.started, self.record["samples"] + self.images_a_step
        self.record.update(step=step + 1, samples=samples, seconds=seconds)
        self.journal.advance()
        return terms | norms | rates

    def settle(self) -> None:
        """Waits for the device.

        Raises:
            Stopped: on every process, for whatever has gone wrong up to the last update.
        """
        self.watch.settle(newest=True)
        scaler = self.accelerator.scaler
        if scaler is not None and scaler.get_scale() < 1:
            raise Stopped(
                f"step {self.record['step']}: fp16 gradients are not finite in update after update, which changes no "
                f"weight: the losses' scale is down to {scaler.get_scale():g}; use --mixed-precision bf16 or no"
            )

    def due(self, every: int) -> bool:
        return self.record["step"] % every == 0 or self.record["step"] == self.config.steps

    def means(self, recent: list[dict]) -> dict[str, float]:
        """Every figure's mean over the updates that had it, and over processes."""
        self.settle()
        names = list(dict.fromkeys(name for figures in recent for name in figures))
        columns = [
            torch.stack([torch.as_tensor(f[name]) for f in recent if name in f]).float().mean() for name in names
        ]
        values = torch.stack([column.to(self.accelerator.device) for column in columns])
        return dict(zip(names, self.accelerator.reduce(values, "mean").tolist(), strict=True))

    def validate(self) -> None:
        """Held-out figures and pictures of the averaged weights."""
        self.settle()
        self.nets.share_statistics()
        pipe = self.nets.averaged().to(self.accelerator.device)
        nets, pairs = self.nets, self.config.evaluate_pairs
        figures, grid = validate(pipe, self.held_out, pairs, self.accelerator, nets.make, nets.measures)
        self.journal.figures(self.record, {f"held_out/{name}": value for name, value in figures.items()})
        self.journal.picture(self.record["step"], grid)

    def save(self) -> None:
        """A checkpoint, and the averaged weights as a ScaGan folder."""
        step, folder, keep = self.record["step"], self.config.output / "checkpoints", self.config.keep
        self.settle()
        self.nets.share_statistics()
        if self.saved != step:
            self.on_main(lambda: checkpoint.write(folder, self.nets.parts(), self.record, keep))
        if self.exported != step:
            self.on_main(self.export)
        self.saved = self.exported = step

    def export(self) -> None:
        """Replaces `model/` by the averaged weights."""
        pipe, unfinished = self.nets.averaged(), self.config.output / "unfinished-model"
        pipe.report = {"training": self.facts()}
        shutil.rmtree(unfinished, ignore_errors=True)
        pipe.save_pretrained(unfinished)
        checkpoint.replace_folder(unfinished, self.config.output / "model")

    def leave(self) -> None:
        """Saves and ends the run as a signal asks for."""
        self.save()
        self.journal.close()
        name, step = signal.Signals(self.watch.signal).name, self.record["step"]
        raise Stopped(f"{name}: saved after step {step}; go on with --resume latest", 128 + self.watch.signal)

    def on_main(self, work: Callable):
        """Does `work` on the main process; every process gets its result, or raises Stopped with its error."""
        outcome = [None, None]
        if self.accelerator.is_main_process:
            try:
                outcome[0] = work()
            except (ValueError, OSError) as error:
                outcome[1] = str(error)
        result, error = broadcast_object_list(outcome)
        if error is not None:
            raise Stopped(error)
        return result

    def facts(self) -> dict:
        """What the model card says about the training."""
        images = len(self.train_set.annotations)
        return {
            "command": command(self.config),
            "nets": self.nets.trained(),
            "data": f"{len(self.train_set)} pairs of {images} pictures" + ", mirrored at random" * self.config.mirror,
            "steps": self.record["step"],
            "samples": self.record["samples"],
            "hours": round(self.record["seconds"] / 3600, 2),
            "device": f"{self.accelerator.num_processes} x {self.accelerator.device.type}, "
            f"{self.config.mixed_precision}",
        }

    def _newest(self):
        folder, resume = self.config.output / "checkpoints", self.config.resume == "latest"
        if not resume and checkpoint.earlier(folder):
            raise ValueError(
                f"{folder} holds an earlier run: go on with it by --resume latest, or name another --output"
            )
        newest = checkpoint.newest(folder, self.accelerator.print) if resume else None
        if newest is None:
            return None
        kept = checkpoint.read_record(newest)
        if names := differing(kept["config"], self.config.plain()):
            raise ValueError(f"{newest} was made by another configuration: {', '.join(names)}")
        if kept["pairs"] != len(self.train_set):
            raise ValueError(
                f"{newest} was made with {kept['pairs']} pairs; {self.config.data} has {len(self.train_set)}"
            )
        return newest
