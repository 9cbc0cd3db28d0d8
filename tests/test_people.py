"""The rendered people: assets checked, shapes and cloth sound, everyone decent, the same seed the same bytes."""

import dataclasses
import hashlib
import json
import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("numba", reason="the extra `people` is not installed")

from scagan_hub.cli import main
from scagan_hub.data import PosePairs
from scagan_hub.people import colours, dataset, wardrobe
from scagan_hub.people.body import Skeleton, macro_targets, quaternions, rotation, rotation_between
from scagan_hub.people.dataset import SPLITS, Arguments, covered_person, picture_of, write
from scagan_hub.people.decency import bare_shares
from scagan_hub.people.person import make_person
from scagan_hub.people.poses import ACTIVE_STANCES, ARM_TARGETS, ARMS, STANCES, Surface, sample_active_pose, sample_pose
from scagan_hub.people.raster import CUTOUT, OPAQUE, cover
from scagan_hub.people.render import FACE, KEYPOINTS, OUTSIDE, SEEN
from scagan_hub.people.studio import Camera, View

SMALL = Arguments(identities=2, views=2, seed=5, height=96, width=66)


@pytest.fixture(scope="module")
def person(assets):
    return make_person(assets, 11)


def test_quaternions_and_rotations_agree():
    rng = np.random.default_rng(0)
    for _ in range(20):
        axis, degrees = rng.normal(size=3), rng.uniform(-180, 180)
        turn = rotation(axis, degrees)
        w, x, y, z = quaternions(turn[None])[0]
        assert abs(abs(w) - abs(np.cos(np.radians(degrees) / 2))) < 1e-9
        np.testing.assert_allclose(np.cross([x, y, z], axis), 0, atol=1e-9)
        a, b = rng.normal(size=(2, 3))
        np.testing.assert_allclose(rotation_between(a, b) @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)


def test_skinning_is_still_at_rest_and_rigid_when_all_turns(assets, person):
    mesh, skeleton = person.mesh, person.skeleton
    rest = skeleton.skin(mesh.vertices, mesh.weights, *skeleton.solve({}))
    np.testing.assert_allclose(rest, mesh.vertices, atol=1e-4)
    turn, root = rotation([1, 2, 3], 70), skeleton.at("root")
    turned = skeleton.skin(mesh.vertices, mesh.weights, *skeleton.solve({"root": turn}))
    np.testing.assert_allclose(turned, (mesh.vertices - root) @ turn.T + root, atol=1e-3)


def test_a_raised_arm_keeps_the_shoulder_s_volume(assets):
    skeleton = Skeleton(assets, assets.vertices)
    axis = skeleton.at("lowerarm01.L") - skeleton.at("upperarm01.L")
    turns, places = skeleton.solve({"upperarm01.L": rotation(axis, 160)})
    arm = np.flatnonzero(assets.side_share("L", "upperarm", "shoulder01") > 0.9)
    middle = skeleton.at("upperarm01.L") + 0.15 * axis
    ring = arm[np.abs((assets.vertices[arm] - middle) @ axis) / np.linalg.norm(axis) < 0.2]
    posed = skeleton.skin(assets.vertices, assets.weights, turns, places)

    def girth(vertices):
        out = vertices[ring] - middle
        return np.linalg.norm(out - np.outer(out @ axis, axis) / (axis @ axis), axis=1).mean()

    assert len(ring) > 8 and girth(posed) > 0.85 * girth(assets.vertices)


def test_shapes_differ_as_asked(assets):
    even = dict.fromkeys(("african", "asian", "caucasian"), 1 / 3)

    def height(**changed):
        values = {"sex": 0.5, "age": 0.1, "muscle": 0.5, "weight": 0.5, "height": 0.5, "ancestry": even} | changed
        return np.ptp(assets.shape(macro_targets(**values))[np.unique(assets.arrays["faces"][assets.group("body")]), 1])

    assert height(height=0.9) > height() > height(height=0.1)
    assert height(sex=1.0) > height(sex=0.0)


def test_cover_takes_the_nearest_within_cut_and_alpha():
    points = np.array([[0, 0, 2], [20.4, 0, 2], [0, 20.4, 2], [0, 0, 1], [10.4, 0, 1], [0, 10.4, 1]], np.float32)
    triangles, material = np.array([[0, 1, 2], [3, 4, 5]], np.int32), np.array([0, 1], np.int32)
    textures = np.full((2, 4, 4, 4), 255, np.uint8)
    uv, none = np.zeros((2, 3, 2), np.float32), np.zeros(6, np.float32)

    def winners(modes=(OPAQUE, OPAQUE), cut=none + 1, bias=none):
        return cover(points, triangles, uv, material, np.array(modes, np.int32), textures, cut, bias, 32, 32)[1]

    both = winners()
    assert [int((both == t).sum()) for t in (-1, 0, 1)] == [32 * 32 - 210, 210 - 55, 55]
    assert (winners(bias=np.array([0, 0, 0, 2, 2, 2], np.float32)) == 1).sum() == 0
    textures[1, ..., 3] = 0
    assert (winners((OPAQUE, CUTOUT)) == 1).sum() == 0
    half = winners(cut=np.array([1, -1, 1, 1, 1, 1], np.float32))
    assert 0 < (half == 0).sum() < 155


