"""What has been measured of a method so far, kept in a file: an evaluation goes on from where it was interrupted."""

import time
from pathlib import Path

import numpy as np

from ..files.writing import whole_file
from .measures import Measures
from .sources import Batch


class Progress:
    """All that has been measured so far, and the file that it is kept in.

    Args:
        measures: whose values and sums these are.
        file: kept here, whole at any moment; taken up from here when its fingerprint is the same.
        fingerprint: changes whenever results would.
        save_every: seconds between two savings.
    """

    def __init__(self, measures: Measures, file: Path | None, fingerprint: str, save_every: float):
        self.measures, self.file, self.fingerprint, self.save_every = measures, file, fingerprint, save_every
        self.done, self.values, self.weights, self.saved = 0, {}, {}, time.monotonic()
        if file is not None and file.is_file():
            kept = _kept(file)
            if str(kept.get("fingerprint")) == fingerprint:
                self.join(kept)

    def add(self, batch: Batch) -> None:
        """Measure a batch."""
        for metric in self.measures.per_pair:
            for name, (values, weights) in metric.values(batch).items():
                self._append(name, values, weights)
        for metric in self.measures.sets:
            metric.update(batch)
        self.done += len(batch)
        if self.file is not None and time.monotonic() - self.saved >= self.save_every:
            with whole_file(self.file) as partial, partial.open("wb") as opened:
                np.savez(opened, **self.arrays())
            self.saved = time.monotonic()

    def _append(self, name: str, values: np.ndarray, weights: np.ndarray | None) -> None:
        self.values[name] = np.concatenate([self.values.get(name, np.zeros(0)), values])
        if weights is not None:
            self.weights[name] = np.concatenate([self.weights.get(name, np.zeros(0)), weights])

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything, by name."""
        found = {"fingerprint": np.array(self.fingerprint), "done": np.array(self.done)}
        found |= {f"value/{name}": values for name, values in self.values.items()}
        found |= {f"weight/{name}": values for name, values in self.weights.items()}
        for i, metric in enumerate(self.measures.sets):
            for name, sums in metric.sums.items():
                found |= {f"sums/{i}/{name}/{key}": value for key, value in sums.state().items()}
        return found

    def join(self, arrays: dict[str, np.ndarray]) -> None:
        """Add what another process, or an earlier run, has measured after what is here."""
        self.done += int(arrays["done"])
        for name in (key.removeprefix("value/") for key in arrays if key.startswith("value/")):
            self._append(name, arrays[f"value/{name}"], arrays.get(f"weight/{name}"))
        for i, metric in enumerate(self.measures.sets):
            for name, sums in metric.sums.items():
                sums.merge({key: arrays[f"sums/{i}/{name}/{key}"] for key in sums.state()})


def _kept(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of progress; none of a damaged one, since all can be measured again."""
    try:
        with np.load(file) as kept:
            arrays = dict(kept)
        columns = [values for name, values in arrays.items() if name.startswith(("value/", "weight/"))]
        return arrays if all(values.shape == (int(arrays["done"]),) for values in columns) else {}
    except Exception:  # a damaged archive raises nearly anything
        return {}
