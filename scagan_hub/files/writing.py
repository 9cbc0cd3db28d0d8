"""Where results leave the program: files and folders that appear whole or not at all."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


def check_writable(path) -> Path:
    """Refuse an output file before any work is done.

    Raises:
        ValueError: `path` is a folder, its folder does not exist, or nothing can be written there.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise ValueError(f"cannot write {path}: there is no folder {path.parent}; make it first or write elsewhere")
    probe = _beside(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}; write elsewhere") from error
    return path


@contextmanager
def whole_file(path):
    """Yields a path to write to, beside `path` and of the same suffix; renamed to `path` if all went well.

    Raises:
        ValueError: as `check_writable`.
    """
    path = check_writable(path)
    partial = _beside(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path):
    """Yields a new folder beside `path`; once it is filled its files take their places in `path`.

    Files of the same name are replaced, others in `path` are left alone.

    Raises:
        ValueError: `path` is a file, or cannot be written.
    """
    path = Path(path).absolute()
    if path.is_file():
        raise ValueError(f"cannot write the folder {path}: there is a file of that name; give another one")
    partial = _beside(path)
    try:
        partial.mkdir(parents=True)
        yield partial
        _move_into(partial, path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot write the folder {path}: {reason}; write elsewhere") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")


def _move_into(partial: Path, path: Path):
    if not path.exists():
        partial.rename(path)
        return
    for file in (file for file in partial.rglob("*") if file.is_file()):
        target = path / file.relative_to(partial)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
