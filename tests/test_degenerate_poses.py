"""Poses that nobody can take: whatever joints are given, pictures are finite and no part is drawn over all of them."""

import numpy as np
import pytest
import torch
from conftest import HEIGHT, STANDING, WIDTH

from scagan_hub import Pose
from scagan_hub.content.alignment import FAR, part_maps, sampling_map
from scagan_hub.models.place_net import brought_inside

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


def test_places_outside_the_person_go_to_the_nearest_cell_of_theirs():
    generator = torch.Generator().manual_seed(0)
    inside = torch.rand(3, 12, 10, generator=generator) > 0.8
    inside[2] = False
    position = torch.rand(3, 2, 12, 10, generator=generator) * 16 - 3
    found = brought_inside(position, inside)
    for picture in range(2):
        cells = inside[picture].nonzero().flip(1).float()
        at = torch.stack([position[picture, 0].clamp(0, 9), position[picture, 1].clamp(0, 11)]).round()
        own = inside[picture][at[1].long(), at[0].long()]
        assert (found[picture][:, own] == position[picture][:, own]).all() and 0 < own.sum() < own.numel()
        distance = torch.cdist(at[:, ~own].T, cells).amin(1)
        assert torch.allclose((found[picture][:, ~own] - at[:, ~own]).norm(dim=0), distance)
    assert (found[2] == position[2]).all()