def test_camera_projects_along_its_rays():
    camera = Camera(View("front", 0, 5, "full", 1, 0.02), 0, 18, (0.3, -0.2), (64, 44))
    ways = camera.rays()
    point = camera.eye + 40 * ways[10, 30]
    np.testing.assert_allclose(camera.project(point[None])[0, :2], [30.5, 10.5], atol=1e-4)


def test_a_camera_that_is_tilted_turns_the_picture_about_its_middle():
    size, point = (64, 44), np.array([[3.0, 12.0, 1.0]])
    upright, tilted = (
        Camera(View("front", 0, 5, "full", 1, 0, roll), 0, 18, (0.0, 0.0), size).project(point)[0] for roll in (0, 30)
    )
    middle = np.array([22, 32])
    np.testing.assert_allclose(
        tilted[:2] - middle, rotation([0, 0, 1], -30)[:2, :2] @ (upright[:2] - middle), atol=1e-4
    )
    assert tilted[2] == upright[2]


def test_active_people_bend_their_knees(assets):
    """Pictures of active people differ from those of standing ones in their poses, and say which they are."""
    active, kinds = dataclasses.replace(SMALL, poses="active"), set()
    person, _ = covered_person(assets, SMALL, "train", 0)
    for view in range(8):
        kinds.add(picture_of(person, active, view)[1]["pose"].split("-")[0])
    assert len(kinds & set(ACTIVE_STANCES)) >= 3 and kinds & set(STANCES)
    with pytest.raises(ValueError, match="poses: expected one of standing, active, got 'sitting'"):
        dataclasses.replace(SMALL, poses="sitting")


def test_everyone_is_covered(assets):
    shares = np.array([bare_shares(make_person(assets, seed, held_out=seed % 3 == 0)) for seed in range(12)])
    assert shares.max() < dataset.BARE


def test_an_identity_without_trousers_is_refused(assets, monkeypatch):
    """As a fault once had it: a top is drawn and nothing else."""
    monkeypatch.setattr(wardrobe, "choose", lambda *_: wardrobe.Outfit([wardrobe.Worn("male_casualsuit02", "top")]))
    assert bare_shares(make_person(assets, 1))[1] > 2 * dataset.BARE
    with pytest.raises(ValueError, match="covered"):
        covered_person(assets, SMALL, "train", 0)


def test_nobody_wears_the_colour_of_their_skin(assets):
    """Cloth that a glance would take for skin is drawn again."""
    dark, light = (assets.skin_colour(f"young_{place}_female") for place in ("african", "caucasian"))
    assert colours.like_skin("chocolate", dark) and not colours.like_skin("chocolate", light)
    assert colours.like_skin("beige", light) and not colours.like_skin("beige", dark)
    assert not any(
        colours.like_skin(name, skin) for name in ("white", "black", "denim", "red") for skin in (dark, light)
    )
    for seed in range(15):
        about = make_person(assets, seed).about
        skin = assets.skin_colour(f"{about['age']}_{about['ancestry']}_{about['sex']}")
        worn = [look.rpartition(" ")[0] for look in about["cloth"].split("+")]
        assert not any(colours.like_skin(name, skin) for name in worn), about


def test_held_out_garments_are_never_worn_in_training(assets):
    rng = np.random.default_rng(0)
    worn = {held: set() for held in (False, True)}
    for held in worn:
        for _ in range(150):
            outfit = wardrobe.choose(assets, rng, str(rng.choice(["male", "female"])), held)
            names = set(outfit.names())
            unseen = {name for name in names if name.split()[0] in wardrobe.HELD_OUT}
            assert bool(unseen) == held
            worn[held] |= names
    assert len(worn[False]) > 25
    assert not set(wardrobe.SHOES) & set(wardrobe.HELD_OUT_SHOES)


@pytest.mark.parametrize(("sample", "arms"), [(sample_pose, ARMS), (sample_active_pose, ARM_TARGETS)])
def test_hands_stay_out_of_the_body(assets, person, sample, arms):
    """The middle of each hand is outside the trunk's skin, in poses of every kind."""
    rng, kinds, deepest = np.random.default_rng(3), set(), []
    skeleton = person.skeleton
    for _ in range(60):
        pose, name = sample(skeleton, person.body, rng, look=0)
        kinds |= set(name.split("-")[1:])
        turns, places = skeleton.solve(pose)
        surface = Surface(skeleton, person.body, pose)
        for side in "LR":
            knuckles = places[[assets.bones[f"finger{n}-2.{side}"] for n in "235"]]
            deepest.append(np.linalg.norm(surface.push(knuckles, 0.0)))
    assert kinds == set(arms)
    assert np.mean(np.array(deepest) > 0.05) < 0.05, np.sort(deepest)[-10:]


