"""Finds people and their poses in a photo: BlazePose on LiteRT, offline, a fraction of a second on a CPU.

Two nets in a row, as in Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020: a detector
looks at the whole picture and gives every person's hip centre, size and upright direction; a landmark net looks
at the square round one person, turned upright, and gives 33 landmarks, of which our 18 joints are made. The
weights are MediaPipe's (assets/blazepose/NOTICE).
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..files.extras import need

WEIGHTS = Path(__file__).parents[1] / "assets" / "blazepose"

DETECTOR_SIDE, LANDMARK_SIDE, HEATMAP_SIDE = 224, 256, 64
MIN_SCORE = 0.4  # of the detector
MIN_SCORE_TILES = 0.85  # where it looks closer: parts of animals and things score up to .8, people above .9
MIN_PRESENCE = 0.8  # of the landmark net's first look: below it, what the detector saw is no person (a cheetah: .7)
MIN_IN_FRAME = 0.5  # of a landmark, by its own presence
MAX_OVERLAP = 0.3  # intersection over union above which two detections are one person
MAX_PEOPLE = 8
ROI_SCALE = 1.25
HEATMAP_RADIUS, MIN_HEAT = 3, 0.5

# The landmarks that our joints are; the neck's place is kept by a shoulder until `_keypoints` takes their middle.
LANDMARKS = [0, 11, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7]
NOSE, LEFT_EAR, RIGHT_EAR, SHOULDERS, CENTRE, TOP = 0, 7, 8, [11, 12], 33, 34

# A joint of the face is hidden by the head unless `forward` times how far the face looks into the camera plus `left`
# times how far its left side does exceeds `limit`: chosen on the rendered people, right in .96, .87 and .80 of them.
FACE = {  # joint: (forward, left, limit)
    0: (1.0, 0.0, -0.1),
    14: (1.0, -0.25, 0.25),
    15: (1.0, 0.25, 0.25),
    16: (0.0, -1.0, -0.1),
    17: (0.0, 1.0, -0.1),
}

_lock = threading.Lock()


class Roi(NamedTuple):
    """A square round one person: centre (x, y) and side in pixels, angle in radians clockwise (0 = upright)."""

    centre: np.ndarray
    side: float
    angle: float

    @classmethod
    def spanned(cls, centre: np.ndarray, top: np.ndarray) -> Roi:
        x, y = top - centre
        return cls(centre, max(2 * ROI_SCALE * float(np.hypot(x, y)), 1.0), float(np.arctan2(x, -y)))


class Landmarks(NamedTuple):
    points: np.ndarray  # (39, 2) pixels of the picture
    visibility: np.ndarray  # (39,) not hidden, in [0, 1]
    in_frame: np.ndarray  # (39,) not cut off, in [0, 1]
    world: np.ndarray  # (39, 3) metres; x to the right, y down, z away from the camera
    presence: float  # that there is a person at all, in [0, 1]
    person: np.ndarray  # (256, 256) where in the square the person is, in [0, 1]
    window: np.ndarray  # (2, 3) affine map of the square's pixels to the picture's


def find_people(image: Image.Image) -> list[np.ndarray]:
    """Keypoints (18, 3) of the people in an RGB picture, in its pixels, the surest first; see `detect_people`."""
    whole = _found(image, [(0, 0, *image.size)], MIN_SCORE)
    return whole or _found(image, _tiles(image.size), MIN_SCORE_TILES)


def _found(image: Image.Image, windows: list[tuple[int, int, int, int]], min_score: float) -> list[np.ndarray]:
    """Keypoints of those whom the detector finds in any of the windows (left, top, right, bottom)."""
    people = []
    for roi in _rois(image, windows, min_score):
        landmarks = landmarks_in(image, roi)
        if landmarks.presence < MIN_PRESENCE:
            continue
        again = Roi.spanned(landmarks.points[CENTRE], landmarks.points[TOP])
        keypoints = _keypoints(landmarks_in(image, again), image.size)
        if keypoints is not None:
            people.append(keypoints)
    return people


def _tiles(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Overlapping squares of half the picture's longer side, for people too small for the detector."""
    side = -(-max(size) // 2)
    starts = [sorted({min(i * side // 2, max(length - side, 0)) for i in range(3)}) for length in size]
    return [(x, y, min(x + side, size[0]), min(y + side, size[1])) for y in starts[1] for x in starts[0]]


def _keypoints(landmarks: Landmarks, size: tuple[int, int]) -> np.ndarray | None:
    """Our 18 joints of the 33 landmarks; None when the picture shows none of them."""
    points, visibility = landmarks.points[LANDMARKS], landmarks.visibility[LANDMARKS]
    in_frame = landmarks.in_frame[LANDMARKS] >= MIN_IN_FRAME
    points[1] = landmarks.points[SHOULDERS].mean(0)
    visibility[1], in_frame[1] = landmarks.visibility[SHOULDERS].mean(), in_frame[2] and in_frame[5]

    world = landmarks.world.astype(np.float64)
    forward = world[NOSE] - (world[LEFT_EAR] + world[RIGHT_EAR]) / 2
    left = world[LEFT_EAR] - world[RIGHT_EAR]
    towards = [-v[2] / max(np.linalg.norm(v), 1e-9) for v in (forward, left)]
    for joint, (*weights, limit) in FACE.items():
        in_frame[joint] &= np.dot(weights, towards) > limit

    in_frame &= ((points >= 0) & (points <= np.array(size) - 1)).all(1)
    if not in_frame.any():
        return None
    return np.column_stack([points, np.clip(visibility, 0.01, 1) * in_frame])


def _rois(image: Image.Image, windows: list[tuple[int, int, int, int]], min_score: float) -> list[Roi]:
    """Squares round the people in the windows, the surest first."""
    found = [_detections(image.crop(window), window[:2]) for window in windows]
    points, scores = (np.concatenate(values) for values in zip(*found, strict=True))
    return [Roi.spanned(*person) for person in _people(points, scores, min_score)]


def _detections(image: Image.Image, corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The detector on one picture, in a black square: boxes (2254, 6, 2) in pixels and their scores (2254,).

    A box is its centre, its size, the hips' centre, the top of the body's circle, and two more points.
    """
    scale = DETECTOR_SIDE / max(image.size)
    size = [max(1, round(side * scale)) for side in image.size]
    pad = tuple((DETECTOR_SIDE - side) // 2 for side in size)
    canvas = Image.new("RGB", (DETECTOR_SIDE, DETECTOR_SIDE))
    canvas.paste(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0), pad)

    boxes, scores = _run("pose_detection.tflite", np.asarray(canvas, np.float32) / 127.5 - 1)
    boxes = boxes.reshape(-1, 6, 2).astype(np.float64)
    boxes[:, [0, 2, 3, 4, 5]] += _anchors()[:, None] * DETECTOR_SIDE - pad
    boxes /= scale
    boxes[:, [0, 2, 3, 4, 5]] += corner
    return boxes, _sigmoid(scores[:, 0])


def _people(points: np.ndarray, scores: np.ndarray, min_score: float) -> list[np.ndarray]:
    """(2, 2) hips' centre and top of the circle of every person: weighted non-maximum suppression."""
    order = np.argsort(-scores)[: (scores >= min_score).sum()]
    people = []
    while len(order) and len(people) < MAX_PEOPLE:
        same = _overlap(points[order[0]], points[order]) > MAX_OVERLAP
        same[0] = True
        people.append(np.average(points[order[same], 2:4], 0, scores[order[same]]))
        order = order[~same]
    return people


def _overlap(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Intersection over union of the box one[:2] (centre, size) with each of many[:, :2]."""
    low = np.maximum(one[0] - one[1] / 2, many[:, 0] - many[:, 1] / 2)
    high = np.minimum(one[0] + one[1] / 2, many[:, 0] + many[:, 1] / 2)
    common = np.clip(high - low, 0, None).prod(-1)
    return common / np.maximum(one[1].prod() + many[:, 1].prod(-1) - common, 1e-9)


@cache
def _anchors() -> np.ndarray:
    """(2254, 2) what the boxes are relative to: two in each cell of 28 x 28 and of 14 x 14, six of 7 x 7."""
    grids = []
    for cells, count in ((28, 2), (14, 2), (7, 6)):
        y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
        grids.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), count, 0))
    return np.concatenate(grids).astype(np.float32)


def landmarks_in(image: Image.Image, roi: Roi) -> Landmarks:
    """The landmark net on one square of the picture; what lies outside the picture is black."""
    cos, sin = np.cos(roi.angle), np.sin(roi.angle)
    turn = np.array([[cos, -sin], [sin, cos]]) * roi.side / LANDMARK_SIDE  # the square's pixels -> the picture's
    corner = roi.centre - turn @ [LANDMARK_SIDE / 2, LANDMARK_SIDE / 2]
    shrink = max(1, int(roi.side / LANDMARK_SIDE))  # first, so that sampling misses no pixel
    affine = np.column_stack([turn, corner]) / shrink
    square = (image.reduce(shrink) if shrink > 1 else image).transform(
        (LANDMARK_SIDE, LANDMARK_SIDE), Image.Transform.AFFINE, affine.ravel().tolist(), Image.Resampling.BILINEAR
    )

    values, presence, person, heatmaps, world = _run("pose_landmark_full.tflite", np.asarray(square, np.float32) / 255)
    values = values.reshape(-1, 5)  # (39, 5): x, y, z, visibility, presence
    points = _refined(values[:, :2].astype(np.float64), _sigmoid(heatmaps))
    return Landmarks(
        points @ turn.T + corner,
        _sigmoid(values[:, 3]),
        _sigmoid(values[:, 4]),
        world.reshape(-1, 3),
        float(presence[0]),
        _sigmoid(person[..., 0]),
        np.column_stack([turn, corner]),
    )


def _refined(points: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Points (39, 2) moved to the heat's centre near them, where their heatmap (64, 64, 39) is sure enough."""
    scale = LANDMARK_SIDE / HEATMAP_SIDE
    refined = points.copy()
    for i, (x, y) in enumerate((points / scale).astype(int)):
        if not (0 <= x < HEATMAP_SIDE and 0 <= y < HEATMAP_SIDE):
            continue
        left, top = max(0, x - HEATMAP_RADIUS), max(0, y - HEATMAP_RADIUS)
        heat = heatmaps[top : y + HEATMAP_RADIUS + 1, left : x + HEATMAP_RADIUS + 1, i]
        if heat.max() >= MIN_HEAT:
            rows, columns = np.indices(heat.shape)
            refined[i] = [np.average(columns, weights=heat) + left, np.average(rows, weights=heat) + top]
            refined[i] *= scale
    return refined


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -80, 80)))


def _run(name: str, picture: np.ndarray) -> list[np.ndarray]:
    """A net's outputs for one picture (H, W, 3), without the batch axis. One at a time: interpreters hold state."""
    with _lock:
        net = _interpreter(name)
        net.set_tensor(net.get_input_details()[0]["index"], picture[None])
        net.invoke()
        return [net.get_tensor(output["index"])[0] for output in net.get_output_details()]


def need_detector() -> None:
    """Refuse to begin what will look for a person.

    Raises:
        ImportError: LiteRT is not installed.
    """
    otherwise = "give the pose as JSON and the source_mask"
    need("ai_edge_litert.interpreter", "finding a person in a photo", otherwise)


@cache
def _interpreter(name: str):
    need_detector()
    from ai_edge_litert.interpreter import Interpreter

    with _quiet_stderr():
        net = Interpreter(model_path=str(WEIGHTS / name), num_threads=min(4, os.cpu_count() or 1))
        net.allocate_tensors()
    return net


@contextmanager
def _quiet_stderr():
    """Keep LiteRT's greeting, which C++ writes, off the terminal."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
