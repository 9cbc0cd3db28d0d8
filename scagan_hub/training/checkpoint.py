"""Checkpoints that are whole or not there.

A checkpoint is a folder `step-00001000`: a file a part (`is.generator.pt`, ...), `record.json`, and, written last,
`manifest.json` with the size and checksum of every other file. It is filled under the name `unfinished-...`, brought to
the disk, and then renamed; so a crash leaves either no `step-...` or a whole one, and what a disk loses or
changes later is noticed. One process writes; all read, so the folder must be the same for all machines.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError

from ..files.writing import switch

MANIFEST, RECORD = "manifest.json", "record.json"
WRITING_ERRORS = (OSError, RuntimeError, SafetensorError)  # torch's and safetensors' ways of saying "disk full"


def write(folder: Path, parts: dict, record: dict, keep: int) -> Path:
    """Writes the checkpoint of `record["step"]` into `folder` and drops all but the last `keep`.

    Args:
        parts: by name, what has a `state_dict`.
        record: what else a run must know to go on; JSON.
    Raises:
        ValueError: when it cannot be written; earlier checkpoints are as they were.
    """
    final, unfinished = (folder / f"{prefix}-{record['step']:08d}" for prefix in ("step", "unfinished"))
    try:
        for left in folder.glob("unfinished-*"):
            shutil.rmtree(left)
        unfinished.mkdir(parents=True)
        for name, part in parts.items():
            _write(unfinished / f"{name}.pt", lambda file, part=part: torch.save(part.state_dict(), file))
        _write_json(unfinished / RECORD, record)
        _write_json(unfinished / MANIFEST, {file.name: _describe(file) for file in sorted(unfinished.iterdir())})
        unfinished.rename(final)
        _sync(folder)
    except WRITING_ERRORS as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ValueError(f"cannot write the checkpoint {final}: {reason}; earlier ones are untouched") from error
    for old in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(old)
    return final


def earlier(folder: Path) -> list[Path]:
    """The checkpoints of a folder, damaged ones too."""
    return [*folder.glob("step-*"), *folder.glob("damaged-*")]


def newest(folder: Path, say=print) -> Path | None:
    """The newest whole checkpoint of a folder; damaged ones after it are renamed to `damaged-...` and `say` is told.

    Raises:
        ValueError: when there are checkpoints but none is whole, and then none is renamed; or when a file cannot be
            read, which need not be damage.
    """
    damaged = {}
    for checkpoint in sorted(folder.glob("step-*"), reverse=True):
        damage = find_damage(checkpoint)
        if damage is None:
            for later, reason in damaged.items():
                say(f"the checkpoint {later.name} is damaged ({reason}) and was renamed to {_set_aside(later).name}")
            return checkpoint
        damaged[checkpoint] = damage
    if there := earlier(folder):
        why = "".join(f"; {checkpoint.name}: {damage}" for checkpoint, damage in damaged.items())
        raise ValueError(
            f"{folder}: none of its {len(there)} checkpoints is whole{why}; start anew in another --output"
        )
    return None


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint's files, or None.

    Raises:
        ValueError: when a file is there and cannot be read.
    """
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text())
        for name, expected in manifest.items():
            got = _describe(checkpoint / name)
            for what in ("bytes", "sha256"):
                if got[what] != expected[what]:
                    return f"{name}: expected {expected[what]} {what}, got {got[what]}"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name}: {error.strerror}"
    except OSError as error:
        file = error.filename or checkpoint
        raise ValueError(f"cannot read {file}: {error.strerror}; nothing was changed, try again") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read: {error}"
    return None


def _set_aside(checkpoint: Path) -> Path:
    aside = checkpoint.with_name(checkpoint.name.replace("step", "damaged"))
    shutil.rmtree(aside, ignore_errors=True)
    return checkpoint.rename(aside)


def read_record(checkpoint: Path) -> dict:
    return json.loads((checkpoint / RECORD).read_text())


def restore(checkpoint: Path, parts: dict) -> None:
    """Gives every part its state back.

    Raises:
        ValueError: when the checkpoint has other parts.
    """
    there = {file.stem for file in checkpoint.glob("*.pt")}
    if there != parts.keys():
        raise ValueError(f"{checkpoint}: expected the parts {sorted(parts)}, got {sorted(there)}")
    for name, part in parts.items():
        part.load_state_dict(torch.load(checkpoint / f"{name}.pt", map_location="cpu", weights_only=True))


def replace_folder(new: Path, path: Path) -> None:
    """Renames `new` to `path`, at one stroke where the system can do that; an earlier `path` is deleted."""
    switch(new, path)


def _write(path: Path, fill) -> None:
    with path.open("wb") as file:
        fill(file)
        file.flush()
        os.fsync(file.fileno())


def _write_json(path: Path, content: dict) -> None:
    _write(path, lambda file: file.write(json.dumps(content, indent=1).encode()))


def _describe(file: Path) -> dict:
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def _sync(folder: Path) -> None:
    """Brings a folder's entries, renames among them, to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
