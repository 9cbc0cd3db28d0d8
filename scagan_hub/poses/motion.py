"""Sequences of poses: a walk, a turn and a wave of a figure of sticks, in-betweens of key poses, and JSON files.

The figure has the proportions of `skeleton.BONES`. It moves in three dimensions: x to the image's right, y down, z
to the camera, in units of neck to mid-hip, with the neck at the origin; it is seen without perspective. Joints of the
face that the head would hide are missing, by the rule of the detector.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import skeleton
from .blazepose import FACE
from .openpose import MAX_BYTES, UNKNOWN_SIZE, outline, parse_json
from .pose import Pose

UNIT, SIZE = 100, (400, 480)  # pixels of neck to mid-hip; the canvas, on which nothing leaves the frame
NECK_AT = (200, 80)
MAX_POSES = 500


def motion(name: str, poses: int = 24) -> list[Pose]:
    """A bundled sequence, which begins anew where it ends.

    Args:
        name: "walk", "turn" or "wave".
        poses: how many, 2 to 500.

    Raises:
        ValueError: no such sequence, or another number of poses.
    """
    if name not in MOTIONS:
        raise ValueError(f"no sequence is named {str(name)[:80]!r}; expected one of {', '.join(MOTIONS)}")
    if not 2 <= poses <= MAX_POSES:
        raise ValueError(f"a sequence has 2 to {MAX_POSES} poses, got {poses}")
    return [MOTIONS[name](2 * np.pi * i / poses) for i in range(poses)]


def in_betweens(keys: Sequence[Pose], poses: int) -> list[Pose]:
    """A sequence of this many poses through key poses of one size, slow at each of them.

    Limbs turn about the joint that they hang on, the shorter way round, and so keep their lengths. A joint is there
    where both neighbouring keys have it.

    Raises:
        ValueError: less than two keys, keys of several sizes, keys without a joint in common.
    """
    if len(keys) < 2 or len({key.size for key in keys}) != 1:
        raise ValueError(f"expected at least two key poses of one size, got {len(keys)}")
    sequence = []
    for t in np.linspace(0, len(keys) - 1, poses):
        i = min(int(t), len(keys) - 2)
        sequence.append(_between(keys[i], keys[i + 1], _eased(t - i)))
    return sequence


def read_motion(path) -> list[Pose]:
    """Poses from a JSON file: a list of poses in any form that `Pose.from_openpose` reads, or a single one.

    Raises:
        ValueError: unreadable, not poses, or more than 500 of them.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give a JSON list of poses")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: expected a few kilobytes of JSON, got {path.stat().st_size} bytes")
    try:
        values = parse_json(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected JSON text in UTF-8, got a binary file") from None
    if not (isinstance(values, list) and values and all(isinstance(pose, dict) for pose in values)):
        values = [values]
    if len(values) > MAX_POSES:
        raise ValueError(f"{path}: expected at most {MAX_POSES} poses, got {len(values)}")
    if not isinstance(values[0], (dict, list)):
        raise ValueError(f"{path}: expected poses, got {outline(values[0])}")
    return [Pose.from_openpose(pose, UNKNOWN_SIZE) for pose in values]


def _walk(phase: float) -> Pose:
    """Two steps a round, seen from half the side."""
    swing = np.sin([phase, phase + np.pi])  # right leg, left leg
    bend = np.clip(np.sin([phase + 1.9, phase + np.pi + 1.9]), 0, None)  # the knee of the leg that comes forward
    thighs, knees = np.radians(26) * swing, np.radians(6) + np.radians(48) * bend
    arms = np.radians(-22) * swing
    return _figure(np.radians(50), thighs, knees, arms, np.radians([[8, 8], [18, 18]]))


def _turn(phase: float) -> Pose:
    """Once round on the spot."""
    still = np.zeros(2)
    return _figure(phase, still, still, still, np.radians([[12, 12], [8, 8]]))


def _wave(phase: float) -> Pose:
    """The left arm is raised and waves, facing the camera."""
    still, up = np.zeros(2), (1 - np.cos(phase)) / 2
    spread = np.radians([[12, 12 + 115 * up], [8, 8]])
    return _figure(0, still, still, still, spread, waving=np.radians(38) * up * (1 + 0.6 * np.sin(3 * phase)))


MOTIONS = {"walk": _walk, "turn": _turn, "wave": _wave}


def _figure(yaw: float, thighs, knees, arms, spread, waving: float = 0) -> Pose:
    """The figure as a pose.

    Args:
        yaw: which way it faces, in radians: 0 to the camera, then to the image's right.
        thighs, knees, arms: (2,) right, left: swing to the front, bend to the back, swing to the front.
        spread: (2, 2) how far the arms are spread and the elbows bent to the front; waving: the left lower arm, up.
    """
    length = {bone: 0.93 * usual for bone, usual in skeleton.BONES.items()}
    points = np.zeros((18, 3))
    points[0], points[14:16] = (0, -0.36, 0.27), [(-0.07, -0.44, 0.22), (0.07, -0.44, 0.22)]
    points[16:18] = [(-0.18, -0.42, 0.02), (0.18, -0.42, 0.02)]
    for side, (x, shoulder, hip) in enumerate(((-1, 2, 8), (1, 5, 11))):
        out, elbow = spread[0][side], spread[1][side]
        points[shoulder] = (x * length[2, 5] / 2, 0.03, 0)
        points[hip] = (x * length[8, 11] / 2, 1, 0)
        points[shoulder + 1] = points[shoulder] + length[2, 3] * _down(arms[side], x * out)
        lower = _down(arms[side] + elbow, x * (out + (waving if x > 0 else 0)))
        points[shoulder + 2] = points[shoulder + 1] + length[3, 4] * lower
        points[hip + 1] = points[hip] + length[8, 9] * _down(thighs[side], 0)
        points[hip + 2] = points[hip + 1] + length[9, 10] * _down(thighs[side] - knees[side], 0)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    flat = (points @ turn.T)[:, :2] * UNIT + NECK_AT
    seen = np.ones(18)
    for joint, (forward, left, limit) in FACE.items():
        seen[joint] = forward * np.cos(yaw) - left * np.sin(yaw) > limit
    return Pose(np.column_stack([flat, seen]), SIZE)


def _down(front: float, out: float) -> np.ndarray:
    """A unit vector that hangs down, swung to the front and to the side by these angles."""
    return np.array([np.sin(out), np.cos(out) * np.cos(front), np.cos(out) * np.sin(front)])


def _between(a: Pose, b: Pose, t: float) -> Pose:
    both = a.present & b.present
    if not both.any():
        raise ValueError("two key poses that follow each other have no joint in common; show more joints")
    points = (1 - t) * a.points + t * b.points
    for parent, joint in skeleton.LIMBS:  # from the neck outwards
        if both[parent] and both[joint]:
            bones = [complex(*(pose.points[joint] - pose.points[parent])) for pose in (a, b)]
            turned = np.angle(bones[1] * np.conj(bones[0]))
            length = (1 - t) * abs(bones[0]) + t * abs(bones[1])
            bone = length * np.exp(1j * (np.angle(bones[0]) + t * turned))
            points[joint] = points[parent] + (bone.real, bone.imag)
    return Pose(np.column_stack([points, both]), a.size)


def _eased(t: float) -> float:
    return t * t * (3 - 2 * t)
