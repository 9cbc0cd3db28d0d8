"""Training pairs: a folder of images and tables in, what the training's workers read out.

`layouts` finds the files, `annotations` reads the tables, `images` decodes, `places` says where a source shows its
target; `pairs`, `sampler` and `loader` are what a training asks, `augment` what it does to pictures, `verify` names
what is wrong with a folder, `prepare` makes one of photos.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .images import PARSING
    from .loader import pair_loader
    from .pairs import PosePairs
    from .sampler import Draw, PairSampler

_LAZY = {"PosePairs": ".pairs", "PARSING": ".images", "pair_loader": ".loader"}
_LAZY |= {"Draw": ".sampler", "PairSampler": ".sampler"}

__all__ = ["PARSING", "Draw", "PairSampler", "PosePairs", "pair_loader"]


def __getattr__(name: str):
    """Import it at its first use: what looks at files alone, `scagan verify`, needs no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
