"""Camera, lights and backdrop. The camera stands on the studio's +Z axis; people turn, the studio does not."""

import colorsys
from dataclasses import dataclass

import numpy as np

from .body import rotation
from .raster import box_blur

VIEWS = {"front": 0.36, "quarter": 0.26, "side": 0.14, "back": 0.14, "quarter back": 0.10}
FRAMES = {"full": 0.6, "knee": 0.15, "half": 0.25}
STUDIOS = {"seamless": 0.42, "white": 0.18, "coloured": 0.16, "room": 0.14, "canvas": 0.10}
OUTSIDE = {"bricks": 0.3, "bokeh": 0.4, "landscape": 0.3}
BACKDROPS = ("studio", "varied")
DISTANCE = 42.0  # dm from the camera to the person


@dataclass
class View:
    """How a person is seen: turned by `yaw` degrees, by a camera tilted down by `pitch` and sideways by `roll`."""

    name: str
    yaw: float
    pitch: float
    frame: str  # full, knee, half
    zoom: float
    shift: float  # of the person, in picture widths
    roll: float = 0.0


def sample_view(rng) -> View:
    name = str(rng.choice(list(VIEWS), p=list(VIEWS.values())))
    side = rng.choice([-1, 1])
    yaw = {
        "front": rng.normal(0, 7),
        "quarter": side * rng.uniform(20, 55),
        "side": side * rng.uniform(70, 100),
        "back": 180 + rng.normal(0, 12),
        "quarter back": side * rng.uniform(120, 160),
    }[name]
    frame = str(rng.choice(list(FRAMES), p=list(FRAMES.values())))
    return View(name, float(yaw), rng.uniform(0, 7), frame, rng.uniform(0.98, 1.08), rng.normal(0, 0.015))


def sample_free_view(rng) -> View:
    """A view from any side by a camera that somebody holds."""
    side, turned = rng.choice([-1, 1]), rng.uniform(0, 180)
    limits = {"front": 20, "quarter": 60, "side": 110, "quarter back": 160, "back": 181}
    name = next(name for name, limit in limits.items() if turned < limit)
    frame = str(rng.choice(list(FRAMES), p=(0.8, 0.1, 0.1)))
    pitch, roll = rng.uniform(-8, 25), np.clip(rng.normal(0, 9), -30, 30)
    return View(name, float(side * turned), pitch, frame, rng.uniform(0.95, 1.25), rng.normal(0, 0.04), float(roll))


class Camera:
    """Perspective of a picture `size` = (height, width) that shows heights `low` to `high` around `middle` (x, z)."""

    def __init__(self, view: View, low: float, high: float, middle: tuple[float, float], size: tuple[int, int]):
        self.size = size
        self.turn = rotation([0, 0, 1], view.roll) @ rotation([1, 0, 0], view.pitch)
        self.target = np.array([middle[0], (low + high) / 2, middle[1]])
        self.eye = self.target + self.turn.T @ np.array([0, 0, DISTANCE])
        self.focal = size[0] / (high - low) * DISTANCE
        self.centre = np.array([size[1] / 2 + view.shift * size[1], size[0] / 2])

    def project(self, points: np.ndarray, samples: int = 1) -> np.ndarray:
        """(N,3) float32: x, y in pixels divided into `samples` each, and depth in dm."""
        seen = (points - self.target) @ self.turn.T
        depth = DISTANCE - seen[:, 2]
        xy = self.centre + self.focal * seen[:, :2] * [1, -1] / depth[:, None]
        return np.concatenate([xy * samples, depth[:, None]], 1).astype(np.float32)

    def rays(self) -> np.ndarray:
        """(H,W,3) directions through the pixels' centres."""
        height, width = self.size
        y, x = np.mgrid[:height, :width] + 0.5
        ways = np.stack([(x - self.centre[0]) / self.focal, (self.centre[1] - y) / self.focal, -np.ones_like(x)], 2)
        return ways @ self.turn


