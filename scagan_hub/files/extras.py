"""Packages that some uses alone need, each in an extra of this package: asked for before any work begins."""

from importlib.util import find_spec

# Extra and usual name, by the name that is imported. `pyproject.toml` has the extras.
EXTRAS = {
    "ai_edge_litert.interpreter": ("detect", "LiteRT"),
    "av": ("video", "PyAV"),
    "gradio": ("demo", "gradio"),
    "numba": ("people", "numba"),
    "torchmetrics": ("metrics", "torchmetrics"),
    "tyro": ("train", "tyro"),
    "yaml": ("train", "PyYAML"),
}


def need(module: str, what: str, otherwise: str = "") -> None:
    """Refuse what a missing package would end later.

    Args:
        module: one of `EXTRAS`.
        what: what needs it; the message begins with it.
        otherwise: how to do without, where one can.

    Raises:
        ImportError: it is not installed; one line with the extra to install.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # nor is the package that a submodule is in
        found = None
    if found is None:
        extra, name = EXTRAS[module]
        instead = f", or {otherwise}" if otherwise else ""
        raise ImportError(f"{what} needs {name}, which is not installed: pip install 'scagan-hub[{extra}]'{instead}")
