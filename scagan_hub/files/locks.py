"""Locks that end with the program that has them, however it ends: on what is unfinished, and on folders.

Where the file system or the operating system has no locks, nothing is locked.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

UNFINISHED = ".unfinished-"


@contextmanager
def claimed(folder: Path, what: str = "") -> Iterator[None]:
    """Nobody else may write to this folder, or what is called so in it, meanwhile; the folder is made if need be.

    Raises:
        ValueError: somebody does, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write {folder}: {error.strerror}; write elsewhere") from error
    lock = folder / f"{UNFINISHED}lock{what and '-'}{what}"
    descriptor = _lock(lock, os.O_CREAT | os.O_RDWR)
    if descriptor is False:
        raise ValueError(taken(folder / what))
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        _unlock(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """While something unfinished is made: a lock that ends with its program."""
    descriptor = _lock(path, os.O_RDONLY if path.is_dir() else os.O_CREAT | os.O_RDWR)
    try:
        yield
    finally:
        _unlock(descriptor)


def _lock(path: Path, flags: int):
    """A descriptor with a lock; None where there are no locks; False where another program has it."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _unlock(descriptor):
    if descriptor:
        os.close(descriptor)


def delete_left(path: Path, folder: Path | None = None) -> bool:
    """Deletes what killed programs have left of `path`; True where one that lives is writing it."""
    folder = folder or path.parent
    inside = folder == path
    for left in folder.glob(f"{UNFINISHED}*" if inside else f"{UNFINISHED}*-{path.name}"):
        if not left.name[len(UNFINISHED) :][:1].isdigit():
            continue
        descriptor = _lock(left, os.O_RDONLY)
        if descriptor is False:
            return True
        if descriptor is None:
            continue
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        _unlock(descriptor)
    return False


def taken(path: Path) -> str:
    return f"cannot write {path}: another run is writing there; wait for it, or give another folder"