@dataclass
class Studio:
    """Lights and backdrop, the same in all pictures of a person."""

    kind: str
    wall: np.ndarray  # linear colours
    floor: np.ndarray
    depth: float  # dm from the person back to the wall
    lights: np.ndarray  # (3,3) directions to key, fill, rim
    colours: np.ndarray  # (5,3) of the lights, the sky and the floor's glow
    pool: tuple[float, float]  # where the wall is brightest: x, height
    falloff: float
    pattern: np.ndarray  # (64,64) noise
    hues: np.ndarray  # (4,3) colours of what is outside


def sample_studio(rng, backdrop: str) -> Studio:
    kinds = STUDIOS if backdrop == "studio" or rng.random() < 0.35 else OUTSIDE
    kind = str(rng.choice(list(kinds), p=list(kinds.values())))
    hue, warm = rng.random(), rng.uniform(0.94, 1.06)
    tint = {
        "seamless": (hue, rng.uniform(0, 0.04), rng.uniform(0.72, 0.95)),
        "white": (hue, 0.01, rng.uniform(0.94, 0.99)),
        "coloured": (hue, rng.uniform(0.08, 0.32), rng.uniform(0.55, 0.92)),
        "room": (hue, rng.uniform(0.01, 0.12), rng.uniform(0.6, 0.92)),
        "canvas": (rng.uniform(0.05, 0.65), rng.uniform(0.05, 0.2), rng.uniform(0.35, 0.75)),
    }.get(kind, (hue, rng.uniform(0.1, 0.4), rng.uniform(0.35, 0.8)))
    wall = np.array(colorsys.hsv_to_rgb(*tint)) ** 2.2
    floor = wall * rng.uniform(0.85, 1.0)
    if kind in ("room", *OUTSIDE):
        earth = rng.uniform(0.05, 0.12), rng.uniform(0, 0.4), rng.uniform(0.3, 0.75)
        floor = np.array(colorsys.hsv_to_rgb(*earth)) ** 2.2
    directions, colours = _lights(rng, warm, floor)
    hues = [colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.15, 0.95)) for _ in range(4)]
    return Studio(
        kind=kind,
        wall=wall,
        floor=floor,
        depth=rng.uniform(8, 25),
        lights=directions,
        colours=colours,
        pool=(rng.normal(0, 4), rng.uniform(6, 14)),
        falloff=rng.uniform(0.0, 0.35) if kind != "white" else rng.uniform(0, 0.06),
        pattern=rng.random((64, 64)),
        hues=np.array(hues) ** 2.2,
    )


