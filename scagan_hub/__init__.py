"""SCA-GAN: a person's picture in another pose (Spatial Content Alignment For Pose Transfer, ICME 2021)."""

from importlib import import_module
from pathlib import Path

DEMO_MODEL = str(Path(__file__).parent / "assets" / "demo")

_LAZY = {"ScaGan": ".pipeline", "ScaGanOutput": ".pipeline", "Pose": ".poses.pose"}

__all__ = ["DEMO_MODEL", "Pose", "ScaGan", "ScaGanOutput"]


def __getattr__(name: str):
    """Import the class at its first use, so that `import scagan_hub` needs neither torch nor diffusers."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
