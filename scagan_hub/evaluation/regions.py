"""Where a picture loses: figures with the truth put into one region at a time; of the head alone; of sharpness.

The better a figure becomes by putting the truth into a region, the more that region costs.
"""

from __future__ import annotations

import numpy as np
import torch

from ..content.alignment import head_window, sample
from ..data.places import SHOWN, UNKNOWN
from ..features.weights import NotAvailable
from .metrics import full_reference
from .protocols import Protocol

REGIONS = ("shown", "hidden", "head", "outside")
HAIR, FACE = 1, 2  # classes of a parsing map
HEAD_SIDE = 64  # pixels that a head's box is brought to


def regions_of(state: np.ndarray, parsing: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of a target picture, (H,W) bool each, by the names of `REGIONS`.

    Args:
        state: (H,W) of `PosePairs`: what the source shows, known at every second row and column.
        parsing: (H,W) the target's classes.
    """
    person = parsing > 0
    shown = np.repeat(np.repeat(state[::2, ::2] == SHOWN, 2, 0), 2, 1)[: person.shape[0], : person.shape[1]]
    shown = np.where(state != UNKNOWN, state == SHOWN, shown) & person
    head = np.isin(parsing, (HAIR, FACE))
    return {"shown": shown, "hidden": person & ~shown, "head": head, "outside": ~person}


class RegionTruth:
    """SSIM, L1 and, where there is one, LPIPS of each pair with the truth in one region: "SSIM (truth in head)".

    Args:
        source: of the pictures.
        protocol: by which they are compared.
        device: where figures are computed.
        lpips: pictures uint8 (n,H,W,3) twice -> (n,), or None.
    Raises:
        NotAvailable: the pictures come without regions.
    """

    def __init__(self, source, protocol: Protocol, device: str, lpips=None):
        if not source.in_regions:
            raise NotAvailable("needs a data set with correspondences: scagan people --correspondences")
        self.protocol, self.device, self.lpips = protocol, device, lpips

    def values(self, batch) -> dict:
        found = {}
        for name, mask in batch.regions.items():
            mended = np.where(mask[..., None], batch.reference, batch.generated)
            own = full_reference(mended, batch.reference, self.protocol.name, [None], self.device, ("SSIM", "L1"))
            figures = {metric: values[0] for metric, values in own.items()}
            if self.lpips is not None:
                figures["LPIPS"] = self.lpips(mended, batch.reference)
            found |= {f"{metric} (truth in {name})": (values, None) for metric, values in figures.items()}
        return found


class HeadFigures:
    """LPIPS and SSIM of the head's box alone, brought to 64 x 64: "LPIPS (head)"; NaN where the target has no head.

    Raises:
        NotAvailable: the pictures come without poses.
    """

    def __init__(self, source, device: str, lpips=None):
        if not source.posed:
            raise NotAvailable("needs a data set, whose poses say where heads are")
        self.device, self.lpips = device, lpips

    def values(self, batch) -> dict:
        generated, there = head_windows(batch.generated, batch.poses)
        reference, _ = head_windows(batch.reference, batch.poses)
        figures = {"SSIM": full_reference(generated, reference, "unpadded", [None], self.device, ("SSIM",))["SSIM"][0]}
        if self.lpips is not None:
            figures["LPIPS"] = self.lpips(generated, reference)
        return {f"{metric} (head)": (np.where(there, values, np.nan), None) for metric, values in figures.items()}


def head_windows(pictures: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The heads of uint8 pictures (n,H,W,3) with poses (n,18,3): uint8 (n,64,64,3), and whether there is one (n,)."""
    poses = torch.from_numpy(np.asarray(poses, np.float32))
    position, there = head_window(poses, pictures.shape[1], 1, HEAD_SIDE)
    image = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    windows = sample(image, position)
    return windows.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy(), there.numpy()


class Sharpness:
    """Mean |Laplacian| of the person's grey values, generated over reference: 1 as sharp as the truth, less is soft.

    Raises:
        NotAvailable: the pictures come without masks.
    """

    name = "sharpness (person)"

    def __init__(self, source):
        if not source.masked:
            raise NotAvailable("needs parsing maps, which say where the person is")

    def values(self, batch) -> dict:
        generated, reference = (_grain(x, batch.mask) for x in (batch.generated, batch.reference))
        share = np.divide(generated, reference, out=np.full(len(batch), np.nan), where=reference > 0)
        return {self.name: (share, None)}


def _grain(pictures: np.ndarray, mask: np.ndarray) -> np.ndarray:
    grey = pictures.astype(np.float32).mean(3)
    inner = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return (np.abs(4 * inner - around) * mask[:, 1:-1, 1:-1]).sum((1, 2))
