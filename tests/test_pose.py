"""Pose: formats round trip, bad input is refused in one clear line, fitting has the properties it promises."""

import json
import subprocess
import sys

import numpy as np
import pytest

from scagan_hub.poses.pose import Pose

SIZE = (176, 256)
# x, y of someone who stands facing the camera, in the order of Pose.JOINTS.
STANDING = [(88, 35), (88, 60), (68, 62), (60, 95), (56, 125), (108, 62), (116, 95), (120, 125), (76, 125), (74, 175)]
STANDING += [(74, 225), (100, 125), (102, 175), (102, 225), (84, 30), (92, 30), (78, 33), (98, 33)]
LOWER_BODY, UPPER_BODY, HEAD = [8, 9, 10, 11, 12, 13], [0, 1, 2, 3, 4, 5, 6, 7, 14, 15, 16, 17], [0, 14, 15, 16, 17]


def make_pose(missing=(), scale=1.0, shift=(0.0, 0.0), size=SIZE) -> Pose:
    keypoints = np.ones((18, 3))
    keypoints[:, :2] = np.array(STANDING) * scale + shift
    keypoints[list(missing)] = 0
    return Pose(keypoints, size)


def openpose(*people) -> dict:
    return {"version": 1.3, "people": [{"pose_keypoints_2d": np.ravel(person).tolist()} for person in people]}


def body_25(pose: Pose) -> np.ndarray:
    joints = np.full((25, 3), 7.0)
    joints[[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]] = pose.keypoints
    return joints


def test_import_needs_no_torch():
    code = "import sys, scagan_hub; scagan_hub.Pose; print({'torch', 'gradio', 'diffusers'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("set()")


def test_missing_joints_are_zero_and_keypoints_read_only():
    keypoints = make_pose().keypoints.copy()
    keypoints[3, 2], keypoints[4, 2] = 0, -1
    pose = Pose(keypoints, SIZE)
    assert pose.keypoints.shape == (18, 3) and pose.keypoints.dtype == np.float32
    assert not pose.keypoints[3:5].any() and pose.present.sum() == 16
    with pytest.raises(ValueError):
        pose.keypoints[0, 0] = 1


def test_dict_round_trip_is_exact():
    rng = np.random.default_rng(0)
    pose = Pose(np.column_stack([rng.uniform(0, 176, (18, 2)), rng.uniform(-0.2, 1, 18)]), SIZE)
    text = json.dumps(pose.to_dict())
    assert Pose.from_dict(json.loads(text)) == pose == Pose.from_openpose(text)
    assert hash(Pose.from_dict(json.loads(text))) == hash(pose)


def test_from_annotation():
    y, x = [int(p[1]) for p in STANDING], [int(p[0]) for p in STANDING]
    y[4], x[7] = -1, -1
    pose = Pose.from_annotation(y, x)
    assert pose == make_pose(missing=[4, 7]) == Pose.from_annotation(json.dumps(y), json.dumps(x), SIZE)


@pytest.mark.parametrize("layout", [lambda pose: pose.keypoints, body_25], ids=["COCO-18", "BODY_25"])
def test_from_openpose_layouts(layout, tmp_path):
    pose, values = make_pose(missing=[4]), openpose(layout(make_pose(missing=[4])))
    path = tmp_path / "pose.json"
    path.write_text(json.dumps(values))
    for source in (values, json.dumps(values), path, str(path), [values]):
        assert Pose.from_openpose(source, SIZE) == pose


def test_from_openpose_takes_the_largest_person_and_sure_joints():
    small, large = make_pose(scale=0.3), make_pose()
    keypoints = large.keypoints.copy()
    keypoints[4, 2] = 0.01
    pose = Pose.from_openpose(openpose(small.keypoints, keypoints), SIZE)
    assert pose == make_pose(missing=[4])


def test_from_openpose_size():
    pose = make_pose()
    values = openpose(pose.keypoints) | {"canvas_width": 352, "canvas_height": 512}
    assert Pose.from_openpose(values).size == Pose.from_openpose(values, SIZE).size == (352, 512)
    assert Pose.from_openpose(pose.to_dict()) == pose
    assert Pose.from_openpose(pose.keypoints.tolist(), SIZE) == pose
    with pytest.raises(ValueError, match="size"):
        Pose.from_openpose(openpose(pose.keypoints))


GOOD = make_pose().keypoints.tolist()
BAD = {
    "17 joints": (GOOD[:17], "18 joints.*\\(17, 3\\)"),
    "17 joints, OpenPose": (openpose(GOOD[:17]), "17 joints"),
    "NaN": (json.dumps([[float("nan"), 1, 1]] + GOOD[1:]), "NaN.*nose"),
    "NaN, OpenPose": (json.dumps(openpose([[float("nan"), 1, 1]] + GOOD[1:])), "NaN"),
    "infinity": ([[1, float("inf"), 1]] + GOOD[1:], "infinity"),
    "all missing": ([[0, 0, 0]] * 18, "every joint is missing"),
    "all missing, OpenPose": (openpose([[0, 0, 0]] * 18), "no person"),
    "nobody": ({"people": []}, "no person"),
    "only a face": ({"people": [{"pose_keypoints_2d": []}]}, "no person"),
    "people is no list": ({"people": 3}, "'people' should be a list"),
    "person is no dict": ({"people": [3]}, "pose_keypoints_2d"),
    "fractions": (openpose(np.array(GOOD) / [176, 256, 1]), "pixels"),
    "text": ([["a", 1, 1]] + GOOD[1:], "numbers"),
    "null": ([None] + GOOD[1:], "numbers"),
    "ragged": ([[1, 2]] + GOOD[1:], "equal lengths"),
    "far away": ([[1e30, 1, 1]] + GOOD[1:], "pixels"),
    "other keys": ({"joints": GOOD}, "joints"),
    "a number": (7, "int"),
    "no JSON": ("{people", "not readable as JSON"),
    "deep": ("[" * 100_000, "not readable as JSON"),
    "no such file": ("nowhere.json", "no such file"),
    "bad size": ({"keypoints": GOOD, "size": [176.5, 256]}, "whole numbers"),
    "negative size": ({"keypoints": GOOD, "size": [-1, 256]}, "pixels"),
    "huge size": ({"keypoints": GOOD, "size": [10**9, 10**9]}, "pixels"),
}


