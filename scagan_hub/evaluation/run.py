"""One method evaluated: batches in, a report out; on one device or many, and from where it was interrupted.

    source ─► batches ─► values of pairs, sums over sets ─► joined over processes ─► report

Memory does not grow with the number of pairs but by a few numbers a pair. Under `accelerate launch` each process takes
a run of consecutive pairs, and the first one writes the report.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object, parse_flag_from_env
from tqdm import tqdm

from ..files.locks import claimed
from . import report
from .checks import check_pictures
from .measures import Measures
from .progress import Progress
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
    if chosen.resized and source.size != chosen.image_size:
        size = f"{chosen.image_size[1]} x {chosen.image_size[0]}"
        raise ValueError(
            f"protocol {protocol} is of {size} pixels, got {width} x {height}; give a data set of that size"
        )
    if chosen.padding and height == width:
        raise ValueError(f"protocol {protocol} pads the pictures itself; expected 176 x 256, got {width} x {height}")
    notes = check_pictures(source, chosen)
    device = device or (str(state.device) if state.device.type == "cuda" else "cpu")
    with state.local_main_process_first():  # which may fetch weights
        measures = Measures(source, chosen, device, extras, weights, download, without)
    own = np.array_split(np.arange(len(source.pairs)), state.num_processes)[state.process_index]
    if partial is not None:
        partial = partial.with_name(f"{partial.name}.part-{state.process_index + 1}-of-{state.num_processes}.npz")
    with claimed(partial.parent, partial.name) if partial is not None else nullcontext():
        progress = Progress(measures, partial, fingerprint(source, protocol, measures), save_every)
        whole = _measured(source, measures, progress, own, batch_size, state)
        return report.build(source, protocol, measures, progress, notes) if whole else None


def _measured(source: Source, measures: Measures, progress: Progress, own, batch_size: int, state) -> bool:
    """Whether `progress` has all processes' pairs, once all have measured their `own`: on the main process alone."""
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
    for part in others if state.is_main_process else ():
        progress.join(part)
    return state.is_main_process


def processes() -> PartialState:
    """This process among those that `accelerate launch` has started."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))


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
