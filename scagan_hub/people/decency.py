"""How much of chest and hips a person's clothes leave bare, seen rather than assumed: a fault in the wardrobe shows."""

import numpy as np

from .body import rotation
from .mesh import CHEST, HIPS, halves, private_parts
from .person import Person
from .raster import OPAQUE, cover

ROWS = 128  # of the coarse renders, which are 20 dm high and wide


def bare_shares(person: Person) -> tuple[float, float]:
    """Shares of chest and hips, of what an unclothed body would show of them, that are bare from four sides at rest."""
    mesh, assets = person.mesh, person.skeleton.assets
    skin = halves(assets.arrays["faces"][assets.group("body")]).astype(np.int32)
    count, ones = len(skin), np.ones(len(person.body), np.float32)
    fields = (np.zeros((count, 3, 2), np.float32), np.zeros(count, np.int32), np.array([OPAQUE], np.int32))
    body = _visible(
        person.body, skin, private_parts(assets.vertices[skin].mean(1)), *fields, mesh.textures, ones, 0 * ones
    )
    alpha_mode = mesh.materials["alpha_mode"]
    clothed = _visible(
        mesh.vertices, mesh.triangles, mesh.bare, mesh.uv, mesh.material, alpha_mode, mesh.textures, mesh.cut, mesh.bias
    )
    return clothed[CHEST] / body[CHEST], clothed[HIPS] / body[HIPS]


def _visible(vertices, triangles, part, uv, material, alpha_mode, textures, cut, bias) -> np.ndarray:
    """(3,) pixels that show each part (T,), over four sides; the rest as in `cover`."""
    seen, scale = np.zeros(3), np.float32(ROWS / 20)
    for yaw in (0, 90, 180, 270):
        turned = vertices @ rotation([0, 1, 0], yaw).T.astype(np.float32)
        points = turned * np.float32([1, -1, -1]) * scale + np.float32([ROWS / 2, ROWS / 2, 0])
        fields = (uv, material, alpha_mode, textures, cut, bias * scale)
        winner = cover(points.astype(np.float32), triangles, *fields, ROWS, ROWS)[1]
        seen += np.bincount(part[winner[winner >= 0]], minlength=3)
    return seen