def test_keypoints_lie_on_the_person(assets):
    inside, total = 0, 0
    for number in range(4):
        person, _ = covered_person(assets, SMALL, "train", number)
        for view in range(3):
            picture, _ = picture_of(person, SMALL, view)
            y, x = picture.annotation()
            for name, row, column, (_, _, seen) in zip(KEYPOINTS, y, x, picture.keypoints, strict=True):
                assert (row == -1) == (column == -1) == (seen == OUTSIDE or (name in FACE and seen != SEEN))
                if row >= 0:
                    near = picture.parsing[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
                    inside, total = inside + bool(near.any()), total + 1
    assert total > 120 and inside / total > 0.99


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(assets, tmp_path):
    for workers in (1, 2):
        write(tmp_path / str(workers), SMALL, workers=workers)
    one, two = (
        {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
        for root in (tmp_path / "1", tmp_path / "2")
    )
    assert one == two and len(one) == 4 * 2 * 2 + 3 * 5 + 3
    manifest = json.loads(one["manifest.json"])
    card = one["README.md"].decode()
    assert "$" not in card and "| train | 2 | 4 | 4 |" in card
    assert manifest["licence"] == "CC0-1.0" and len(manifest["packages"][0]["sha256"]) == 64
    for split in SPLITS:
        pairs = PosePairs(tmp_path / "1", split, (96, 66), parsing=True)
        assert len(pairs) == manifest["counts"][split]["pairs"] == SMALL.count(split) * 2
        assert pairs[0]["source_parsing"].max() <= 7
    people = [one[f"identities-{split}.csv"].decode().splitlines()[1:] for split in SPLITS]
    assert len({line.split(",", 1)[1] for lines in people for line in lines}) == 4

    with pytest.raises(ValueError, match="no unfinished data set"):
        write(tmp_path / "1", SMALL)


def test_a_stopped_run_goes_on(assets, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total):
        raise Stop

    folder, records = tmp_path / "set", tmp_path / "set" / dataset.RECORDS
    with pytest.raises(Stop):
        write(folder, SMALL, progress=stop)
    assert not (folder / "manifest.json").exists()
    done = sorted(records.glob("*.json"))
    done[0].unlink()
    with pytest.raises(ValueError, match="begun with"):
        write(folder, dataclasses.replace(SMALL, seed=6))
    seen = []
    write(folder, SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (len(done), 4) and seen[-1] == (4, 4)
    assert (folder / "manifest.json").exists() and not records.exists()


def test_a_killed_worker_ends_the_run_in_a_line():
    with pytest.raises(ValueError, match="worker was killed") as caught, dataset._workers(1) as pool:
        list(pool.map(os._exit, [9]))
    assert "again" in str(caught.value)


def test_command_refuses_what_is_bad(tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    for options in (
        ["--output", tmp_path / "a", "--identities", "0"],
        ["--output", tmp_path / "a", "--views", "1"],
        ["--output", tmp_path / "a", "--workers", "0"],
        ["--output", tmp_path / "full"],
        ["--output", tmp_path / "full" / "thesis.txt"],
    ):
        assert main(["people", *map(str, options)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("scagan: error: ")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "thesis.txt"]


FINGERPRINTS = {
    0: ("e2f26981ea34", "eeb7eeeec9eeedcbbeddb9cddeb9deedbaceeda9cedca9cd"),
    1: ("d5b1e9827c85", "cc9bccdd89ddda99bdc9879ddd67dddc44cddc56bddc799d"),
    2: ("4dc72365f98e", "cc99ddcc77ddcc45ddcc64cdcc33cdca76cdc6c7bcc6b9ac"),
}


def test_pictures_are_those_of_this_version(assets):
    """Hashes of keypoints, and pictures of 6 x 8 pixels in 16 grey levels, which processors may round by one level:
    what changes them needs a new `dataset.VERSION`."""
    for number, (expected_hash, expected_levels) in FINGERPRINTS.items():
        person, _ = covered_person(assets, SMALL, "train", number)
        picture, _ = picture_of(person, SMALL, 0)
        coarse = np.asarray(Image.fromarray(picture.image).convert("L").resize((6, 8), Image.Resampling.BOX)) // 16
        keypoints = np.array(picture.annotation()).astype("<i4").tobytes()
        levels = "".join(f"{level:x}" for level in coarse.ravel())
        assert hashlib.sha256(keypoints).hexdigest()[:12] == expected_hash
        steps = [abs(int(a, 16) - int(b, 16)) for a, b in zip(levels, expected_levels, strict=True)]
        assert max(steps) <= 1, levels