def _lights(rng, warm: float, floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Key, fill and rim light: the stronger the key, the weaker what comes from all sides."""
    side, strength = rng.choice([-1, 1]), rng.uniform(0.55, 1.05)
    key = _direction(side * rng.uniform(15, 60), rng.uniform(25, 55))
    fill = _direction(-side * rng.uniform(35, 70), rng.uniform(5, 25))
    rim = _direction(-side * rng.uniform(120, 160), rng.uniform(15, 45))
    ambient = 0.92 - 0.55 * strength
    glow = 0.5 * ambient * (0.4 + 0.6 * floor / max(floor.max(), 0.2))
    lights = [np.array([warm, 1, 2 - warm]) * strength, np.full(3, rng.uniform(0.12, 0.3))]
    lights += [np.full(3, rng.uniform(0, 0.35)), np.full(3, ambient), glow]
    return np.stack([key, fill, rim]), np.stack(lights)


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def backdrop(studio: Studio, camera: Camera, shadow) -> np.ndarray:
    """(H,W,3) linear picture of the empty studio.

    Args:
        shadow: from points (N,3) to how much of the person's shadow falls there, in [0, 1].
    """
    rays = camera.rays()
    height, width = camera.size
    to_wall = (-studio.depth - camera.eye[2]) / rays[..., 2]
    wall = camera.eye + rays * to_wall[..., None]
    down = np.minimum(rays[..., 1], -1e-4)
    floor = camera.eye + rays * (-camera.eye[1] / down)[..., None]
    rounding = {"room": 0.15}.get(studio.kind, 6.0 if studio.kind in STUDIOS else 0.3)  # dm of the cove
    on_floor = np.clip(0.5 - wall[..., 1] / rounding, 0, 1)
    on_floor = (on_floor * on_floor * (3 - 2 * on_floor))[..., None]
    lit = (
        1
        - studio.falloff
        * np.clip(np.hypot(wall[..., 0] - studio.pool[0], wall[..., 1] - studio.pool[1]) / 18, 0, 1.5) ** 2
    )
    picture = _painted(studio, wall) * lit[..., None] * (1 - on_floor) + studio.floor * on_floor * (
        0.9 + 0.1 * lit[..., None]
    )
    point = np.where(on_floor > 0.5, floor, wall)
    dark = shadow(point.reshape(-1, 3)).reshape(height, width, 1) * (0.25 + 0.75 * on_floor)
    return picture * (1 - 0.62 * dark)


def _painted(studio: Studio, wall: np.ndarray) -> np.ndarray:
    """(H,W,3) the wall's paint at points of it, or what is seen in its place outside."""
    x, y = wall[..., 0], wall[..., 1]
    base = np.broadcast_to(studio.wall, wall.shape)
    if studio.kind == "canvas":
        mottled = _cloud(studio, x / 3, y / 3) + 0.5 * _cloud(studio, x / 1.1 + 9, y / 1.1)
        return base * (0.72 + 0.42 * mottled[..., None])
    if studio.kind == "room":
        skirting = (y > 0) & (y < 1.0)
        return np.where(
            skirting[..., None],
            np.minimum(base * 1.25 + 0.05, 1),
            base * (0.97 + 0.05 * _cloud(studio, x, y))[..., None],
        )
    if studio.kind == "bricks":
        row = np.floor(y / 0.75)
        across = x / 2.2 + 0.5 * (row % 2)
        joint = (np.abs(y / 0.75 - row - 0.5) > 0.44) | (np.abs(across - np.floor(across) - 0.5) > 0.47)
        tone = 0.75 + 0.5 * studio.pattern[row.astype(int) % 64, np.floor(across).astype(int) % 64]
        return np.where(joint[..., None], base * 0.6 + 0.15, base * tone[..., None])
    if studio.kind == "bokeh":
        cells = np.stack([_cloud(studio, x / 5 + 7 * n, y / 5 + 3 * n) for n in range(4)], 2) ** 4
        return (cells / cells.sum(2, keepdims=True)) @ studio.hues
    if studio.kind == "landscape":
        sky = np.array([0.55, 0.68, 0.85]) * (0.7 + 0.5 * _cloud(studio, x / 12, y / 4))[..., None]
        hill = np.clip((y - 5 - 8 * _cloud(studio, x / 8, np.zeros_like(y))) / 1.5, 0, 1)[..., None]
        green = studio.hues[0] * [0.5, 0.8, 0.4] * (0.5 + 0.8 * _cloud(studio, x / 2, y / 2))[..., None]
        return sky * hill + green * (1 - hill)
    return base


def _cloud(studio: Studio, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smooth noise in [0, 1] at x, y."""
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - i, y - j
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    p = studio.pattern
    top = p[j % 64, i % 64] * (1 - fx) + p[j % 64, (i + 1) % 64] * fx
    low = p[(j + 1) % 64, i % 64] * (1 - fx) + p[(j + 1) % 64, (i + 1) % 64] * fx
    return top * (1 - fy) + low * fy


def occlusion(depth: np.ndarray) -> np.ndarray:
    """(H,W) ambient light that arrives, from depth (inf: nothing): less where the surroundings are nearer."""
    there = np.isfinite(depth)
    filled, open_share = np.where(there, depth, 0), np.ones(depth.shape)
    for radius, strength in ((max(1, depth.shape[0] // 85), 0.55), (max(2, depth.shape[0] // 28), 0.22)):
        around = box_blur(filled, radius) / np.maximum(box_blur(there.astype(float), radius), 1e-3)
        open_share *= 1 - np.clip((filled - around) * strength, 0, 0.45)
    return np.where(there, open_share, 1)
