"""The order in which a training sees its pairs, and what is done to each."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler


class Draw(NamedTuple):
    """A pair as a training sees it; `PosePairs` takes it for an index.

    Args:
        index: of the pair.
        mirrored: whether left and right change places.
        identity: whether the target is its own source.
        ground: seed of the plain ground that both people stand on, cut out; None: on their own.
    """

    index: int
    mirrored: bool = False
    identity: bool = False
    ground: int | None = None


class PairSampler(Sampler):
    """Endless shuffled `Draw`s, a function of seed and position alone, so that a run can resume anywhere.

    Args:
        length: number of pairs.
        seed: of the shuffling.
        start: how many samples have been drawn already.
        stop: after how many samples in all to end.
        mirror: a random half of each pass; else none.
        identity: share of pairs whose target is its own source.
        plain_ground: share of pairs cut out and put on a plain ground; they need `PosePairs` with parsing maps.
    Raises:
        ValueError: a share is not in [0, 1].
    """

    def __init__(
        self,
        length: int,
        seed: int,
        start: int,
        stop: int,
        mirror: bool = True,
        identity: float = 0.0,
        plain_ground: float = 0.0,
    ):
        for name, share in (("identity", identity), ("plain_ground", plain_ground)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: expected a share of the pairs from 0 to 1, got {share}")
        self.length, self.seed, self.start, self.stop = length, seed, start, stop
        self.mirror, self.identity, self.plain_ground = mirror, identity, plain_ground

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[Draw]:
        position = self.start
        while position < self.stop:
            epoch, offset = divmod(position, self.length)
            end = min(self.length, offset + self.stop - position)
            yield from map(Draw, *(drawn[offset:end] for drawn in self._pass(epoch)))
            position += end - offset

    def _pass(self, epoch: int) -> tuple[list, ...]:
        """What a pass through all pairs draws: a list for each field of `Draw`."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(self.length, generator=generator)
        shares = (0.5 if self.mirror else 0, self.identity, self.plain_ground)
        mirrored, identity, plain = (
            (torch.rand(self.length, generator=generator) < share).tolist() for share in shares
        )
        seeds = torch.randint(2**31, (self.length,), generator=generator).tolist()
        grounds = [seed if there else None for seed, there in zip(seeds, plain, strict=True)]
        return order.tolist(), mirrored, identity, grounds
