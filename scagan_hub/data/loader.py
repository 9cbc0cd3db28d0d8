"""The batches that a training sees, decoded by worker processes."""

import atexit
import multiprocessing
import os
import signal
from collections.abc import Iterable

import torch
from torch.utils.data import DataLoader, Dataset

from ..files.processes import end_with


def pair_loader(
    pairs: Dataset, sampler: Iterable, batch_size: int, workers: int, device: torch.device | str
) -> DataLoader:
    """Whole batches of pairs, ready to be copied to `device`.

    For CUDA they lie in page-locked memory: `.to(device, non_blocking=True)` then copies beside the computation.

    Args:
        pairs: such as `PosePairs`.
        sampler: indices or `Draw`s, in order.
        workers: processes that decode; 0: this one.
    """
    return DataLoader(
        pairs,
        batch_size,
        sampler=sampler,
        num_workers=workers,
        drop_last=True,
        pin_memory=torch.device(device).type == "cuda",
        worker_init_fn=_begin,
    )


def _begin(_) -> None:
    """Workers must outlive a SIGTERM or SIGINT to the whole group until the main process has saved, but not longer."""
    end_with(os.getppid())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


@atexit.register
def _end_workers() -> None:
    """At its exit Python ends daemons by SIGTERM and waits for them: forever, where they ignore it."""
    workers = [child for child in multiprocessing.active_children() if child.daemon]
    if workers and hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler takes a killed worker for a failure
    for worker in workers:
        worker.kill()
