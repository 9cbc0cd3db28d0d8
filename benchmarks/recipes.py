"""How many pairs a second the presets `demo` and `places` train, in turns, in one process, on the same data.

    python benchmarks/recipes.py --data DATA --model MODEL [--rounds 6]

`demo` trains both phases in each update; `places` phase 1, or phase 2 with MODEL's PlaceNet, or both. Batches are
of eight pairs, in bfloat16, on one thread; reading them is part of the time. Medians of the rounds, the first, in which
code is loaded and memory is fetched, left out.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from scagan_hub.training.loop import Trainer
from scagan_hub.training.recipes import by_recipe

BATCH = 8


def trainers(data: Path, model: Path, folder: Path) -> dict[str, Trainer]:
    """One trainer for each form, past the steps at which anything joins later."""
    forms = {
        "demo": {"preset": "demo", "phase": "both", "adversarial_from": 0},
        "places, phase 1": {"preset": "places", "phase": "pct"},
        "places, phase 2": {"preset": "places", "phase": "is", "pct_net": model},
        "places, both": {"preset": "places", "phase": "both"},
    }
    return {
        name: Trainer(
            by_recipe(**form, data=data, output=folder / name, batch_size=BATCH, workers=0, trackers=(), steps=1000)
        )
        for name, form in forms.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder of scagan people --correspondences")
    parser.add_argument("--model", required=True, type=Path, help="folder of a model of learned places")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        running = {}
        for name, trainer in trainers(options.data, options.model, Path(folder)).items():
            trainer.open_journal()
            running[name] = (trainer, trainer.updates())
        seconds = {name: [] for name in running}
        for _ in range(options.rounds + 1):
            for name, (trainer, updates) in running.items():
                started = time.perf_counter()
                trainer.update(next(updates))
                trainer.settle()
                seconds[name].append(time.perf_counter() - started)
    rates = {name: BATCH / statistics.median(values[1:]) for name, values in seconds.items()}
    found = {name: {"pairs a second": rate, "against demo": rate / rates["demo"]} for name, rate in rates.items()}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
