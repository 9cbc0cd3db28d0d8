"""What a public server needs: bounds, one line for every mistake, no path in it, a word in the log at the start."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from ..pipeline import ScaGan

QUEUE = 16  # requests that may wait; the next one is asked to come back later
HOUR = 3600  # seconds: files older than that are deleted, uploaded pictures among them
UPLOAD = "20mb"
BLOCKS = {"analytics_enabled": False, "delete_cache": (HOUR, HOUR)}
DETECTOR = {"concurrency_id": "detector", "concurrency_limit": 1, "api_visibility": "private"}
NETS = {"concurrency_id": "nets", "concurrency_limit": 1}  # one picture uses every core that there is


@contextmanager
def polite(*uploads: str | None) -> Iterator[None]:
    """Turns a caller's mistake into one line on the page, without where the server keeps the uploaded files."""
    try:
        yield
    except (ValueError, ImportError) as error:  # ImportError: an extra is not installed
        raise gr.Error(_one_line(error, uploads), print_exception=False) from None


def on_gpu(function: Callable) -> Callable:
    """Borrows a GPU for every call where the Space runs on ZeroGPU; elsewhere the function itself."""
    try:
        import spaces
    except ImportError:
        return function
    return spaces.GPU(function)


def upload(label: str, **options) -> gr.Image:
    """A picture left as it was uploaded: the package opens it, and says what is wrong with it if need be."""
    image = gr.Image(label=label, type="filepath", buttons=[], **options)
    image.preprocess = lambda payload: payload and payload.path
    return image


def number(value: int, label: str, **options) -> gr.Number:
    """A whole number left as it was sent: the request says what is wrong with it if need be."""
    component = gr.Number(value, precision=0, label=label, **options)
    component.preprocess = lambda payload: payload
    return component


@contextmanager
def passing_file(suffix: str) -> Iterator[Path]:
    """A path to write a file to; gone when left."""
    with tempfile.TemporaryDirectory(prefix="scagan_") as folder:
        yield Path(folder) / f"animation{suffix}"


def health(pipes: Mapping[str, ScaGan], seconds: float) -> str:
    """The line in the log that says what is served, from which device, and how long loading took."""
    served = ", ".join(f"{name} ({_parameters(pipe) / 1e6:.1f} M parameters)" for name, pipe in pipes.items())
    device = next(iter(pipes.values())).device
    return f"health: ok, model {served}, device {device}, loaded in {seconds:.1f} s"


def _parameters(pipe: ScaGan) -> int:
    nets = [net for net in (pipe.pct_net, pipe.is_net) if net is not None]
    return sum(weight.numel() for net in nets for weight in net.parameters())


def _one_line(error: Exception, uploads: tuple[str | None, ...]) -> str:
    text = " ".join(str(error).split())
    for upload in filter(None, uploads):
        text = text.replace(f"{Path(upload).parent}{os.sep}", "")
    return text
