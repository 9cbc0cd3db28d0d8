"""What is known of the body: 18 joints, the limbs between them, their usual lengths, and how to draw them.

Points are (18, 2) x, y in pixels, `present` is (18,) bool; `Pose` is the class that carries both.
"""

import colorsys

import numpy as np

JOINTS = (
    ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist")
    + ("left_shoulder", "left_elbow", "left_wrist")
    + ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
    + ("right_eye", "left_eye", "right_ear", "left_ear")
)
MIRRORED = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)
LIMBS = (
    ((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7))
    + ((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13))
    + ((1, 0), (0, 14), (14, 16), (0, 15), (15, 17))
)
NECK, HIPS = 1, (8, 11)

# Length of a bone seen broadside in units of neck to mid-hip: upper deciles over the rendered people.
BONES = (
    {(2, 3): 0.55, (5, 6): 0.55, (3, 4): 0.55, (6, 7): 0.55, (8, 9): 0.92, (11, 12): 0.92, (9, 10): 0.93}
    | {(12, 13): 0.93, (2, 5): 0.79, (8, 11): 0.46, (0, 1): 0.53, (1, 16): 0.56, (1, 17): 0.56}
    | {(16, 17): 0.39, (14, 15): 0.14, (0, 16): 0.34, (0, 17): 0.34}
)
FORESHORTENED = 0.5  # a torso that looks shorter than this, for the size of the other bones, is seen end on


def body_size(points: np.ndarray, present: np.ndarray) -> float:
    """Length from neck to mid-hip in pixels, guessed from the other bones where it is missing or seen end on.

    Perspective only ever shortens a bone, so the one that looks longest for its kind tells the size. 0 where
    no bone can be measured.
    """
    lengths = [
        np.linalg.norm(points[a] - points[b]) / usual for (a, b), usual in BONES.items() if present[a] and present[b]
    ]
    longest = float(max(lengths, default=0.0))
    hips = _hips(points, present)
    torso = float(np.linalg.norm(points[NECK] - hips)) if hips is not None and present[NECK] else 0.0
    return torso if torso > FORESHORTENED * longest else longest


def anchor(points: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(2,) where the person is: the middle of the torso, else the neck, else the middle of the box."""
    hips = _hips(points, present)
    if present[NECK]:
        return points[NECK] if hips is None else (points[NECK] + hips) / 2
    return (points[present].min(0) + points[present].max(0)) / 2


def diagonal(points: np.ndarray, present: np.ndarray) -> float:
    """Diagonal of the box round the joints, in pixels; 0 for less than two of them."""
    return float(np.linalg.norm(np.ptp(points[present], 0))) if present.any() else 0.0


def draw_skeleton(points: np.ndarray, present: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(height, width, 3) uint8: the limbs in OpenPose's colours on black, antialiased."""
    width, height = size
    canvas = np.zeros((height, width, 3), np.float32)
    radius = max(1.0, np.hypot(width, height) / 110)
    colours = [np.array(colorsys.hsv_to_rgb(i / 18, 1, 1), np.float32) for i in range(18)]
    for colour, (a, b) in zip(colours, LIMBS, strict=False):
        if present[a] and present[b]:
            _paint(canvas, points[a], points[b], radius, 0.6 * colour)
    for joint in np.flatnonzero(present):
        _paint(canvas, points[joint], points[joint], 1.2 * radius, colours[joint])
    return np.rint(canvas * 255).astype(np.uint8)


def _hips(points: np.ndarray, present: np.ndarray) -> np.ndarray | None:
    hips = [points[i] for i in HIPS if present[i]]
    return np.mean(hips, 0) if hips else None


def _paint(canvas: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float, colour: np.ndarray) -> None:
    """Paint a stick with round ends from a to b; a pixel is covered as far as its centre lies inside."""
    height, width = canvas.shape[:2]
    left, top = np.clip(np.floor(np.minimum(a, b) - radius - 1), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(np.maximum(a, b) + radius + 2), 0, (width, height)).astype(int)
    y, x = np.mgrid[top:bottom, left:right]
    along = b - a
    t = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(along @ along, 1e-9)
    t = np.clip(t, 0, 1)
    distance = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
    cover = np.clip(radius + 0.5 - distance, 0, 1)[..., None]
    window = canvas[top:bottom, left:right]
    window += cover * (colour - window)
