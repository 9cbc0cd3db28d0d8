"""What a training does to the pictures of a pair so that it also knows photographs of people cut out: both pictures on
one plain ground, in place of what was behind the person."""

import numpy as np
import torch

GREY, GRADIENT = 0.35, 0.5  # shares of light greys, and of vertical gradients among the other grounds


def plain_ground(seed: int, height: int) -> np.ndarray:
    """A colour, or a vertical gradient between two, (3,height,1) float32 in [0, 255]: a function of the seed."""
    random = np.random.default_rng(seed)
    if random.random() < GREY:
        top = bottom = np.full(3, random.uniform(204, 255))
    else:
        top = bottom = random.uniform(0, 255, 3)
        if random.random() < GRADIENT:
            bottom = top + random.normal(0, 19, 3)
    down = np.linspace(0, 1, height)
    ground = top[:, None] * (1 - down) + bottom[:, None] * down
    return ground.clip(0, 255).astype(np.float32)[:, :, None]


def cut_out(image: torch.Tensor, classes: torch.Tensor, ground: np.ndarray) -> torch.Tensor:
    """The person of a picture on another ground.

    Args:
        image: (3,H,W) uint8.
        classes: (H,W) its parsing map, 0 where there is no person; the silhouette is softened by a mean of 3 x 3.
        ground: (3,H,1) in [0, 255].
    Returns:
        (3,H,W) uint8.
    """
    person = np.pad((classes.numpy() > 0).astype(np.float32), 1, "edge")
    person = person[:-2] + person[1:-1] + person[2:]
    person = (person[:, :-2] + person[:, 1:-1] + person[:, 2:]) / 9
    mixed = ground + person * (image.numpy() - ground)
    return torch.from_numpy(np.rint(mixed).astype(np.uint8))
