"""Weights that a metric stands on: a local file, else the usual download's place, always checked by its SHA-256."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


class NotAvailable(Exception):
    """A metric cannot be measured here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Args:
        file: its usual name.
        url: where it is downloaded from.
        sha256: its hash, or as much of it as its publisher gives.
        megabytes: what a download costs.
    """

    file: str
    url: str
    sha256: str
    megabytes: int


WEIGHTS = {
    "Inception-2015": Weights(
        "pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        91,
    ),
    "AlexNet": Weights(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be79",
        233,
    ),
    "VGG16": Weights(
        "vgg16-397923af.pth",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af",
        528,
    ),
}


def locate(name: str, folder: str | Path | None = None, download: bool = False) -> tuple[Path, str]:
    """The file of a net's weights and its SHA-256.

    Args:
        name: one of `WEIGHTS`.
        folder: where to look first; then in torch.hub's cache, where other packages leave the same files.
        download: fetch the file into torch.hub's cache where it is in neither.
    Raises:
        NotAvailable: it is nowhere, or could not be downloaded.
        ValueError: the file is there, but it is another one, or damaged.
    """
    import torch

    weights, cache = WEIGHTS[name], Path(torch.hub.get_dir()) / "checkpoints"
    for place in [Path(folder), cache] if folder else [cache]:
        if (place / weights.file).is_file():
            return place / weights.file, _checked(place / weights.file, weights)
    where = folder or str(cache).replace(str(Path.home()), "~", 1)
    if not download:
        raise NotAvailable(
            f"needs the weights of {name}: put {weights.file} ({weights.megabytes} MB, from {weights.url}) "
            f"into {where}, or run again with --download"
        )
    cache.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(weights.url, str(cache / weights.file), weights.sha256, progress=False)
    except (OSError, RuntimeError) as error:  # RuntimeError: another hash
        raise NotAvailable(
            f"needs the weights of {name}, which could not be downloaded from {weights.url} "
            f"({' '.join(str(error).split())}): get the file elsewhere and give its folder with --weights"
        ) from error
    return cache / weights.file, _checked(cache / weights.file, weights)


def _checked(path: Path, weights: Weights) -> str:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(weights.sha256):
        raise ValueError(
            f"{path}: damaged, or another file: expected a SHA-256 that begins with {weights.sha256[:8]}, got "
            f"{found[:8]}; delete it and get it anew from {weights.url}"
        )
    return found


def read_state(path: Path) -> dict:
    """The tensors in a .pth file, by name.

    Raises:
        ValueError: it holds anything but tensors.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises nearly anything on a damaged file
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise ValueError(f"{path}: cannot be read as weights ({reason}); get it anew") from error
