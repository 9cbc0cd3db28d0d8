"""The order in which a training sees its pairs, and the batches that it sees them in."""

from collections.abc import Iterable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler


class PairSampler(Sampler):
    """Endless shuffled (index, mirrored), a function of seed and position alone, so that a run can resume anywhere.

    Args:
        length: number of pairs.
        seed: of the shuffling.
        start: how many samples have been drawn already.
        stop: after how many samples in all to end.
    """

    def __init__(self, length: int, seed: int, start: int, stop: int):
        self.length, self.seed, self.start, self.stop = length, seed, start, stop

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        position = self.start
        while position < self.stop:
            epoch, offset = divmod(position, self.length)
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = torch.randperm(self.length, generator=generator)
            mirrored = torch.rand(self.length, generator=generator) < 0.5
            end = min(self.length, offset + self.stop - position)
            yield from zip(order[offset:end].tolist(), mirrored[offset:end].tolist(), strict=True)
            position += end - offset


def pair_loader(
    pairs: Dataset, sampler: Iterable, batch_size: int, workers: int, device: torch.device | str, worker_init_fn=None
) -> DataLoader:
    """Whole batches of pairs, decoded by `workers` processes (0: none), ready to be copied to `device`.

    For CUDA they lie in page-locked memory: `.to(device, non_blocking=True)` then copies beside the computation.
    """
    return DataLoader(
        pairs,
        batch_size,
        sampler=sampler,
        num_workers=workers,
        drop_last=True,
        persistent_workers=workers > 0,
        pin_memory=torch.device(device).type == "cuda",
        worker_init_fn=worker_init_fn,
    )
