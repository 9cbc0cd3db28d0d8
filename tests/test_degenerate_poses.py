"""Poses that nobody can take: whatever joints are given, pictures are finite and no part is drawn over all of them."""

import numpy as np
import pytest
import torch
from conftest import HEIGHT, STANDING, WIDTH

from scagan_hub import Pose
from scagan_hub.content.alignment import FAR, carried_on, part_maps, sampling_map

SIZE = (HEIGHT, WIDTH)


def standing() -> np.ndarray:
    return np.concatenate([np.array(STANDING, np.float32), np.ones((18, 1), np.float32)], 1)


def zero_bones() -> np.ndarray:
    """Elbows on shoulders, wrists on elbows, knees on hips, ankles on knees."""
    pose = standing()
    for parent, *joints in ((2, 3, 4), (5, 6, 7), (8, 9, 10), (11, 12, 13)):
        pose[joints, :2] = pose[parent, :2]
    return pose


def all_in_one_point() -> np.ndarray:
    pose = standing()
    pose[:, :2] = WIDTH / 2, HEIGHT / 2
    return pose


def head_alone() -> np.ndarray:
    pose = standing()
    pose[1:14] = 0
    return pose


def one_joint() -> np.ndarray:
    pose = np.zeros((18, 3), np.float32)
    pose[4] = 10, 30, 1
    return pose


def far_outside() -> np.ndarray:
    pose = standing()
    pose[[4, 10, 13], :2] = 1e4
    return pose


DEGENERATE = [zero_bones, all_in_one_point, head_alone, one_joint, far_outside]


@pytest.mark.parametrize("make", DEGENERATE)
@pytest.mark.parametrize("as_source", [False, True])
def test_places_of_parts_are_finite_and_none_covers_everything(make, as_source):
    poses = [torch.from_numpy(pose)[None] for pose in (make(), standing())]
    source, target = poses if as_source else poses[::-1]
    place, distance, position = part_maps(source, target, SIZE, 2)
    assert all(x.isfinite().all() for x in (place, distance, position)) and distance.max() <= FAR
    where, mask = sampling_map(source, target, SIZE)
    assert where[mask > 0].isfinite().all()
    assert (mask > 0).float().mean() < 0.75


@pytest.mark.parametrize("make", DEGENERATE)
@pytest.mark.parametrize("as_source", [False, True])
@pytest.mark.parametrize("form", ["mend_pipe", "tiny_pipe"])
def test_pictures_are_finite(make, as_source, form, picture, request):
    pipe = request.getfixturevalue(form)
    poses = [Pose(make(), (WIDTH, HEIGHT)), Pose(standing(), (WIDTH, HEIGHT))]
    source, target = poses if as_source else poses[::-1]
    out = pipe(picture, target, source_pose=source, output_type="np")
    assert np.isfinite(out.images).all() and np.isfinite(out.edges).all()
    assert out.images.min() >= 0 and out.images.max() <= 1


def test_a_bone_of_no_length_is_not_drawn():
    source, target = (torch.from_numpy(pose)[None] for pose in (standing(), zero_bones()))
    drawn = part_maps(source, target, SIZE, 1)[1].amin((2, 3))[0] < FAR
    limbs = [0, 1, 2, 3, 5, 6, 7, 8]
    assert not drawn[limbs].any() and drawn[4] and drawn[9]


def test_colours_go_on_beyond_the_person():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 3, 20, 14, generator=generator)
    inside = torch.zeros(3, 1, 20, 14)
    inside[:2, :, 4:16, 3:11] = 1
    image[0, :, :, :7], image[0, :, :, 7:] = 0.2, 0.8
    image[:2] = torch.where(inside[:2] > 0, image[:2], 5.0)
    found = carried_on(image, inside)
    own = (slice(None), slice(5, 15), slice(4, 10))
    assert torch.equal(found[:2][(slice(None), *own)], image[:2][(slice(None), *own)])
    low, high = (getattr(image[1][own], name)((1, 2)) for name in ("amin", "amax"))
    assert (found[1].amin((1, 2)) >= low - 1e-5).all() and (found[1].amax((1, 2)) <= high + 1e-5).all()
    assert found[0, :, 5:12, 0].max() < 0.5 < found[0, :, 5:12, -1].min()
    assert torch.equal(found[2], image[2])
