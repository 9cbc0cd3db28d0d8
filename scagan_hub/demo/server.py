"""What a public server needs: bounds, one line for every mistake, no path in it, a word in the log at the start."""

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import gradio as gr

from ..pipeline import ScaGan
from .gate import BODY as BODY
from .served import OWN_FOLDER

QUEUE = 16  # requests that may wait; the next one is asked to come back later
SESSIONS = 128  # whose state is kept, half a megabyte each; a call without a session takes one too
HOUR, OFTEN = 3600, 600  # seconds: files older than an hour are deleted every ten minutes, uploads and results
ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
BLOCKS = {"analytics_enabled": False, "delete_cache": (OFTEN, HOUR)}
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


@contextmanager
def own_folder() -> Iterator[None]:
    """A folder for uploads and results that no other program writes to, gone when left; those of dead ones go too."""
    if "GRADIO_TEMP_DIR" in os.environ:  # somebody has chosen another
        yield
        return
    place = Path(tempfile.gettempdir()).resolve()
    for left in place.glob(f"{OWN_FOLDER}*"):
        owner = left.name.removeprefix(OWN_FOLDER).partition("_")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{OWN_FOLDER}{os.getpid()}_", dir=place)
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        del os.environ["GRADIO_TEMP_DIR"]
        shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


@contextmanager
def ended_when_told(seconds: float = 1.5) -> Iterator[None]:
    """In it SIGTERM ends the program in order, and in any case after so many seconds, whatever its threads do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_):
        timer = threading.Timer(seconds, os._exit, [143])
        timer.daemon = True
        timer.start()
        sys.exit(143)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
