"""What the nets are fed: `component` makes it, with `edges`; `prior` and `alignment` move what the source shows."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .component import Content
    from .edges import CLASSES, edge_image, edge_tensor, one_plane

_LAZY = {"CLASSES": ".edges", "Content": ".component"}
_LAZY |= {"edge_image": ".edges", "edge_tensor": ".edges", "one_plane": ".edges"}
_LAZY |= {"SchedulerMixin": ".component"}  # diffusers asks the module that a saved component names what kind it is

__all__ = ["CLASSES", "Content", "edge_image", "edge_tensor", "one_plane"]


def __getattr__(name: str) -> Any:
    """Import it at its first use: `alignment` alone needs no diffusers."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
