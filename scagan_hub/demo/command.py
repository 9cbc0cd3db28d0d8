"""The demo from a command line: `scagan demo`, and `python app.py` in a checkout or a Space."""

import argparse
import sys
import time
from pathlib import Path

import torch

from .. import DEMO_MODEL
from ..pipeline import ScaGan
from .page import LAUNCH, build_demo
from .server import ended_when_told, health, own_folder, share_heaps


def main(argv: list[str] | None = None) -> int:
    """`python app.py`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="app.py", description="The demo of SCA-GAN.")
    parser.add_argument(
        "--model", nargs="+", default=[DEMO_MODEL], help="folders or Hub ids (default: the bundled weights)"
    )
    try:
        serve(parser.parse_args(argv).model)
    except (ValueError, OSError) as error:
        print(f"app.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def serve(models: list[str]) -> None:
    """Serve the demo of these models (folders or Hub ids) until it is stopped.

    Raises:
        ValueError: a model that cannot be loaded, or two of one name.
        OSError: no port is free.
    """
    share_heaps()
    with ended_when_told(), own_folder():
        _serve(models)


def _serve(models: list[str]) -> None:
    started = time.perf_counter()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    names = [model_name(model) for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"--model: expected models of different names, got {', '.join(names)}; rename a folder")
    pipes = [ScaGan.from_pretrained(model).to(device) for model in models]
    demo = build_demo(pipes[0], dict(zip(names[1:], pipes[1:], strict=True)), names[0])
    print(health(dict(zip(names, pipes, strict=True)), time.perf_counter() - started), flush=True)
    demo.launch(**LAUNCH)


def model_name(model: str) -> str:
    """What visitors read: the folder's name, or its run's for a training's `OUTPUT/model`."""
    path = Path(model)
    return path.parent.name if path.name == "model" and path.parent.name else path.name
