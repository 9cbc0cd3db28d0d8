"""Figures that name their protocol.

`metrics`, `distributions`, `keypoints` and `lpips` compute; `protocols` says by what. `run` takes a source of pictures
(`sources`: folders, or one of `methods` over a data set) through the `measures` to a `report`, with its `page`;
`comparison` puts reports side by side.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .comparison import compare
    from .distributions import frechet_distance, inception_score
    from .keypoints import pckh
    from .metrics import l1, psnr, ssim
    from .protocols import PROTOCOLS, published
    from .run import evaluate

_LAZY = {
    "PROTOCOLS": ".protocols",
    "compare": ".comparison",
    "evaluate": ".run",
    "frechet_distance": ".distributions",
    "inception_score": ".distributions",
    "l1": ".metrics",
    "pckh": ".keypoints",
    "psnr": ".metrics",
    "published": ".protocols",
    "ssim": ".metrics",
}

__all__ = [
    "PROTOCOLS",
    "compare",
    "evaluate",
    "frechet_distance",
    "inception_score",
    "l1",
    "pckh",
    "psnr",
    "published",
    "ssim",
]


def __getattr__(name: str):
    """Import it at its first use: comparing reports and refusing a bad folder need no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
