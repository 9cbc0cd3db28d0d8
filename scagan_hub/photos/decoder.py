"""Opens what strangers send: in a process of its own, of bounded memory and time, which is thrown away when it fails.

A size in bytes says little of what a file asks for: 298 bytes can take gigabytes, 140 KB a minute. So the process
that reads it may take 512 MB and three seconds of a core, whatever the file claims. It knows few formats. It stays up
between files, ends with the program that began it, and needs neither torch nor the nets.
"""

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from PIL import Image

from ..files.processes import end_with
from ..images import opening
from ..poses import motion
from ..poses.pose import Pose

MEMORY = 512 * 1024**2  # bytes
SECONDS = 3.0  # of a core, for one file
PATIENCE = 10.0  # seconds on the clock, where others use the cores too
REMEMBERED = 1000  # files that asked for too much
LARGEST = 4096  # pixels of the longer side of a picture that is handed on; a larger one is scaled down
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
TIFF = ("raw", "packbits")  # compressions of baseline TIFF
_MEND = "save it again as an ordinary JPEG or PNG of moderate size"
_TOO_LONG = f"takes more than {SECONDS:g} s to open; {_MEND}"
_TOO_MUCH = f"takes more than {MEMORY // 1024**2} MB to open; {_MEND}"


class TooMuch(ValueError):
    """A file that asks for more time or memory than it may have."""


class Decoder:
    """One such process, begun when it is first asked; not for several threads at a time."""

    def __init__(self):
        self.process: subprocess.Popen | None = None

    def ask(self, kind: str, path, **options) -> tuple[dict, bytes]:
        """What `answer` gives.

        Raises:
            ValueError: the file is bad, or asks for too much.
        """
        if self.process is None or self.process.poll() is not None:
            self.start()
        late = threading.Event()
        timer = threading.Timer(PATIENCE, self._end, [self.process, late])
        timer.start()
        try:
            self.process.stdin.write(json.dumps({"kind": kind, "path": str(path), **options}).encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
            data = self.process.stdout.read(answer.get("bytes", 0))
            if len(data) < answer.get("bytes", 0):
                raise EOFError
        except (OSError, EOFError, ValueError):
            slow = self.stop() == -getattr(signal, "SIGPROF", 0) or late.is_set()
            raise TooMuch(f"{Path(path).name[:80]}: {_TOO_LONG if slow else _TOO_MUCH}") from None
        finally:
            timer.cancel()
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer, data

    def start(self):
        self.stop()
        environment = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if key in os.environ}
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", __name__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        if not self.process.stdout.readline():
            raise ValueError("the process that opens files does not start")

    def stop(self) -> int | None:
        """Ends the process; its exit status, where it had ended by itself."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        try:
            status = process.wait(0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = None
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()
        return status

    @staticmethod
    def _end(process: subprocess.Popen, late: threading.Event):
        late.set()
        process.kill()


class Decoders:
    """A few of these processes for many threads."""

    def __init__(self, count: int = 2):
        self.free: queue.SimpleQueue[Decoder] = queue.SimpleQueue()
        self.all = [Decoder() for _ in range(count)]
        self.refused: dict[tuple, str] = {}  # files that asked for too much: the second time that costs nothing
        for decoder in self.all:
            self.free.put(decoder)
        atexit.register(self.close)

    def picture(self, path) -> Image.Image:
        """An RGB picture, upright, at most `LARGEST` pixels wide and high.

        Raises:
            ValueError: no picture of `FORMATS`, damaged, too large, or it asks for too much.
        """
        answer, pixels = self._ask("picture", path)
        return Image.frombytes("RGB", tuple(answer["size"]), pixels)

    def poses(self, path, size: tuple[int, int] | None = None, most: int = 1) -> list[Pose]:
        """The poses in a JSON file; `size` where it does not say which picture's pixels it means.

        Raises:
            ValueError: not such a file, more than `most` poses, or it asks for too much.
        """
        answer, _ = self._ask("poses", path, size=size, most=most)
        return [Pose.from_dict(values) for values in answer["poses"]]

    def warm(self):
        """Begins the processes before anybody asks."""
        for _ in self.all:
            decoder = self.free.get()
            with suppress(OSError, ValueError):
                if decoder.process is None:
                    decoder.start()
            self.free.put(decoder)

    def close(self):
        for decoder in self.all:
            decoder.stop()

    def _ask(self, kind: str, path, **options) -> tuple[dict, bytes]:
        file = (str(path),)
        with suppress(OSError):
            there = os.stat(path)
            file = (str(path), there.st_size, there.st_mtime_ns)
        if said := self.refused.get(file):
            raise TooMuch(said)
        decoder = self.free.get()
        try:
            return decoder.ask(kind, path, **options)
        except TooMuch as error:
            while len(self.refused) >= REMEMBERED:
                self.refused.pop(next(iter(self.refused)), None)
            self.refused[file] = str(error)
            raise
        finally:
            self.free.put(decoder)


@cache
def decoders() -> Decoders:
    """Those of this program."""
    return Decoders()


def main():
    """The process: a line of JSON in, a line of JSON and as many bytes as it says out."""
    end_with(os.getppid())
    _limit_memory()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _say(out, {"ready": True})
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        with _limited_time():
            try:
                values, data = answer(**asked)
            except ValueError as error:
                values, data = {"error": " ".join(str(error).split())}, b""
            except MemoryError:
                values, data = {"error": f"{Path(asked['path']).name[:80]}: {_TOO_MUCH}"}, b""
        _say(out, values | {"bytes": len(data)}, data)


def answer(kind: str, path: str, size=None, most: int = 1) -> tuple[dict, bytes]:
    """A picture's size and its pixels, or poses as `Pose.to_dict` gives them and nothing."""
    if kind == "picture":
        with open(path, "rb") as file:
            image = opening.decode(file, Path(path).name[:80], FORMATS, TIFF, LARGEST)
        return {"size": image.size}, image.tobytes()
    if most == 1:
        poses = [Pose.from_openpose(Path(path), tuple(size))]
    else:
        poses = motion.read_motion(path)
        if len(poses) > most:
            raise ValueError(f"a film has at most {most} pictures, got {len(poses)} poses; leave some out")
    return {"poses": [pose.to_dict() for pose in poses]}, b""


def _say(out, values: dict, data: bytes = b""):
    out.write(json.dumps(values).encode() + b"\n")
    out.write(data)
    out.flush()


def _limit_memory():
    with suppress(ImportError, ValueError, OSError):  # ImportError: Windows
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@contextmanager
def _limited_time():
    """Ends the process when it has worked so long; not counted is the time that others had the cores."""
    if not hasattr(signal, "ITIMER_PROF"):
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
