"""Training pairs: what a data set's folder holds, as the training reads it."""

from .pairs import PosePairs
from .sampler import PairSampler

__all__ = ["PairSampler", "PosePairs"]
