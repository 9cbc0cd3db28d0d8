"""The metrics of an evaluation, in the two forms that it knows: values of pairs, and sums over sets of pictures."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch

from ..features.weights import NotAvailable, locate
from .distributions import Moments, SplitEntropies, distance
from .keypoints import MISSING, pckh_counts
from .metrics import full_reference
from .protocols import PERSON, Protocol
from .regions import HeadFigures, RegionTruth, Sharpness
from .sources import Batch, Source

REMEMBERED = 8  # references whose features LPIPS keeps, 22 MB each of VGG16's in 256 x 176
EXTRAS = ("PCKh-BlazePose", "FD-VGG16", "heads", "sharpness", "regions")
LPIPS = {"LPIPS": "AlexNet", "LPIPS-VGG16": "VGG16"}  # names of the figures, and their nets

Values = dict[str, tuple[np.ndarray, np.ndarray | None]]  # by metric: (n,) and its weights, None: all alike


class FullReference:
    """SSIM, PSNR and L1 of each pair; of the person alone too where batches have masks."""

    def __init__(self, protocol: Protocol, device: str):
        self.protocol, self.device = protocol, device

    def values(self, batch: Batch) -> Values:
        masks = {"": None} if batch.mask is None else {"": None, PERSON: batch.mask}
        found = full_reference(batch.generated, batch.reference, self.protocol.name, list(masks.values()), self.device)
        return {name + of: (found[name][i], None) for i, of in enumerate(masks) for name in found}


class LpipsDistance:
    """LPIPS of each pair. References that come again soon, as a person's pictures do, are looked at once.

    Args:
        name: of the figure.
        net: "AlexNet" or "VGG16".
        find: gives the file of a net's weights.
        size: of the pictures as they come, rows and columns.
    """

    def __init__(self, name: str, net: str, find, size: tuple[int, int], protocol: Protocol, device: str):
        from ..features.lpips import NETS
        from .lpips import Lpips

        least = NETS[net][0].smallest
        if min(size[0], size[1] + 2 * protocol.padding) < least:
            raise NotAvailable(f"needs pictures of at least {least} x {least} pixels")
        self.name, self.protocol, self.device = name, protocol, device
        self.lpips = Lpips(net, find(net)).to(device)
        self._in_reference = lru_cache(REMEMBERED)(self._seen)

    def _seen(self, pixels: bytes, shape: tuple[int, int, int]) -> list[torch.Tensor]:
        picture = np.frombuffer(pixels, np.uint8).reshape(1, *shape).copy()
        return self.lpips.features(torch.from_numpy(self.protocol.apply(picture)).to(self.device))

    def values(self, batch: Batch) -> Values:
        return {self.name: (self(batch.generated, batch.reference), None)}

    @torch.inference_mode()
    def __call__(self, generated: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """uint8 (n,H,W,3) twice -> (n,)."""
        found = [
            self.lpips.distance(self._seen(a.tobytes(), a.shape), self._in_reference(b.tobytes(), b.shape))
            for a, b in zip(generated, reference, strict=True)
        ]
        return torch.cat(found).double().cpu().numpy()


class DetectedPose:
    """PCKh of each pair, joints found by our detector (BlazePose) in both pictures.

    The PATN family finds them with a network of OpenPose's kind; the figures are not comparable, hence the name.
    """

    name = "PCKh-BlazePose"

    def __init__(self):
        self._in_reference = lru_cache(256)(lambda pixels, shape: _detected(np.frombuffer(pixels, np.uint8), shape))

    def values(self, batch: Batch) -> Values:
        predicted = np.stack([_detected(picture, picture.shape) for picture in batch.generated])
        target = np.stack([self._in_reference(picture.tobytes(), picture.shape) for picture in batch.reference])
        hits, joints = pckh_counts(predicted, target)
        share = np.divide(hits, joints, out=np.full(len(hits), np.nan), where=joints > 0)
        return {self.name: (share, joints.astype(float))}


def _detected(pixels: np.ndarray, shape) -> np.ndarray:
    """(18,2) y, x of the person in a picture, -1 where nothing was found."""
    from PIL import Image

    from ..poses.pose import Pose

    try:
        pose = Pose.detect(Image.fromarray(pixels.reshape(shape)))
    except ValueError:  # nobody in the picture
        return np.full((18, 2), MISSING, float)
    return np.where(pose.present[:, None], pose.points[:, ::-1], MISSING)


class InceptionSets:
    """IS of the generated pictures, FID between both sets."""

    def __init__(self, path, protocol: Protocol, device: str, total: int):
        from .inception import CLASSES, FEATURES, Inception2015

        self.protocol, self.device = protocol, device
        self.net = Inception2015.load(path).to(device)
        self.sums = {"generated": Moments(FEATURES), "reference": Moments(FEATURES)}
        if total >= protocol.splits:
            self.sums["entropies"] = SplitEntropies(total, protocol.splits, CLASSES)

    @torch.inference_mode()
    def update(self, batch: Batch) -> None:
        generated, reference = _tensors(batch, self.protocol, self.device)
        self.sums["generated"].update(self.net.features(generated).cpu())
        self.sums["reference"].update(self.net.features(reference).cpu())
        if "entropies" in self.sums:
            self.sums["entropies"].update(self.net.probabilities(generated).cpu(), batch.positions)

    def figures(self) -> dict[str, dict]:
        found = {"FID": _distance(self.sums["generated"], self.sums["reference"])}
        if "entropies" not in self.sums:
            few = f"needs at least {self.protocol.splits} pictures, as many as it has splits"
            return found | {"IS": {"not_available": few}}
        mean, deviation = self.sums["entropies"].score()
        return found | {"IS": {"value": mean, "deviation": deviation}}


class TrunkSets:
    """FD-VGG16: the Fréchet distance of VGG16's last features, averaged over the picture; no FID."""

    def __init__(self, path, protocol: Protocol, device: str):
        from ..features.vgg import vgg16

        self.protocol, self.device = protocol, device
        self.net = vgg16(path).to(device, memory_format=torch.channels_last)
        self.sums = {"generated": Moments(512), "reference": Moments(512)}

    @torch.inference_mode()
    def update(self, batch: Batch) -> None:
        for name, pictures in zip(self.sums, _tensors(batch, self.protocol, self.device), strict=True):
            scaled = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
            self.sums[name].update(self.net(scaled, ("relu5_3",))["relu5_3"].mean((2, 3)).cpu())

    def figures(self) -> dict[str, dict]:
        return {"FD-VGG16": _distance(self.sums["generated"], self.sums["reference"])}


