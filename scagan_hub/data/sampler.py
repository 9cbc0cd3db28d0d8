"""The order in which a training sees its pairs."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class PairSampler(Sampler):
    """Endless shuffled (index, mirrored), a function of seed and position alone, so that a run can resume anywhere.

    Args:
        length: number of pairs.
        seed: of the shuffling.
        start: how many samples have been drawn already.
        stop: after how many samples in all to end.
        mirror: a random half of each pass; else none.
    """

    def __init__(self, length: int, seed: int, start: int, stop: int, mirror: bool = True):
        self.length, self.seed, self.start, self.stop, self.mirror = length, seed, start, stop, mirror

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        position = self.start
        while position < self.stop:
            epoch, offset = divmod(position, self.length)
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = torch.randperm(self.length, generator=generator)
            mirrored = torch.rand(self.length, generator=generator) < (0.5 if self.mirror else 0)
            end = min(self.length, offset + self.stop - position)
            yield from zip(order[offset:end].tolist(), mirrored[offset:end].tolist(), strict=True)
            position += end - offset
