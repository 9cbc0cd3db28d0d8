"""The page as a public server runs it: every call from outside, by whatever road, goes through `Served.process_api`."""

import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gradio as gr
from anyio.to_thread import run_sync
from gradio.utils import get_upload_folder

from .queueing import FairQueue, where

OWN_FOLDER = "scagan_demo_"  # begins the name of an upload folder that no other program writes to
HOUR, SWEEP = 3600, 60  # seconds: files older than the first are deleted as often as the second
SILENCE, CONNECTIONS = 10, 128  # seconds, and connections at most, without a request
DEPTH = 16  # lists and objects within each other
NO_UPLOAD = "no such upload: send the file to /upload first, and give the path that comes back"
NOT_UNDERSTOOD = "The request could not be understood: see the description of the endpoint."

log = logging.getLogger("scagan_hub.demo")


class Served(gr.Blocks):
    """`gr.Blocks` for strangers: its queue is fair, a path is an upload or nothing, and every mistake is one line."""

    def __init__(self, **options):
        super().__init__(**options)
        self._incoming = 0
        self._silent: dict[object, tuple[object, float]] = {}  # connections without a request, and since when
        self._swept = 0.0

    def queue(self, max_size: int = 16):
        """Gradio's `queue` with a `FairQueue`; nothing may pass it by."""
        super().queue(max_size=max_size, api_open=False)
        self._queue = FairQueue(self, max_size)
        self._queue.housekeeping += [self._close_slow_connections, self._delete_old_files]
        return self

    @property
    def uploads(self) -> Path:
        """The folder that uploads lie in."""
        app = getattr(self, "server_app", None)
        return Path(app.uploaded_file_dir if app else get_upload_folder())

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """While one comes in. What broken-off ones leave is deleted once none does."""
        self._incoming += 1
        try:
            yield
        finally:
            self._incoming -= 1
            if not self._incoming:
                self._delete_broken_off()

    def _delete_broken_off(self):
        """Deletes files that lie in the upload folder itself: gradio moves whole ones into folders of their own."""
        least = 0 if self.uploads.name.startswith(OWN_FOLDER) else HOUR  # elsewhere other programs write too
        with suppress(OSError):
            for entry in list(os.scandir(self.uploads)):
                with suppress(OSError):
                    if entry.is_file(follow_symlinks=False) and time.time() - entry.stat().st_mtime >= least:
                        os.unlink(entry)

    async def _close_slow_connections(self):
        """Closes connections on which no request has begun, or come to its head's end, for some seconds."""
        state = getattr(getattr(self, "server", None), "server_state", None)
        if state is None:
            return
        now, silent = time.monotonic(), {}
        for connection in list(state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                known, since = self._silent.get(connection, (None, now))
                silent[connection] = cycle, since if known is cycle else now
        for connection in sorted(silent, key=lambda connection: silent[connection][1])[: -CONNECTIONS or None]:
            silent[connection] = silent[connection][0], 0.0
        for connection in [connection for connection, (_, since) in silent.items() if now - since > SILENCE]:
            del silent[connection]
            connection.transport.abort()
        self._silent = silent

    async def _delete_old_files(self):
        """Deletes what is an hour old in a folder of our own, whoever made it; not the page's own pictures."""
        if time.monotonic() - self._swept < SWEEP or not self.uploads.name.startswith(OWN_FOLDER):
            return
        self._swept = time.monotonic()
        kept = set().union(*(block.keep_in_cache for block in self.blocks.values() if hasattr(block, "keep_in_cache")))
        await run_sync(_delete_older, self.uploads, HOUR, kept)

    async def process_api(self, block_fn, inputs, *args, **kwargs):
        """Gradio's, for data that were looked at.

        Raises:
            gr.Error: in every case, in one line; what is not the caller's to know goes to the log, without their data.
        """
        try:
            return await super().process_api(block_fn, self._checked(block_fn, inputs), *args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            name = getattr(block_fn, "name", block_fn)
            log.warning("a request to %s failed: %s at %s", name, type(error).__name__, where(error))
            raise gr.Error(NOT_UNDERSTOOD, print_exception=False) from None

    def _checked(self, block_fn, inputs) -> list:
        if block_fn.cancels:  # gradio gives it the session alone
            return inputs
        expected = len(block_fn.inputs)
        if not isinstance(inputs, list) or len(inputs) != expected:
            got = len(inputs) if isinstance(inputs, list) else type(inputs).__name__
            raise gr.Error(f"data: expected {expected} values, got {got}", print_exception=False)
        folder = os.path.realpath(self.uploads)
        return [_own(value, folder) for value in inputs]


def _own(value, folder: str, depth: int = 0):
    """A value as it was sent, with nothing of its files but a path in `folder` and a name.

    Raises:
        gr.Error: a file that was not uploaded, whether there is one or not; lists too deep.
    """
    if depth > DEPTH:
        raise gr.Error(NOT_UNDERSTOOD, print_exception=False)
    if isinstance(value, list):
        return [_own(item, folder, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("path") is not None or "meta" in value:
        path = value.get("path")
        if not is_upload(path, folder):
            raise gr.Error(NO_UPLOAD, print_exception=False)
        name = value.get("orig_name")
        return {
            "path": path,
            "orig_name": name[:250] if isinstance(name, str) else None,
            "meta": {"_type": "gradio.FileData"},
        }
    return {key: _own(item, folder, depth + 1) for key, item in value.items()}


def _delete_older(folder: Path, age: float, kept: set[str]):
    for where_, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = os.path.join(where_, name)
            with suppress(OSError):
                if path not in kept and time.time() - os.lstat(path).st_mtime > age:
                    os.unlink(path)
        if where_ != str(folder):
            with suppress(OSError):
                os.rmdir(where_)  # where nothing is left


def is_upload(path, folder: str) -> bool:
    """Whether a path names a file, no link and no device, in the upload folder of this real path."""
    if not isinstance(path, str) or "\0" in path or len(path) > 4096:
        return False
    try:
        return os.path.realpath(path).startswith(folder + os.sep) and stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