def _distance(generated: Moments, reference: Moments) -> dict:
    try:
        return {"value": distance(generated, reference)}
    except ValueError as error:  # a single pair
        return {"not_available": str(error)}


def _tensors(batch: Batch, protocol: Protocol, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sides of a batch as the protocol pads them, uint8 (n,H,W,3) on the device."""
    return tuple(torch.from_numpy(protocol.apply(x)).to(device) for x in (batch.generated, batch.reference))


class Measures:
    """All that one evaluation measures.

    Args:
        source: what will be evaluated.
        protocol: by which all is prepared.
        device: where the nets run.
        extras: of `EXTRAS`.
        weights: folder of weights; see `weights.locate`.
        download: which missing weights are fetched; see there too.
        without: of `LPIPS`, what is left out.

    Attributes:
        per_pair: metrics with `values(batch)`.
        sets: metrics with `update(batch)` and `figures()`, kept in `sums` that can be merged.
        missing: why a metric cannot be measured here, by name.
        hashes: SHA-256 of the weights in use, by name.

    Raises:
        ValueError: an unknown metric, or weights that are damaged.
    """

    def __init__(
        self, source: Source, protocol: Protocol, device: str, extras=(), weights=None, download=None, without=()
    ):
        for given, known, what in ((extras, EXTRAS, "extra metric"), (without, LPIPS, "metric to leave out")):
            if unknown := set(given) - set(known):
                raise ValueError(f"unknown {what} {sorted(unknown)[0]!r}; expected some of {', '.join(known)}")
        self.per_pair, self.sets, self.missing, self.hashes = [FullReference(protocol, device)], [], {}, {}

        def net(name: str):
            path, self.hashes[name] = locate(name, weights, download)
            return path

        self._try(
            self.sets, ("IS", "FID"), lambda: InceptionSets(net("Inception-2015"), protocol, device, len(source.pairs))
        )
        self.missing |= dict.fromkeys(without, "was left out")
        for name in (name for name in LPIPS if name not in without):
            make = partial(LpipsDistance, name, LPIPS[name], net, source.size, protocol, device)
            self._try(self.per_pair, (name,), make)
        lpips = next((metric for metric in self.per_pair if getattr(metric, "name", None) == "LPIPS"), None)
        extra = {
            "PCKh-BlazePose": (self.per_pair, DetectedPose),
            "FD-VGG16": (self.sets, lambda: TrunkSets(net("VGG16"), protocol, device)),
            "heads": (self.per_pair, lambda: HeadFigures(source, device, lpips)),
            "sharpness": (self.per_pair, lambda: Sharpness(source)),
            "regions": (self.per_pair, lambda: RegionTruth(source, protocol, device, lpips)),
        }
        for name in dict.fromkeys(extras):
            self._try(extra[name][0], (name,), extra[name][1])

    def _try(self, metrics: list, names: tuple[str, ...], make) -> None:
        try:
            metrics.append(make())
        except NotAvailable as error:
            self.missing |= dict.fromkeys(names, str(error))
