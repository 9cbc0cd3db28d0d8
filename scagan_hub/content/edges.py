"""Edge maps: the Gaussian that they are found by, and as pictures that people look at."""

import math

import numpy as np
import torch
from PIL import Image

CLASSES = 8  # of a parsing map: background, hair, face, top, bottom, shoes, arms, legs


def blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian of image (B,H,W), cut off at 4 sigma, borders repeated: two products with banded matrices."""
    height, width = (_blur_matrix(length, sigma, image) for length in image.shape[-2:])
    with torch.autocast(image.device.type, enabled=False):  # greys in half precision would make lines of their own
        return height @ (image @ width.T)


def _blur_matrix(length: int, sigma: float, like: torch.Tensor) -> torch.Tensor:
    offset = torch.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1, device=like.device)
    weight = torch.exp(offset.to(like.dtype).square() / (-2 * sigma**2))
    column = (torch.arange(length, device=like.device)[:, None] + offset).clamp(0, length - 1)
    weight = (weight / weight.sum()).expand(length, -1).contiguous()
    return like.new_zeros(length, length).scatter_add_(1, column, weight)


def one_plane(edge: torch.Tensor) -> torch.Tensor:
    """Edges (B,1,H,W) as they are; of (B,8,H,W) parsing maps the likeliest class, -1 (background) to 1: (B,1,H,W)."""
    if edge.shape[1] == 1:
        return edge
    return (edge.argmax(1, keepdim=True) * (2 / (CLASSES - 1)) - 1).to(edge.dtype)


def edge_image(edge: torch.Tensor) -> list[Image.Image]:
    """Edge maps (B,1,H,W) in [-1, 1] -> list of B PIL "L" images, dark lines on light."""
    light = ((1 - edge.detach().float()) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return [Image.fromarray(picture[0]) for picture in light]


def edge_tensor(image: Image.Image) -> torch.Tensor:
    """PIL image of dark lines on light -> edge map (1,1,H,W) in [-1, 1], as `Content.edges` makes them."""
    light = torch.from_numpy(np.array(image.convert("L"), dtype=np.float32))
    return (1 - light / 127.5)[None, None]
