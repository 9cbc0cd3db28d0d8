"""Reads keypoints from JSON: OpenPose's files and the package's own. `Pose.from_openpose` makes a Pose of them."""

import json
import os
from pathlib import Path

import numpy as np

MAX_BYTES = 10_000_000
MIN_CONFIDENCE = 0.05  # OpenPose's own threshold for drawing a joint
_FROM_BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)  # left out: mid-hip and feet
_MEND = "give OpenPose's JSON (COCO-18 or BODY_25), Pose.to_dict's, or a list of 18 [x, y, confidence]"


def read_openpose(source, size=None) -> tuple[np.ndarray | list, tuple[int, int]]:
    """Keypoints (18 rows of x, y, confidence) and (width, height) of the picture from JSON in any known form.

    Args:
        source: path, JSON text, or what JSON text decodes to.
        size: used where the JSON doesn't say it.

    Raises:
        ValueError: no such file, too large, not JSON, not a pose, nobody in it, or no size known.
    """
    values = _load(source)
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], dict):
        values = values[0]  # some tools write a list with one entry a picture
    if isinstance(values, list):
        keypoints = values
    elif isinstance(values, dict) and "people" in values:
        keypoints = _largest_person(values["people"])
        if "canvas_width" in values and "canvas_height" in values:
            size = (values["canvas_width"], values["canvas_height"])
    elif isinstance(values, dict) and "keypoints" in values:
        keypoints, size = values["keypoints"], values.get("size", size)
    else:
        got = (
            f"a dict with {sorted(map(str, values))[:8]}"
            if isinstance(values, dict)
            else type(values).__name__
        )
        raise ValueError(f"pose JSON: expected 'people' or 'keypoints', got {got}; {_MEND}")
    if size is None:
        raise ValueError(
            "pose JSON: it doesn't say how large the picture is; give size=(width, height) in pixels"
        )
    return keypoints, size


def parse_json(text: str, what: str):
    """What the JSON text says; a ValueError that begins with `what` where it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"{what}: expected at most {MAX_BYTES} characters of JSON, got {len(text)}; is it a pose?"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: not readable as JSON ({str(error)[:80]}); {_MEND}") from None


def numbers(values, what: str) -> np.ndarray:
    """Values as a float64 array; a ValueError for text, null, or lists of unequal lengths."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(
            f"{what}: expected numbers in lists of equal lengths, got {str(values)[:80]}"
        ) from None
    if array.dtype.kind not in "iufb":
        raise ValueError(f"{what}: expected numbers only, got {str(values)[:80]}")
    return array.astype(np.float64)


def _load(source):
    if isinstance(source, str) and source.lstrip()[:1] in ("{", "["):
        return parse_json(source, "pose JSON")
    if not isinstance(source, (str, os.PathLike)):
        return source
    try:
        path = Path(source)
        if not path.is_file():
            raise ValueError(f"pose JSON: no such file: {str(source)[:200]}")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: expected a pose of a few kilobytes, got {path.stat().st_size} bytes")
        return parse_json(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{source}: expected JSON text in UTF-8, got a binary file; {_MEND}") from None
    except OSError as error:
        raise ValueError(f"pose JSON: {str(source)[:200]!r} cannot be read: {error.strerror}") from None


def _largest_person(people) -> np.ndarray:
    if not isinstance(people, list):
        raise ValueError(f"pose JSON: 'people' should be a list, got {type(people).__name__}; {_MEND}")
    bodies = [_person(person, i) for i, person in enumerate(people)]
    bodies = [body for body in bodies if (body[:, 2] > 0).any()]
    if not bodies:
        raise ValueError(
            f"pose JSON: there is no person in it ('people' has {len(people)} entries, none with a joint surer than "
            f"{MIN_CONFIDENCE}); give the JSON of a picture with somebody in it"
        )
    return max(bodies, key=lambda body: np.linalg.norm(np.ptp(body[body[:, 2] > 0, :2], 0)))


def _person(person, index: int) -> np.ndarray:
    """(18, 3) from one entry of `people`; joints that OpenPose is unsure of have confidence 0."""
    where = f"pose JSON: person {index}"
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        raise ValueError(f"{where} has no 'pose_keypoints_2d'; {_MEND}")
    flat = numbers(
        person["pose_keypoints_2d"] or [0] * 54, where
    )  # null or []: only a face or hand was found
    if flat.shape not in ((54,), (75,)):
        raise ValueError(
            f"{where}: expected 54 numbers (18 joints, COCO) or 75 (25 joints, BODY_25), got {flat.size}"
            f" ({flat.size / 3:g} joints); other layouts, such as COCO-17 without a neck, must be converted first"
        )
    if not np.isfinite(flat).all():
        raise ValueError(
            f"{where}: every number must be finite, got NaN or infinity; write 0, 0, 0 for missing"
        )
    joints = flat.reshape(-1, 3)
    joints = joints if len(joints) == 18 else joints[list(_FROM_BODY_25)]
    return np.where(joints[:, 2:] > MIN_CONFIDENCE, joints, 0)
