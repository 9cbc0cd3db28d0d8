"""SCA-GAN: a person's picture in another pose (Spatial Content Alignment For Pose Transfer, ICME 2021)."""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .outputs import ScaGanOutput
    from .pipeline import ScaGan
    from .poses.pose import Pose

__version__ = "0.1.0"

DEMO_MODEL = str(Path(__file__).parent / "assets" / "demo")

_LAZY = {"ScaGan": ".pipeline", "ScaGanOutput": ".outputs", "Pose": ".poses.pose"}

__all__ = ["DEMO_MODEL", "Pose", "ScaGan", "ScaGanOutput"]

# Published paths of modules that have moved since: an import of one gives the module in its place today.
MOVED = {
    "scagan_hub.card": "scagan_hub.hub.card",
    "scagan_hub.detect": "scagan_hub.poses.detect",
    "scagan_hub.losses": "scagan_hub.training.losses",
    "scagan_hub.models.features": "scagan_hub.features",
    "scagan_hub.models.lpips": "scagan_hub.features.lpips",
    "scagan_hub.motion": "scagan_hub.poses.motion",
    "scagan_hub.official": "scagan_hub.release",
    "scagan_hub.pose": "scagan_hub.poses.pose",
}


def __getattr__(name: str) -> Any:
    """Import the class at its first use, so that `import scagan_hub` needs neither torch nor diffusers."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


class _Moved(MetaPathFinder, Loader):
    """Finder and loader of the modules of `MOVED`."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # an empty one, which the moved one takes the place of

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(MOVED[module.__name__])


sys.meta_path.insert(0, _Moved())
