"""The demo: choose a person, choose or pull a pose, see the picture, and the truth where it is known.

`python app.py` opens it with the bundled weights, `python app.py --model FOLDER [FOLDER ...]` with others. The page
asks nothing of other hosts. The endpoint `/generate` takes what the page takes (docs/demo.md).
"""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

with contextlib.suppress(ImportError):  # on ZeroGPU, and there before torch
    import spaces  # noqa: F401

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import torch

from scagan_hub import DEMO_MODEL, ScaGan
from scagan_hub.demo import LAUNCH, build_demo
from scagan_hub.demo.server import end_when_told, health, own_folder, share_heaps

__all__ = ["LAUNCH", "build_demo", "main"]


def main(argv: list[str] | None = None) -> int:
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description="The demo of SCA-GAN.")
    parser.add_argument(
        "--model", nargs="+", default=[DEMO_MODEL], help="folders or Hub ids (default: the bundled weights)"
    )
    args = parser.parse_args(argv)
    share_heaps()
    end_when_told()
    try:
        with own_folder():
            serve(args.model, started)
    except ValueError as error:
        print(f"app.py: error: {error}", file=sys.stderr)
        return 1
    return 0


def serve(models: list[str], started: float):
    """Loads the models and serves the page until it is told to end."""
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


if __name__ == "__main__":
    sys.exit(main())
