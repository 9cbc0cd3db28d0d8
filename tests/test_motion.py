"""Sequences of poses: bundled, in between, from files."""

import json

import numpy as np
import pytest

from scagan_hub import Pose
from scagan_hub.poses import motion, skeleton
from scagan_hub.poses.motion import in_betweens, read_motion


def bones(pose: Pose) -> dict:
    present = pose.present
    lengths = np.linalg.norm(np.diff(pose.points[np.array(skeleton.LIMBS)], axis=1)[:, 0], axis=1)
    return {limb: lengths[i] for i, limb in enumerate(skeleton.LIMBS) if present[list(limb)].all()}


@pytest.mark.parametrize("name", motion.MOTIONS)
def test_bundled_sequences_go_round_without_a_jump(name):
    poses = motion.motion(name, 48)
    points = np.stack([pose.points for pose in poses])
    always = np.stack([pose.present for pose in poses]).all(0)
    steps = np.linalg.norm(points - np.roll(points, 1, 0), axis=2)[:, always]
    assert always[1:14].all() and steps.max() < 0.35 * motion.UNIT and steps.max(0).max() > 0
    assert all((pose.points[pose.present] > 0).all() and (pose.points < motion.SIZE).all() for pose in poses)
    assert all(np.isclose(pose.body_size, motion.UNIT) for pose in poses)


def test_a_turn_shows_the_face_in_front_and_hides_it_behind():
    front, _, back, _ = motion.motion("turn", 4)
    assert front.present[[0, 14, 15, 16, 17]].all() and not back.present[[0, 14, 15]].any()
    assert front.points[2, 0] < front.points[5, 0] and back.points[2, 0] > back.points[5, 0]


def test_in_betweens_pass_through_the_keys_and_keep_bones(pose, other_pose):
    sequence = in_betweens([pose, other_pose, pose], 9)
    assert len(sequence) == 9
    for i, key in ((0, pose), (4, other_pose), (8, pose)):
        np.testing.assert_allclose(sequence[i].points, key.points, atol=1e-3)
    for between in sequence[1:4]:
        for limb, length in bones(between).items():
            assert min(bones(pose)[limb], bones(other_pose)[limb]) - 1e-3 <= length
            assert length <= max(bones(pose)[limb], bones(other_pose)[limb]) + 1e-3


def test_a_joint_that_one_key_lacks_is_left_out_between(pose):
    keypoints = pose.keypoints.copy()
    keypoints[4] = 0
    sequence = in_betweens([pose, Pose(keypoints, pose.size)], 5)
    assert not any(between.present[4] for between in sequence) and sequence[2].present[3]


def test_what_cannot_be_moved_is_refused(pose):
    with pytest.raises(ValueError, match="two key poses"):
        in_betweens([pose], 5)
    with pytest.raises(ValueError, match="one size"):
        in_betweens([pose, pose.resize((100, 100))], 5)
    with pytest.raises(ValueError, match="walk, turn, wave"):
        motion.motion("fly")
    with pytest.raises(ValueError, match="2 to 500"):
        motion.motion("walk", 1)


def test_a_sequence_comes_back_from_a_file(pose, other_pose, tmp_path):
    file = tmp_path / "poses.json"
    file.write_text(json.dumps([pose.to_dict(), other_pose.to_dict()]))
    assert read_motion(file) == [pose, other_pose]
    file.write_text(json.dumps([pose.to_dict()] * 501))
    with pytest.raises(ValueError, match="at most 500"):
        read_motion(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        read_motion(file)
