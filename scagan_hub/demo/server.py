"""What a public server needs: bounds, one line for every mistake, no path in it, a word in the log at the start."""

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import gradio as gr
from starlette.responses import PlainTextResponse

from ..pipeline import ScaGan

QUEUE = 16  # requests that may wait; the next one is asked to come back later
SESSIONS = 128  # whose state is kept, half a megabyte each; a call without a session takes one too
HOUR, OFTEN = 3600, 600  # seconds: files older than an hour are deleted every ten minutes, uploads and results
UPLOAD, BODY = "20mb", 32 * 1024**2  # a file, and a whole request, in bytes
ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
BLOCKS = {"analytics_enabled": False, "delete_cache": (OFTEN, HOUR)}
DETECTOR = {"concurrency_id": "detector", "concurrency_limit": 1, "api_visibility": "private"}
NETS = {"concurrency_id": "nets", "concurrency_limit": 1}  # one picture uses every core that there is


class BodyLimit:
    """ASGI middleware: a request of more than `most` bytes is refused while it comes in, before anything is read."""

    def __init__(self, app, most: int = BODY):
        self.app, self.most = app, most

    async def __call__(self, scope, receive, send):
        length = dict(scope.get("headers", [])).get(b"content-length", b"0")
        if scope["type"] == "http" and length.isdigit() and int(length) > self.most:
            await PlainTextResponse("The request is too large.", 413)(scope, receive, send)
            return
        come = 0

        async def counted():
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            return {"type": "http.disconnect"} if come > self.most else message

        await self.app(scope, counted if scope["type"] == "http" else receive, send)


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


def share_heaps(count: int = 2) -> None:
    """Has all threads take memory from `count` heaps, where the C library can be told (glibc).

    Left alone it gives every new thread of the server a heap of its own, and what a picture took stays in each.
    """
    with suppress(AttributeError, OSError, TypeError):  # TypeError: Windows
        ctypes.CDLL(None).mallopt(ARENA_MAX, count)


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
