"""What the pipeline's steps hand on, and the forms that callers get pictures in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils import BaseOutput
from PIL import Image

from .content import edge_image
from .photos.cutout import Scene
from .poses.pose import Pose

OUTPUT_TYPES = ("pil", "np", "pt")


@dataclass
class ScaGanOutput(BaseOutput):
    """What `ScaGan` returns.

    Args:
        images: the generated pictures: list of PIL, or (N,H,W,3) array or (N,3,H,W) tensor in [0, 1].
        edges: the predicted edges, dark lines on light: PIL "L", or (N,H,W,1) array or (N,1,H,W) tensor. Without a
            PCT-Net the edge prior, merged; with semantic content the predicted classes, 0 white to 7 black.
        target_poses: the poses that the pictures were made for, in the pixels of what the nets make.
    """

    images: list[Image.Image] | np.ndarray | torch.Tensor
    edges: list[Image.Image] | np.ndarray | torch.Tensor
    target_poses: list[Pose]


@dataclass
class EncodedSource:
    """All that is needed of S source pictures, whatever the target poses.

    Args:
        image: (S,3,H,W) in [-1, 1], float32, cropped round the person and letterboxed; a photo's person cut out.
        edge: (S,E,H,W) in [-1, 1], float32: light lines on dark, or of 8 classes.
        poses: S poses in the pixels of `image`.
        style: what phase 2 needs of the source: see `ISNet.style_modulations`, `MendNet.encode`.
        scenes: S photos and where in them the person stands.
        person: (S,3,H,W), `image` carried on beyond its person, of a model that learns places.
    """

    image: torch.Tensor
    edge: torch.Tensor
    poses: list[Pose]
    style: Any
    scenes: list[Scene]
    person: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.poses)


@dataclass
class Rendered:
    """What the nets make, N pictures.

    Args:
        image: (N,3,H,W), about [-1, 1].
        edge: (N,1,H,W) in [-1, 1], light lines on dark; of semantic content, see `one_plane`.
        alpha: (N,1,H,W) in [0, 1], where the person is; None of a model that doesn't say.
        person: (N,3,H,W), about [-1, 1], their colours without the backdrop's; None likewise.
    """

    image: torch.Tensor
    edge: torch.Tensor
    alpha: torch.Tensor | None = None
    person: torch.Tensor | None = None

    def checked(self, dtype: torch.dtype) -> Rendered:
        """Itself.

        Raises:
            ValueError: it holds numbers that are not finite.
        """
        parts = [x for x in (self.image, self.edge, self.alpha) if x is not None]
        if not all(x.isfinite().all() for x in parts):
            name = str(dtype).removeprefix("torch.")
            cure = "float16 ends at 65504, this model's features don't: load it in bfloat16 or float32"
            cure = cure if dtype == torch.float16 else "check its weights, and the noise where some was given"
            raise ValueError(f"the model made numbers that are not finite, in {name}: {cure}")
        return self


def tensor(image: Image.Image) -> torch.Tensor:
    """PIL RGB -> (1,3,H,W) in [-1, 1]."""
    return (torch.from_numpy(np.array(image, dtype=np.float32)) / 127.5 - 1).permute(2, 0, 1)[None]


def pictures(images: torch.Tensor, output_type: str) -> list[Image.Image] | np.ndarray | torch.Tensor:
    """(N,C,H,W) in [-1, 1] -> one of `OUTPUT_TYPES`."""
    images = (images.float() / 2 + 0.5).clamp(0, 1)
    if output_type == "pt":
        return images
    arrays = images.permute(0, 2, 3, 1).cpu().numpy()
    if output_type == "np":
        return arrays
    return [Image.fromarray(np.rint(array * 255).astype(np.uint8)) for array in arrays]


def edge_pictures(edges: torch.Tensor, output_type: str) -> list[Image.Image] | np.ndarray | torch.Tensor:
    """(N,1,H,W) in [-1, 1], light lines on dark -> dark lines on light."""
    return edge_image(edges) if output_type == "pil" else pictures(-edges, output_type)
