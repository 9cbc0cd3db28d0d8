"""Training pairs: a folder of images and tables in, what the training's workers read out.

`layouts` finds the files, `annotations` reads the tables, `images` decodes; `pairs`, `sampler` and `loader` are what a
training asks, `verify` names what is wrong with a folder, `prepare` makes one of photos.
"""

from importlib import import_module

_LAZY = {"PosePairs": ".pairs", "PARSING": ".images", "PairSampler": ".sampler", "pair_loader": ".loader"}

__all__ = ["PARSING", "PairSampler", "PosePairs", "pair_loader"]


def __getattr__(name: str):
    """Import it at its first use: what looks at files alone, `scagan verify`, needs no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
