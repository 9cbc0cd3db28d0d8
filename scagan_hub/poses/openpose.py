"""Reads keypoints from JSON, OpenPose's or the package's own. `Pose.from_openpose` makes a Pose of them."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

MAX_BYTES = 10_000_000
UNKNOWN_SIZE = (1, 1)  # no picture is that small, so that a pose of this size is always fitted to another
MIN_CONFIDENCE = 0.05  # OpenPose's own threshold for drawing a joint
_FROM_BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)  # without mid-hip and feet
_MEND = "give OpenPose's JSON (COCO-18 or BODY_25), Pose.to_dict's, or a list of 18 [x, y, confidence]"


def read_openpose(source: Any, size: tuple[int, int] | None = None) -> tuple[Any, tuple[int, int]]:
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
        raise ValueError(f"pose JSON: expected 'people' or 'keypoints', got {outline(values)}; {_MEND}")
    if size is None:
        raise ValueError("pose JSON: it doesn't say the picture's size; give size=(width, height) in pixels")
    return keypoints, size


def parse_json(text: str, what: str):
    """What the JSON text says; a ValueError that begins with `what` where it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"{what}: expected a few kilobytes of JSON, got {len(text)} characters; {_MEND}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: not readable as JSON ({str(error)[:80]}); {_MEND}") from None


def outline(values) -> str:
    """What a value is, for messages: a dict's first keys, else its type."""
    return f"keys {sorted(map(str, values))}"[:80] if isinstance(values, dict) else type(values).__name__


def numbers(values, what: str) -> np.ndarray:
    """Values as a float64 array; a ValueError for text, null, or lists of unequal lengths."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError, RuntimeError):
        array = np.asarray(None)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"{what}: expected numbers in lists of equal lengths, got {str(values)[:80]}")
    return array.astype(np.float64)


def _load(source):
    if isinstance(source, str) and source.lstrip()[:1] in ("{", "["):
        return parse_json(source, "pose JSON")
    if not isinstance(source, (str, os.PathLike)):
        return source
    shown = str(source)[:200]
    try:
        path = Path(source)
        if not path.is_file():
            raise ValueError(f"pose JSON: no such file: {shown!r}; {_MEND}")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: expected a few kilobytes, got {path.stat().st_size} bytes; {_MEND}")
        return parse_json(path.read_text("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{shown}: expected JSON text in UTF-8, got a binary file; {_MEND}") from None
    except OSError as error:
        raise ValueError(f"pose JSON: {shown!r} cannot be read: {error.strerror or error}") from None


def _largest_person(people) -> np.ndarray:
    if not isinstance(people, list):
        raise ValueError(f"pose JSON: 'people' should be a list, got {type(people).__name__}; {_MEND}")
    bodies = [_person(person, f"pose JSON: person {i}") for i, person in enumerate(people)]
    bodies = [body for body in bodies if (body[:, 2] > 0).any()]
    if not bodies:
        raise ValueError(
            f"pose JSON: there is no person in it ({len(people)} entries in 'people', none with a joint of "
            f"confidence above {MIN_CONFIDENCE}); give the JSON of a picture with somebody in it"
        )
    largest = max(bodies, key=lambda body: np.linalg.norm(np.ptp(body[body[:, 2] > 0, :2], 0)))
    if np.abs(largest[:, :2]).max() <= 1:
        raise ValueError("pose JSON: expected pixels, got coordinates up to 1; multiply by width and height")
    return largest


def _person(person, where: str) -> np.ndarray:
    """(18, 3) from one entry of `people`; joints that OpenPose is unsure of have confidence 0."""
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        raise ValueError(f"{where} has no 'pose_keypoints_2d', it is {outline(person)}; {_MEND}")
    values = person["pose_keypoints_2d"]
    if values is None or values == []:  # only a face or a hand was found
        return np.zeros((18, 3))
    flat = numbers(values, where)
    if flat.shape not in ((54,), (75,)):
        raise ValueError(
            f"{where}: expected 54 numbers (18 joints, COCO) or 75 (25 joints, BODY_25), got {flat.size} "
            f"({flat.size / 3:g} joints); convert other layouts, such as COCO-17 without a neck"
        )
    if not np.isfinite(flat).all():
        raise ValueError(f"{where}: expected finite numbers, got NaN or infinity; missing is 0, 0, 0")
    joints = flat.reshape(-1, 3)
    joints = joints if len(joints) == 18 else joints[list(_FROM_BODY_25)]
    return np.where(joints[:, 2:] > MIN_CONFIDENCE, joints, 0)
