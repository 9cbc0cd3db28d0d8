"""Which triangle each sample of the picture shows: a deferred rasteriser, compiled by numba.

Alpha is decided before the depth test, by a hashed threshold (Wyman and McGuire, Hashed Alpha Testing, I3D 2017), so
that hair needs no sorting and gets soft edges from supersampling.
"""

import numpy as np
from numba import njit

OPAQUE, CUTOUT, HASHED = 0, 1, 2  # how a material's alpha is read


@njit(cache=True)
def sample_texture(texture, u, v):
    """Bilinear sample of (H,W,4) uint8 at u, v (repeating, v up): r, g, b, a in [0, 1]."""
    height, width = texture.shape[:2]
    x, y = (u - np.floor(u)) * width - 0.5, (1 - v + np.floor(v)) * height - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - left, y - top
    x0, x1 = left % width, (left + 1) % width
    y0, y1 = top % height, (top + 1) % height
    a, b, c, d = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    p, q, r, s = texture[y0, x0], texture[y0, x1], texture[y1, x0], texture[y1, x1]
    scale = np.float32(1 / 255)
    return (
        (p[0] * a + q[0] * b + r[0] * c + s[0] * d) * scale,
        (p[1] * a + q[1] * b + r[1] * c + s[1] * d) * scale,
        (p[2] * a + q[2] * b + r[2] * c + s[2] * d) * scale,
        (p[3] * a + q[3] * b + r[3] * c + s[3] * d) * scale,
    )


@njit(cache=True)
def _hash(x, y, z):
    value = np.sin(x * 12.9898 + y * 78.233 + z * 37.719) * 43758.5453
    return value - np.floor(value)


@njit(cache=True)
def _bounds(points, triangle, height, width):
    """The triangle's samples: first and last column and row, and the inverse of its doubled area (0: nothing)."""
    ax, ay = points[triangle[0], 0], points[triangle[0], 1]
    bx, by = points[triangle[1], 0], points[triangle[1], 1]
    cx, cy = points[triangle[2], 0], points[triangle[2], 1]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    left = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
    right = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
    top = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
    bottom = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
    return left, right, top, bottom, 1 / area if abs(area) > 1e-9 else 0.0


@njit(cache=True)
def cover(points, triangles, uv, material, alpha_mode, textures, cut, bias, height, width):
    """Depth-tested triangles.

    Args:
        points: (N,3) x, y in samples and depth; triangles (T,3); uv (T,3,2); material (T,).
        alpha_mode: (M,) of OPAQUE, CUTOUT, HASHED; textures (M,S,S,4) uint8.
        cut: (N,) cloth ends where this field, interpolated, falls to 0.
        bias: (N,) added to the depth: inner layers of cloth lose against outer ones a little behind them.
    Returns:
        depth (height,width), inf where empty; winner (height,width) triangle or -1; weights (height,width,2) of the
        triangle's second and third corner.
    """
    depth = np.full((height, width), np.inf, np.float32)
    winner = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        left, right, top, bottom, inverse = _bounds(points, triangles[t], height, width)
        if inverse == 0:
            continue
        ax, ay = points[i, 0], points[i, 1]
        e1x, e1y, e2x, e2y = points[j, 0] - ax, points[j, 1] - ay, points[k, 0] - ax, points[k, 1] - ay
        mode = alpha_mode[material[t]]
        za, zb, zc = points[i, 2] + bias[i], points[j, 2] + bias[j], points[k, 2] + bias[k]
        partly_cut = min(cut[i], cut[j], cut[k]) <= 0
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                dx, dy = x + 0.5 - ax, y + 0.5 - ay
                b, c = (dx * e2y - dy * e2x) * inverse, (dy * e1x - dx * e1y) * inverse
                a = 1 - b - c
                if b < 0 or c < 0 or a < 0:
                    continue
                z = za * a + zb * b + zc * c
                if z >= depth[y, x]:
                    continue
                if partly_cut and cut[i] * a + cut[j] * b + cut[k] * c <= 0:
                    continue
                if mode != OPAQUE:
                    u = uv[t, 0, 0] * a + uv[t, 1, 0] * b + uv[t, 2, 0] * c
                    v = uv[t, 0, 1] * a + uv[t, 1, 1] * b + uv[t, 2, 1] * c
                    threshold = 0.5 if mode == CUTOUT else 0.25 + 0.5 * _hash(x, y, material[t])
                    if sample_texture(textures[material[t]], u, v)[3] <= threshold:
                        continue
                depth[y, x], winner[y, x] = z, t
                weights[y, x, 0], weights[y, x, 1] = b, c
    return depth, winner, weights


@njit(cache=True)
def pixels(depth, winner, samples):
    """(h,w) depth of the nearest sample of each pixel, and (h,w) share of its samples that show a triangle."""
    height, width = depth.shape[0] // samples, depth.shape[1] // samples
    nearest = np.full((height, width), np.inf, np.float32)
    covered = np.zeros((height, width), np.float32)
    for y in range(height * samples):
        for x in range(width * samples):
            i, j = y // samples, x // samples
            nearest[i, j] = min(nearest[i, j], depth[y, x])
            covered[i, j] += (winner[y, x] >= 0) / samples**2
    return nearest, covered


@njit(cache=True)
def depth_map(points, triangles, size):
    """(size,size) float32 depth of the nearest triangle, inf where empty; points as in `cover`."""
    depth = np.full((size, size), np.inf, np.float32)
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        left, right, top, bottom, inverse = _bounds(points, triangles[t], size, size)
        if inverse == 0:
            continue
        ax, ay = points[i, 0], points[i, 1]
        e1x, e1y, e2x, e2y = points[j, 0] - ax, points[j, 1] - ay, points[k, 0] - ax, points[k, 1] - ay
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                dx, dy = x + 0.5 - ax, y + 0.5 - ay
                b, c = (dx * e2y - dy * e2x) * inverse, (dy * e1x - dx * e1y) * inverse
                if b < 0 or c < 0 or b + c > 1:
                    continue
                z = points[i, 2] * (1 - b - c) + points[j, 2] * b + points[k, 2] * c
                if z < depth[y, x]:
                    depth[y, x] = z
    return depth


def box_blur(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over (2 radius + 1)^2 pixels of (H,W), edges repeated."""
    for axis in (0, 1):
        margin = [(0, 0), (0, 0)]
        margin[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(image, margin, "edge"), axis, dtype=np.float64)
        width, size = 2 * radius + 1, image.shape[axis]
        image = (np.take(total, range(width, width + size), axis) - np.take(total, range(size), axis)) / width
    return image