@pytest.mark.parametrize("source, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_clear_line(source, message):
    with pytest.raises(ValueError, match=message) as error:
        Pose.from_openpose(source, SIZE)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_bad_files(tmp_path):
    binary, huge = tmp_path / "binary.json", tmp_path / "huge.json"
    binary.write_bytes(bytes(range(128, 256)))
    huge.write_bytes(b"[" + b"0," * 6_000_000 + b"0]")
    for path, message in ((binary, "binary"), (huge, "kilobytes"), (tmp_path, "no such file")):
        with pytest.raises(ValueError, match=message):
            Pose.from_openpose(path, SIZE)


def test_bad_dict_and_annotation():
    with pytest.raises(ValueError, match="'keypoints' and 'size'"):
        Pose.from_dict({"keypoints": GOOD})
    with pytest.raises(ValueError, match="keypoints_x: expected 18"):
        Pose.from_annotation([1] * 18, [1] * 17)


def test_resize_and_mirror():
    pose = make_pose(missing=[4])
    np.testing.assert_allclose(pose.resize((352, 512)).points, 2 * pose.points)
    mirrored = pose.mirror()
    assert mirrored.mirror() == pose
    assert not mirrored.present[7] and mirrored.present[4]
    assert mirrored.points[2, 0] == 175 - pose.points[5, 0]


def test_drop_outside():
    pose = make_pose(shift=(0, 40)).drop_outside()
    np.testing.assert_array_equal(np.flatnonzero(~pose.present), [10, 13])
    with pytest.raises(ValueError, match="none there"):
        make_pose(shift=(500, 0)).drop_outside()


@pytest.mark.parametrize("missing", [[], LOWER_BODY, UPPER_BODY, [0, *HEAD], [1], list(range(1, 18))])
def test_fit_to_itself_changes_nothing(missing):
    pose = make_pose(missing)
    assert pose.fit_to(pose) == pose


@pytest.mark.parametrize("missing", [[], LOWER_BODY, [1, 8, 11], UPPER_BODY])
def test_fit_to_undoes_scale_and_shift(missing):
    pose = make_pose(missing)
    fitted = make_pose(missing, scale=2.7, shift=(-31, 800), size=(1000, 2000)).fit_to(pose)
    assert fitted.size == SIZE
    np.testing.assert_allclose(fitted.points, pose.points, atol=1e-3)


def test_fit_to_takes_over_torso_size_and_place():
    rng = np.random.default_rng(1)
    other = Pose(make_pose().keypoints + [[5, 3, 0]] * rng.normal(size=(18, 1)), (200, 300))
    fitted = make_pose(scale=0.4).fit_to(other)
    assert fitted.body_size == pytest.approx(other.body_size, rel=1e-5)
    middle = [(p.points[1] + (p.points[8] + p.points[11]) / 2) / 2 for p in (fitted, other)]
    np.testing.assert_allclose(*middle, atol=1e-3)


@pytest.mark.parametrize("shown", [UPPER_BODY, HEAD, [1, 2, 5], [0, 1]], ids=["half body", "head", "shoulders", "neck"])
def test_whole_body_fitted_to_part_of_one(shown):
    hidden = [joint for joint in range(18) if joint not in shown]
    close_up = make_pose(hidden, scale=3, shift=(-180, -20))
    fitted = make_pose().fit_to(close_up)
    assert fitted.present.all()
    np.testing.assert_allclose(fitted.points[shown], close_up.points[shown], atol=1e-3)


def test_fit_to_sees_through_a_foreshortened_torso():
    keypoints = make_pose().keypoints.copy()
    keypoints[[8, 11], 1] -= 55  # hips right behind the neck, as when looking down on somebody
    keypoints[[9, 10, 12, 13], 1] -= 55
    pose = Pose(keypoints, SIZE)
    assert pose.body_size == pytest.approx(make_pose().body_size, rel=0.25)


def test_poses_without_common_joints_still_fit():
    fitted = make_pose(UPPER_BODY).fit_to(make_pose(LOWER_BODY, scale=0.5))
    assert fitted.present.sum() == 6 and np.isfinite(fitted.points).all()


def test_draw():
    pose = make_pose()
    picture = np.asarray(pose.draw())
    assert picture.shape == (256, 176, 3) and picture.dtype == np.uint8
    assert (picture[0] == 0).all() and picture.max() == 255
    for x, y in STANDING[2:14]:
        assert picture[y, x].any()
    assert pose.draw((88, 128)).size == (88, 128)
    assert not np.asarray(make_pose(shift=(900, 0)).draw()).any()


def test_heatmaps():
    pose = make_pose(missing=[4])
    maps = pose.heatmaps(sigma=12)
    assert maps.shape == (18, 256, 176) and not maps[4].any()
    assert maps[0, 35, 88] == 1 and maps.min() >= 0 and maps.max() == 1
    assert maps[0, 35 + 12, 88 - 12] == pytest.approx(np.exp(-1))
    with pytest.raises(ValueError, match="sigma"):
        pose.heatmaps(0)
