"""What one sees of a run: `log.jsonl`, the trackers' figures and pictures, a progress bar or plain lines."""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from PIL import Image
from tqdm import tqdm

from ..files.writing import whole_file
from .config import TrainConfig, flat


def check_trackers(names: tuple[str, ...]) -> None:
    """
    Raises:
        ValueError: when Accelerate doesn't know a tracker, or its package is not installed.
    """
    available = [str(name) for name in get_available_trackers()]
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise ValueError(f"no tracker is called {name!r}; expected some of {', '.join(LOGGER_TYPE_TO_CLASS)}")
        if name not in available:
            raise ValueError(f"the tracker {name!r} is not installed: pip install {name}, or choose other --trackers")


class Journal:
    """Writes down a run's figures; on the main process only, elsewhere every method does nothing.

    Args:
        config: its `output` gets `log.jsonl`, `pictures/` and the trackers' `tracking/`.
        accelerator: with its trackers' names.
        record: where the run stands; later lines of an earlier, interrupted run are dropped from `log.jsonl`.
        images: pairs in all, and in a step.
    """

    def __init__(self, config: TrainConfig, accelerator, record: dict, images: tuple[int, int]):
        self.output, self.accelerator, self.images_a_step = config.output, accelerator, images[1]
        settings = {name: str(value) for name, value in flat(config.plain()).items()}
        purge = {"tensorboard": {"purge_step": record["step"] + 1}}
        accelerator.init_trackers("scagan", settings, init_kwargs=purge)
        self.main = accelerator.is_main_process
        self.bar = tqdm(
            total=images[0],
            initial=record["samples"],
            unit=" images",
            dynamic_ncols=True,
            disable=not (self.main and sys.stderr.isatty()),
        )
        self.left, self.seen, self.started = images[0] - record["samples"], 0, time.monotonic()
        if self.main:
            self.output.mkdir(parents=True, exist_ok=True)
            self._forget_after(record["step"])

    def advance(self) -> None:
        """One more step is done."""
        self.bar.update(self.images_a_step)
        self.seen += self.images_a_step

    def figures(self, record: dict, figures: dict[str, float]) -> None:
        """Appends a line to the log, tells the trackers, and prints."""
        if not self.main:
            return
        figures = {key: float(f"{value:.5g}") for key, value in figures.items()}
        line = {"step": record["step"], "hours": round(record["seconds"] / 3600, 4), "samples": record["samples"]}
        with self._log.open("a") as file:
            file.write(json.dumps(line | figures) + "\n")
        self.accelerator.log(figures, step=record["step"])
        shown = " ".join(f"{key} {value:.4g}" for key, value in figures.items())
        if self.bar.disable:
            rate = self.seen / max(1e-9, time.monotonic() - self.started)
            left = timedelta(seconds=round((self.left - self.seen) / rate)) if self.seen else "unknown"
            print(f"step {record['step']}, {rate:.3g} images/s, {left} left: {shown}", flush=True)
        else:
            self.bar.write(f"step {record['step']}: {shown}")

    def picture(self, step: int, grid: np.ndarray) -> None:
        """Writes a grid of held-out pairs, uint8 (H,W,3), to `pictures/` and to the trackers that take pictures."""
        if not self.main:
            return
        folder = self.output / "pictures"
        folder.mkdir(exist_ok=True)
        with whole_file(folder / f"step-{step:08d}.png") as path:
            Image.fromarray(grid).save(path)
        for tracker in self.accelerator.trackers:
            if hasattr(tracker, "log_images"):
                layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
                tracker.log_images({"held_out": grid[None]}, step=step, **layout)

    def close(self) -> None:
        self.bar.close()
        for tracker in self.accelerator.trackers:
            tracker.finish()

    @property
    def _log(self) -> Path:
        return self.output / "log.jsonl"

    def _forget_after(self, step: int) -> None:
        if self._log.exists():
            lines = self._log.read_text().splitlines(keepends=True)
            with whole_file(self._log) as path:
                path.write_text("".join(line for line in lines if _step(line) <= step))


def _step(line: str) -> float:
    """The step of a line of the log; past all others where a crash or a full disk has cut the line off."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return float("inf")
