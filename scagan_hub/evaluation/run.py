"""One method evaluated: batches in, a report out; on one device or many, and from where it was interrupted.

    source ─► batches ─► values of pairs, sums over sets ─► joined over processes ─► report

Memory does not grow with the number of pairs but by a few numbers a pair. Under `accelerate launch` each process takes
a run of consecutive pairs, and the first one writes the report.
"""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object, parse_flag_from_env
from tqdm import tqdm

from ..locks import claimed
from ..writing import whole_file
from . import report
from .measures import Measures
from .protocols import find
from .sources import Batch, Source

SAVE_EVERY = 10.0  # seconds


def evaluate(
    source: Source,
    protocol: str = "unpadded",
    extras=(),
    weights: Path | None = None,
    download: bool | None = None,
    device: str | None = None,
    batch_size: int = 16,
    partial: Path | None = None,
    save_every: float = SAVE_EVERY,
    without=(),
) -> dict | None:
    """Measure one method.

    Args:
        source: gives the pictures.
        protocol: one of `PROTOCOLS`.
        extras: further metrics, of `measures.EXTRAS`.
        weights, download: where the nets' weights are, and whether they are fetched; see `weights.locate`.
        device: where metrics are computed; None: this process's GPU, or the CPU.
        batch_size: pairs at a time.
        partial: file that progress is kept in, to go on from after an interruption; None: nowhere.
        save_every: seconds between two savings.
        without: metrics that are left out, of `measures.LPIPS`.
    Returns:
        the report (see docs/evaluation.md), or None in all processes but the first.
    Raises:
        ValueError: an unknown protocol or extra, damaged weights, or pictures that cannot be read or compared.
    """
    chosen, state = find(protocol), processes()
    height, width = source.size
    if chosen.padding and height == width:
        raise ValueError(f"protocol {protocol} pads the pictures itself; expected 176 x 256, got {width} x {height}")
    device = device or (str(state.device) if state.device.type == "cuda" else "cpu")
    with state.local_main_process_first():  # which may fetch weights
        measures = Measures(source, chosen, device, extras, weights, download, without)
    own = np.array_split(np.arange(len(source.pairs)), state.num_processes)[state.process_index]
    if partial is not None:
        partial = partial.with_name(f"{partial.name}.part-{state.process_index + 1}-of-{state.num_processes}.npz")
    with claimed(partial.parent, partial.name) if partial is not None else nullcontext():
        progress = Progress(measures, partial, fingerprint(source, protocol, measures), save_every)
        return _measured(source, protocol, measures, progress, own, batch_size, state)


def _measured(
    source: Source, protocol: str, measures: Measures, progress: "Progress", own, batch_size: int, state
) -> dict | None:
    """The report on the main process, once all have measured their `own` pairs."""
    partial = progress.file
    rest = own[progress.done :]
    batches = [rest[i : i + batch_size] for i in range(0, len(rest), batch_size)]
    shown = tqdm(total=len(own), initial=progress.done, unit="pair", desc=source.method, disable=_quiet(state))
    with shown:
        for batch in _ahead(source, batches):
            progress.add(batch)
            shown.update(len(batch))
    _, *others = gather_object([progress.arrays()])
    if partial is not None:
        partial.unlink(missing_ok=True)
    if not state.is_main_process:
        return None
    for part in others:
        progress.join(part)
    return report.build(source, protocol, measures, progress)


def processes() -> PartialState:
    """This process among those that `accelerate launch` has started."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))


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
            self._take_up()

    def _take_up(self) -> None:
        """What an earlier run has measured; a damaged file counts for nothing, and is begun anew."""
        try:
            with np.load(self.file) as kept:
                arrays = {name: kept[name] for name in kept}
                done = int(arrays["done"])
                columns = [values for name, values in arrays.items() if name.startswith(("value/", "weight/"))]
                whole = all(values.shape == (done,) for values in columns)
        except Exception:  # a damaged archive raises nearly anything
            return
        if whole and str(arrays.get("fingerprint")) == self.fingerprint:
            self.join(arrays)

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


def _ahead(source: Source, batches: list[np.ndarray]) -> Iterator[Batch]:
    """Batches of a source, each got ready while the one before it is measured."""
    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(source.batch, positions) for positions in batches[:1]]
        for positions in [*batches[1:], None]:
            if not coming:
                return
            batch = coming.pop().result()
            if positions is not None:
                coming.append(reader.submit(source.batch, positions))
            yield batch


def _quiet(state: PartialState) -> bool | None:
    """Only the first process shows its progress, and (None) only to a person."""
    return None if state.is_main_process else True


def fingerprint(source: Source, protocol: str, measures: Measures) -> str:
    """A hash of all that decides what will be measured: pictures, pairs, protocol, metrics and version."""
    digest = hashlib.sha256()
    parts = [
        report.versions()["scagan-hub"],
        protocol,
        *(f"{name} {value}" for name, value in sorted(measures.hashes.items())),
    ]
    parts += [type(metric).__name__ for metric in (*measures.per_pair, *measures.sets)]
    parts += [f"{source}->{target}" for source, target in source.pairs]
    for part in (*parts, *source.identity):
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()
