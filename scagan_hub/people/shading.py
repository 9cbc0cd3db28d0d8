"""The colour of each sample: texture and pattern of the cloth, folds, skin and hair under a studio's lights."""

import numpy as np
from numba import njit

from .raster import sample_texture

PLAIN, STRIPES, PINSTRIPES, CHECK, DOTS, GRADIENT, HERRINGBONE = range(7)  # patterns
CLOTH, SKIN, HAIR, EYE = range(4)  # surfaces
MATERIAL = np.dtype(
    [
        ("surface", "i4"),
        ("alpha_mode", "i4"),
        ("pattern", "i4"),
        ("normal_map", "i4"),  # index into the normal maps, -1: none
        ("first", "f4", 3),  # the pattern's colours, sRGB
        ("second", "f4", 3),
        ("scale", "f4"),  # dm a repeat
        ("duty", "f4"),
        ("phase", "f4"),
        ("level", "f4"),  # dm above the pelvis of the middle of a GRADIENT
        ("specular", "f4"),
        ("gloss", "f4"),
        ("softness", "f4"),  # how deep folds are
    ],
    align=True,
)


@njit(cache=True)
def _grain(i, j, seed):
    """A number in [0, 1] that belongs to the whole numbers i, j."""
    h = i * 374761393 + j * 668265263 + seed * 974711
    h = (h ^ (h >> 13)) * 1274126177
    return ((h ^ (h >> 16)) & 0xFFFF) * (1 / 0xFFFF)


@njit(cache=True)
def _noise(x, y, seed):
    """Smooth value noise in [-1, 1]."""
    i, j = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - i, y - j
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    near = _grain(i, j, seed) * (1 - fx) + _grain(i + 1, j, seed) * fx
    far = _grain(i, j + 1, seed) * (1 - fx) + _grain(i + 1, j + 1, seed) * fx
    return 2 * (near * (1 - fy) + far * fy) - 1


@njit(cache=True)
def fold_height(s, t, across, along, seed):
    """Height (dm) of the folds at weave coordinates s (round the limb), t (along it), both dm.

    Args:
        across: depth of the folds round a bent limb or a bunched waist; along: of the folds that hang.
    """
    warp = 0.5 * _noise(s * 0.9, t * 0.9, seed)
    rings = 1 - abs(_noise(s * 0.55 + 3.1, t * 2.1 + warp, seed + 1))
    hanging = _noise(s * 1.7 + 0.6 * warp, t * 0.22, seed + 2)
    creases = 1 - abs(_noise(s * 1.1 + t * 0.8, t * 1.1 - s * 0.5 + warp, seed + 3))
    return across * (rings * rings + 0.5 * creases * creases) + along * (hanging + 0.3 * creases)


@njit(cache=True)
def _pattern(material, s, t):
    """How much of the second colour is at weave coordinates s, t."""
    kind, scale, duty = material["pattern"], material["scale"], material["duty"]
    a, b = s / scale + material["phase"], t / scale + material["phase"]
    fa, fb = a - np.floor(a), b - np.floor(b)
    if kind == STRIPES:
        return 1.0 if fb < duty else 0.0
    if kind == PINSTRIPES:
        return 1.0 if fa < 0.4 * duty else 0.0
    if kind == CHECK:
        return 0.5 * (fa < duty) + 0.5 * (fb < duty)
    if kind == DOTS:
        shifted = a + 0.5 * (np.floor(b) % 2)
        return 1.0 if np.hypot(shifted - np.floor(shifted) - 0.5, fb - 0.5) < 0.55 * duty else 0.0
    if kind == GRADIENT:
        return min(1.0, max(0.0, (t - material["level"]) / 3 + 0.5))
    if kind == HERRINGBONE:
        slant = b + (fa if np.floor(a) % 2 else 1 - fa)
        return 0.7 if slant * 2 - np.floor(slant * 2) < 0.5 else 0.0
    return 0.0


@njit(cache=True)
def _row(array, i):
    return float(array[i, 0]), float(array[i, 1]), float(array[i, 2])


@njit(cache=True)
def _blend(a, wa, b, wb, c, wc):
    return a[0] * wa + b[0] * wb + c[0] * wc, a[1] * wa + b[1] * wb + c[1] * wc, a[2] * wa + b[2] * wb + c[2] * wc


@njit(cache=True)
def _sum(a, b, scale):
    return a[0] + b[0] * scale, a[1] + b[1] * scale, a[2] + b[2] * scale


@njit(cache=True)
def _cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@njit(cache=True)
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True)
def _unit(a):
    scale = 1 / (np.sqrt(_dot(a, a)) + 1e-12)
    return a[0] * scale, a[1] * scale, a[2] * scale


