"""Where results leave the program: files and folders that appear whole or not at all.

What is being made is called `.unfinished-...` and lies beside what it will be, or in it where that is a mount point. It
is locked by the program that makes it; what a killed one has left is deleted by the next that writes the same.
"""

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from .locks import UNFINISHED, delete_left, locked, taken

SWITCHING = f"{UNFINISHED}switch"  # in a folder whose files are just being replaced one by one
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # Linux
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def check_writable(path) -> Path:
    """Refuse an output file before any work is done.

    Raises:
        ValueError: `path` is a folder, a pipe or a device, its folder does not exist, or nothing can be written there.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder; give the name of a file in it")
    if path.exists() and not path.is_file():
        raise ValueError(f"cannot write {path}: it is no ordinary file; give another name")
    if not path.parent.is_dir():
        raise ValueError(f"cannot write {path}: there is no folder {path.parent}; make it first or write elsewhere")
    probe = _unfinished(_real(path), "probe")
    try:
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}; write elsewhere") from error
    return path


def check_folder(path) -> Path:
    """Refuse an output folder before any work is done; nothing is left there.

    Raises:
        ValueError: `path` is a file, somebody is writing there, or nothing can be written there.
    """
    with _folder(path):
        return Path(path)


@contextmanager
def whole_file(path) -> Iterator[Path]:
    """Yields a path to write to, beside `path` and of the same suffix; renamed to `path` if all went well.

    A link to a file stays, and the file that it leads to is replaced; a file that is replaced hands its mode on.

    Raises:
        ValueError: as `check_writable`.
    """
    path = _real(check_writable(path))
    partial = _unfinished(path)
    delete_left(path)
    with locked(partial):
        try:
            yield partial
            _like(partial, path)
            _take_place(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path, stale: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yields a new folder; once it is filled, it takes the place of `path` at one stroke.

    Files of the same name are replaced, others in `path` are kept, but for those that match a pattern of `stale`, which
    described what was replaced. Where `path` is a mount point there is no such stroke: its files are replaced one by
    one, and `check_switched` refuses the folder until that is done.

    Raises:
        ValueError: `path` is a file, somebody else is writing there, or it cannot be written.
    """
    with _folder(path) as (partial, path):
        try:
            yield partial
            if partial.parent == path:
                _move_into(partial, path, stale)
            else:
                if path.exists():
                    _carry_over(path, partial, stale)
                switch(partial, path)
        except (OSError, SafetensorError) as error:
            raise ValueError(f"cannot write the folder {path}: {_reason(error)}; write elsewhere") from error


def switch(new: Path, path: Path):
    """Gives the folder `new` the name `path`, and deletes what had it; at one stroke where the system can do that."""
    if not path.exists():
        new.rename(path)
    elif _exchange(new, path):
        shutil.rmtree(new, ignore_errors=True)
    else:
        old = _old(path)
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
        new.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    _sync(path.parent)


def _old(path: Path) -> Path:
    """Where the folder is for as long as two renames take; whoever writes there next brings it back."""
    return path.with_name(f"{UNFINISHED}old-{path.name}")


def check_switched(folder: Path):
    """Refuse a folder whose files were being replaced one by one when the program ended.

    Raises:
        ValueError: it is one.
    """
    if (Path(folder) / SWITCHING).exists():
        raise ValueError(
            f"{folder}: its files were being replaced when the program ended, so they may not belong together; "
            "write it again"
        )


@contextmanager
def _folder(path) -> Iterator[tuple[Path, Path]]:
    """A new folder of our own that will be `path`, gone afterwards, and `path` without links."""
    path = _real(Path(path).absolute())
    if path.exists() and not path.is_dir():
        raise ValueError(f"cannot write the folder {path}: there is a file of that name; give another one")
    inside = path.is_dir() and not _can_be_renamed(path)
    partial = path / f"{UNFINISHED}{os.getpid()}" if inside else _unfinished(path)
    made = None
    try:
        if _old(path).is_dir() and not path.exists():
            _old(path).rename(path)
        if partial.parent.is_dir():
            if delete_left(path, partial.parent):
                raise ValueError(taken(path))
        else:
            parents = [*reversed(partial.parent.parents), partial.parent]
            made = next((parent for parent in parents if not parent.exists()), None)
        partial.mkdir(parents=True)
    except OSError as error:
        raise ValueError(f"cannot write the folder {path}: {_reason(error)}; write elsewhere") from error
    with locked(partial):
        try:
            yield partial, path
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            if made is not None:
                _delete_empty(partial.parent, made)


def _unfinished(path: Path, what: str = "") -> Path:
    return path.with_name(f"{UNFINISHED}{os.getpid()}{what}-{path.name}")


def _real(path: Path) -> Path:
    """What a link leads to, so that the link stays."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _can_be_renamed(path: Path) -> bool:
    """Whether a folder is no mount point, and the one that it lies in can be written."""
    return (
        not os.path.ismount(path)
        and path.stat().st_dev == path.parent.stat().st_dev
        and os.access(path.parent, os.W_OK)
    )


def _like(new: Path, old: Path):
    """Gives a file the mode and the owner of the one that it replaces."""
    with suppress(FileNotFoundError):
        there = old.stat()
        new.chmod(stat.S_IMODE(there.st_mode))
        with suppress(OSError, AttributeError):
            os.chown(new, there.st_uid, there.st_gid)


def _take_place(partial: Path, path: Path):
    try:
        partial.replace(path)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EBUSY):
            raise
        shutil.copyfile(partial, path)  # a single file that is a mount point cannot be replaced, only filled


def _carry_over(old: Path, new: Path, stale: tuple[str, ...]):
    """What lies in `old` alone goes to `new` too, as links to the same files."""
    shutil.copymode(old, new)
    for where, folders, names in os.walk(old):
        here = new / Path(where).relative_to(old)
        for name in folders:
            if not (Path(where) / name).is_symlink():
                (here / name).mkdir(exist_ok=True)
                shutil.copymode(Path(where) / name, here / name)
        for name in [*names, *(name for name in folders if (Path(where) / name).is_symlink())]:
            file = Path(where) / name
            if (here / name).exists():
                _like(here / name, file)
            elif not _is_stale(file.relative_to(old), stale) and not name.startswith(UNFINISHED):
                _link(file, here / name)


def _link(file: Path, new: Path):
    try:
        os.link(file, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, new, follow_symlinks=False)


def _move_into(partial: Path, path: Path, stale: tuple[str, ...]):
    """Replaces the files of a mount point, marked meanwhile."""
    mark = path / SWITCHING
    mark.touch()
    _sync(path)
    for file in [file for pattern in stale for file in path.rglob(pattern) if partial not in file.parents]:
        file.unlink()
    for file in [file for file in partial.rglob("*") if file.is_file()]:
        target = path / file.relative_to(partial)
        target.parent.mkdir(parents=True, exist_ok=True)
        _like(file, target)
        file.replace(target)
    mark.unlink()
    _sync(path)


def _is_stale(path: Path, stale: tuple[str, ...]) -> bool:
    return any(path.match(pattern) for pattern in stale)


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two names at one stroke; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code))


def _delete_empty(folder: Path, upto: Path):
    """Deletes folders that were made for nothing."""
    with suppress(OSError):
        while folder == upto or upto in folder.parents:
            folder.rmdir()
            folder = folder.parent


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _sync(folder: Path):
    """Brings a folder's entries to the disk."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
