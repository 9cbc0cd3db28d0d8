"""The bundled people: whole, readable as a data set, and true to their names."""

import subprocess
import sys

import numpy as np
import pytest

from scagan_hub import Pose, gallery
from scagan_hub.data import PosePairs


def test_people_have_pictures_and_poses():
    assert len(gallery.people()) == 24 and gallery.people()[0] == "person01"
    for name in gallery.people():
        image, pose = gallery.person(name)
        assert (image.mode, image.size, pose.size) == ("RGB", gallery.SIZE, gallery.SIZE)
        assert pose == gallery.pose(f"{name}-view1")
        ankles = [Pose.JOINTS.index(joint) for joint in ("right_ankle", "left_ankle")]
        assert pose.present[ankles].all()


def test_truths_are_the_other_pictures_of_the_same_person():
    assert gallery.truths("person02") == [f"person02-view{k}" for k in range(2, 7)]
    assert set(gallery.truths("person02")) <= set(gallery.poses()) and len(gallery.poses()) == 24 * 6
    start, _ = gallery.person("person02")
    pictures = [gallery.truth("person02", name) for name in gallery.truths("person02")]
    assert all(picture.size == gallery.SIZE and picture.mode == "RGB" for picture in pictures)
    assert len({picture.tobytes() for picture in [start, *pictures]}) == 6
    assert gallery.truth("person02", "person03-view2") is None
    assert gallery.truth("person02", "person02-view1") is None  # the source itself


def test_the_data_set_reads_the_same_folder():
    pairs = PosePairs(gallery.FOLDER, "test")
    assert len(pairs) == 24 * 6 * 5
    item = pairs[0]
    image, pose = gallery.person("person01")
    np.testing.assert_array_equal(item["source_image"].permute(1, 2, 0), np.asarray(image))
    np.testing.assert_array_equal(item["source_pose"], pose.keypoints)
    np.testing.assert_array_equal(item["target_pose"], gallery.pose("person01-view2").keypoints)
    target = gallery.truth("person01", "person01-view2")
    np.testing.assert_array_equal(item["target_image"].permute(1, 2, 0), np.asarray(target))


@pytest.mark.parametrize("name", ["person99", "person01-view1", "../person01", ""])
def test_unknown_people(name):
    for call in (gallery.person, gallery.truths, lambda name: gallery.truth(name, "person01-view2")):
        with pytest.raises(ValueError, match="person01 to person24"):
            call(name)


@pytest.mark.parametrize("name", ["person01", "person01-view7", "../../etc/passwd", ""])
def test_unknown_poses(name):
    for call in (gallery.pose, lambda name: gallery.truth("person01", name)):
        with pytest.raises(ValueError, match="person01-view1 to person24-view6"):
            call(name)


def test_needs_no_torch():
    script = "import sys; from scagan_hub import gallery; gallery.person('person01'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