@njit(cache=True)
def _slope(normal, edge1, edge2, rise1, rise2):
    """The normal of a surface whose height rises by rise1, rise2 along its two edges.

    Reference: Mikkelsen, Bump Mapping Unparametrized Surfaces on the GPU, JGT 2010.
    """
    r1, r2 = _cross(edge2, normal), _cross(normal, edge1)
    area = _dot(edge1, r1)
    if abs(area) < 1e-9:
        return normal
    return _unit(_blend(normal, 1.0, r1, -rise1 / area, r2, -rise2 / area))


@njit(cache=True)
def _light_seen(point, normal, frame, shadow, scale, radius):
    """Share of the key light that reaches a point: 16 taps of the shadow map, `radius` (dm) wide."""
    size = shadow.shape[0]
    moved = _sum(point, normal, 0.12)
    x, y = _dot(_row(frame, 0), moved) * scale + size / 2, _dot(_row(frame, 1), moved) * scale + size / 2
    z = -_dot(_row(frame, 2), moved) - 0.10 - 0.3 * radius
    step = radius * scale / 1.5
    seen = 0
    for i in range(4):
        for j in range(4):
            u, v = int(x + (i - 1.5) * step), int(y + (j - 1.5) * step)
            seen += u < 0 or v < 0 or u >= size or v >= size or z < shadow[v, u]
    return seen / 16


