"""What losses and metrics look through: VGG, EfficientNet-lite0 and LPIPS, and where their weights are found.

`loading` gives the nets of the losses by name; `weights` finds files, `lpips_package` reads those of LPIPS' package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loading import load_features
    from .lpips import Lpips
    from .vgg import VGG

_LAZY = {"VGG": ".vgg", "Lpips": ".lpips", "load_features": ".loading"}

__all__ = ["VGG", "Lpips", "load_features"]


def __getattr__(name: str) -> Any:
    """Import it at its first use: `weights` alone needs no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
