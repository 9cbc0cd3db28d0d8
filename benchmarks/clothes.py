"""What of clothes the eye looks at first: cloth between the legs, and cloth that an arm covers in the source."""

import csv

import numpy as np

from scagan_hub.data import PosePairs
from scagan_hub.data.layouts import correspondences_name, view_number
from scagan_hub.data.places import read_correspondences
from scagan_hub.images.filters import box_mean

TOP, BOTTOM, ARMS = 3, 4, 6  # classes of a parsing map
SKIRTS = ("skirt", "dress")


def local_colour(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean colour (H,W,3) of the masked pixels within 4 of each: stripes that lie a little beside theirs are right."""
    weight = box_mean(mask[..., None].astype(np.float32), 4)
    return box_mean(picture.astype(np.float32) * mask[..., None], 4) / np.maximum(weight, 1e-6)


def wearers(data: PosePairs) -> set[int]:
    """Numbers of the people in skirts and dresses."""
    with (data.root / f"identities-{data.images.name}.csv").open(encoding="utf-8") as file:
        return {int(row["identity"]) for row in csv.DictReader(file) if any(word in row["garments"] for word in SKIRTS)}


def person_number(name: str) -> int:
    return int(name.split("_")[1])


def between_legs(pose: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Cloth (H,W) that lies between the thighs, a tenth of the hips' height from either bone; None without both."""
    joints = [8, 9, 11, 12]  # hips and knees
    if (pose[joints, 2] <= 0).any():
        return None
    y, x = np.mgrid[: classes.shape[0], : classes.shape[1]]
    (right_hip, right_knee), (left_hip, left_knee) = pose[[8, 9], :2], pose[[11, 12], :2]
    inner = []
    for hip, knee in ((right_hip, right_knee), (left_hip, left_knee)):
        along = np.clip((y - hip[1]) / (knee[1] - hip[1] if abs(knee[1] - hip[1]) > 1 else 1), 0, 1)
        inner.append(hip[0] + along * (knee[0] - hip[0]))
    low, high = np.minimum(*inner), np.maximum(*inner)
    margin = 0.1 * abs(right_knee[1] - right_hip[1])
    top = max(right_hip[1], left_hip[1]) + 2 * margin
    inside = (x > low + margin) & (x < high - margin) & (y > top) & (y < max(right_knee[1], left_knee[1]))
    return inside & np.isin(classes, (TOP, BOTTOM))


def behind_arms(data: PosePairs, source: str, target: str, source_classes, target_classes) -> np.ndarray:
    """The top's pixels (H,W), every second row and column, that lie behind an arm in the source."""
    path = data.correspondences / correspondences_name(target)
    pixels, places, shown = read_correspondences(path, view_number(source), view_number(target))
    height, width = target_classes.shape
    column, row = np.rint(places).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    hidden = inside & ~shown & (target_classes.reshape(-1)[pixels] == TOP)
    hidden[hidden] &= source_classes[row[hidden], column[hidden]] == ARMS
    mask = np.zeros(height * width, bool)
    mask[pixels[hidden]] = True
    return mask.reshape(height, width)