@njit(cache=True)
def shade(
    winner, weights, occlusion, samples, vertices, vertex_normals, triangles, uv, weave, material_of, materials,
    textures, normal_maps, folds, seed, lights, colours, frame, shadow, scale, eye,
):  # fmt: skip
    """Linear colour (h,w,3) of the pixels, each the mean of its samples; samples that show no triangle are black.

    Args:
        winner, weights: from `cover`; occlusion (h,w): ambient light that arrives at pixels of `samples` x `samples`.
        vertices, vertex_normals: (N,3) in the studio; triangles (T,3); uv, weave (T,3,2); folds (N,2) across, along.
        lights: (3,3) directions to the key, fill and rim light; colours (5,3): theirs, the sky's and the floor's.
        frame, shadow, scale: axes of the key light, its depth map, and the map's pixels a dm.
        eye: (3,) the camera.
    """
    height, width = winner.shape[0] // samples, winner.shape[1] // samples
    out = np.zeros((height, width, 3), np.float32)
    share = np.float32(1 / samples**2)
    camera, light = (eye[0], eye[1], eye[2]), (0.0, 0.0, 0.0)
    for y in range(height * samples):
        for x in range(width * samples):
            t = winner[y, x]
            if t < 0:
                continue
            material = materials[material_of[t]]
            if x % samples and winner[y, x - 1] == t and material["pattern"] == PLAIN:
                for n in range(3):  # as its neighbour on the triangle: only patterns are finer than that
                    out[y // samples, x // samples, n] += light[n] * share
                continue
            b, c = float(weights[y, x, 0]), float(weights[y, x, 1])
            a = 1 - b - c
            i, j, k = triangles[t]
            corner = _row(vertices, i)
            edge1, edge2 = _sum(_row(vertices, j), corner, -1.0), _sum(_row(vertices, k), corner, -1.0)
            point = _blend(corner, 1.0, edge1, b, edge2, c)
            normal = _unit(_blend(_row(vertex_normals, i), a, _row(vertex_normals, j), b, _row(vertex_normals, k), c))
            view = _unit(_sum(camera, point, -1.0))
            if _dot(normal, view) < 0:
                normal = (-normal[0], -normal[1], -normal[2])
            u = uv[t, 0, 0] * a + uv[t, 1, 0] * b + uv[t, 2, 0] * c
            v = uv[t, 0, 1] * a + uv[t, 1, 1] * b + uv[t, 2, 1] * c
            red, green, blue, dyed = sample_texture(textures[material_of[t]], u, v)
            albedo = (red, green, blue)
            if material["surface"] == CLOTH:
                s = weave[t, 0, 0] * a + weave[t, 1, 0] * b + weave[t, 2, 0] * c
                r = weave[t, 0, 1] * a + weave[t, 1, 1] * b + weave[t, 2, 1] * c
                across = (folds[i, 0] * a + folds[j, 0] * b + folds[k, 0] * c) * material["softness"]
                along = (folds[i, 1] * a + folds[j, 1] * b + folds[k, 1] * c) * material["softness"]
                if material["normal_map"] >= 0:
                    normal = _mapped(normal_maps[material["normal_map"]], u, v, uv[t], normal, edge1, edge2)
                normal = _folded(s, r, across, along, seed, weave[t], normal, edge1, edge2)
                mix = _pattern(material, s, r)
                first, second = material["first"], material["second"]
                dye = _blend(first, 1.5 * dyed * (1 - mix), second, 1.5 * dyed * mix, second, 0.0)
                albedo = (red * (dye[0] + 1 - dyed), green * (dye[1] + 1 - dyed), blue * (dye[2] + 1 - dyed))
            strand = _strand(uv[t], edge1, edge2)
            seen = _light_seen(point, normal, frame, shadow, scale, 0.12)
            open_share = occlusion[y // samples, x // samples]
            light = _lit(albedo, normal, view, strand, material, open_share, seen, lights, colours)
            for n in range(3):
                out[y // samples, x // samples, n] += light[n] * share
    return out


@njit(cache=True)
def _mapped(normal_map, u, v, uv, normal, edge1, edge2):
    """The normal under a normal map; a unit of uv is as long as makes the triangle's area come out."""
    nx, ny, nz, _ = sample_texture(normal_map, u, v)
    slope_u, slope_v = -(2 * nx - 1) / max(2 * nz - 1, 0.3), -(2 * ny - 1) / max(2 * nz - 1, 0.3)
    du1, dv1, du2, dv2 = uv[1, 0] - uv[0, 0], uv[1, 1] - uv[0, 1], uv[2, 0] - uv[0, 0], uv[2, 1] - uv[0, 1]
    around = _cross(edge1, edge2)
    unit = np.sqrt(np.sqrt(_dot(around, around)) / max(abs(du1 * dv2 - du2 * dv1), 1e-9))
    return _slope(normal, edge1, edge2, (du1 * slope_u + dv1 * slope_v) * unit, (du2 * slope_u + dv2 * slope_v) * unit)


@njit(cache=True)
def _folded(s, r, across, along, seed, weave, normal, edge1, edge2):
    """The normal under the folds."""
    here, step = fold_height(s, r, across, along, seed), 0.05
    ds = (fold_height(s + step, r, across, along, seed) - here) / step
    dr = (fold_height(s, r + step, across, along, seed) - here) / step
    rise1 = ds * (weave[1, 0] - weave[0, 0]) + dr * (weave[1, 1] - weave[0, 1])
    rise2 = ds * (weave[2, 0] - weave[0, 0]) + dr * (weave[2, 1] - weave[0, 1])
    return _slope(normal, edge1, edge2, rise1, rise2)


@njit(cache=True)
def _strand(uv, edge1, edge2):
    """Direction in which v grows: that of the strands of hair."""
    du1, du2 = uv[1, 0] - uv[0, 0], uv[2, 0] - uv[0, 0]
    return _unit(_blend(edge2, du1 + 1e-7, edge1, -du2, edge1, 0.0))


@njit(cache=True)
def _lit(albedo, normal, view, strand, material, open_share, seen, lights, colours):
    """Light that leaves the surface towards the camera: r, g, b, linear."""
    surface, gloss, specular = material["surface"], material["gloss"], material["specular"]
    half = _unit(_sum(_row(lights, 0), view, 1.0))
    if surface == HAIR:  # Kajiya and Kay's highlight
        along = _dot(strand, half)
        shine = max(0.0, 1 - along * along) ** (0.5 * gloss)
    else:
        shine = max(0.0, _dot(normal, half)) ** gloss
    grazing = (1 - max(0.0, _dot(normal, view))) ** 4
    key, fill, rim = _dot(normal, _row(lights, 0)), _dot(normal, _row(lights, 1)), _dot(normal, _row(lights, 2))
    up = 0.5 + 0.5 * normal[1]
    wraps = (0.40, 0.22, 0.16) if surface == SKIN else (0.08, 0.08, 0.08) if surface == CLOTH else (0.25, 0.25, 0.25)
    key_share, rim_share = (0.1 + 0.9 * seen), max(0.0, rim) * (0.3 + grazing) * open_share
    r = _channel(0, albedo[0], wraps[0], key, key_share, fill, open_share, up, rim_share, colours)
    g = _channel(1, albedo[1], wraps[1], key, key_share, fill, open_share, up, rim_share, colours)
    b = _channel(2, albedo[2], wraps[2], key, key_share, fill, open_share, up, rim_share, colours)
    shine = specular * (shine * seen + 0.3 * grazing * open_share)
    return r + shine * colours[0, 0], g + shine * colours[0, 1], b + shine * colours[0, 2]


@njit(cache=True)
def _channel(n, albedo, wrap, key, key_share, fill, open_share, up, rim_share, colours):
    light = max(0.0, (key + wrap) / (1 + wrap)) * key_share * colours[0, n]
    light += max(0.0, (fill + wrap) / (1 + wrap)) * open_share * colours[1, n]
    light += (colours[3, n] * up + colours[4, n] * (1 - up)) * open_share + rim_share * colours[2, n]
    return albedo * albedo * (0.8 + 0.2 * albedo) * light  # about albedo^2.2
