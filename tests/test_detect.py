"""BlazePose finds people in rendered pictures and in a photo, and nobody where nobody is."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scagan_hub.images.opening import open_image
from scagan_hub.photos.crop import fit_photo
from scagan_hub.poses import blazepose
from scagan_hub.poses.detect import detect_people
from scagan_hub.poses.pose import Pose
from tests.test_photo import PHOTO

pytest.importorskip("ai_edge_litert")

PEOPLE = Path(__file__).parent / "fixtures" / "people"
ANNOTATIONS = [line.split(":") for line in (PEOPLE / "annotation.csv").read_text().splitlines()[1:]]


@pytest.mark.parametrize("name, y, x", ANNOTATIONS)
def test_rendered_people(name, y, x):
    truth, (found,) = Pose.from_annotation(y, x), detect_people(PEOPLE / name)
    assert found.size == truth.size
    np.testing.assert_array_equal(found.present, truth.present)
    error = np.linalg.norm(found.points - truth.points, axis=1)[truth.present]
    assert np.median(error) < 0.07 * truth.body_size and error.max() < 0.2 * truth.body_size
    confidence = found.keypoints[found.present, 2]
    assert confidence.min() > 0 and confidence.max() <= 1


@pytest.mark.parametrize("angle", [90, -90, 180])
def test_turned_people_are_found_turned(angle):
    name, y, x = ANNOTATIONS[0]
    upright = detect_people(PEOPLE / name)[0]
    turned = detect_people(open_image(PEOPLE / name).rotate(angle, expand=True))[0]
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    expected = (upright.points - np.array(upright.size) / 2) @ matrix.T + np.array(turned.size) / 2
    both = upright.present & turned.present
    assert both.sum() >= 14
    assert np.median(np.linalg.norm(turned.points - expected, axis=1)[both]) < 0.1 * upright.body_size


def test_two_people_the_largest_first():
    name, *_ = ANNOTATIONS[0]
    person, canvas = open_image(PEOPLE / name), Image.new("RGB", (640, 400), (232, 230, 230))
    canvas.paste(person.resize((200, 291)), (60, 100))
    canvas.paste(person.resize((264, 384)), (330, 8))
    people = detect_people(canvas)
    assert len(people) == 2 and people[0].body_size > 1.2 * people[1].body_size
    assert people[0].points[1, 0] > 330 > people[1].points[1, 0]
    assert Pose.detect(canvas) == people[0]


def test_a_small_person_in_a_large_picture():
    name, y, x = ANNOTATIONS[0]
    canvas = Image.new("RGB", (1100, 800), (232, 230, 230))
    canvas.paste(open_image(PEOPLE / name), (800, 500))
    truth = Pose.from_annotation(y, x).transform((1, 1), (800, 500), canvas.size)
    (found,) = detect_people(canvas)
    assert np.median(np.linalg.norm(found.points - truth.points, axis=1)) < 0.1 * truth.body_size


def test_photo_of_half_a_body():
    pose = Pose.detect(PHOTO)
    assert not pose.present[[9, 10, 12, 13]].any() and pose.present[[0, 1, 2, 5, 14, 15]].all()
    assert np.linalg.norm(pose.points[0] - (217, 127)) < 20  # the nose
    assert pose.points[2, 0] < pose.points[1, 0] < pose.points[5, 0]
    image, fitted = fit_photo(open_image(PHOTO), pose)
    again = Pose.detect(image)
    both = fitted.present & again.present
    assert np.median(np.linalg.norm(fitted.points - again.points, axis=1)[both]) < 0.1 * fitted.body_size


def test_nobody():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    for image in (Image.new("RGB", (300, 200), "white"), Image.fromarray(noise), Image.new("RGB", (16, 2000))):
        assert detect_people(image) == []
    with pytest.raises(ValueError, match="found nobody") as error:
        Pose.detect(Image.new("RGB", (300, 200), "white"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["cat", "coffee", "moon", "page", "horse"])
def test_animals_and_things_are_nobody(name):
    data = pytest.importorskip("skimage.data")
    picture = np.asarray(getattr(data, name)())
    assert detect_people(Image.fromarray((picture * 255).astype(np.uint8) if picture.dtype == bool else picture)) == []


def test_threads_get_what_one_gets():
    pictures = [open_image(PEOPLE / name) for name, *_ in ANNOTATIONS] * 2
    alone = [detect_people(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detect_people, pictures)) == alone


def test_nothing_is_written_to_the_terminal(capfd):
    blazepose._interpreter.cache_clear()
    assert detect_people(PEOPLE / ANNOTATIONS[0][0])
    assert capfd.readouterr() == ("", "")


def test_without_litert_it_says_what_to_install(monkeypatch):
    blazepose._interpreter.cache_clear()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"scagan-hub\[detect\]"):
        detect_people(PEOPLE / ANNOTATIONS[0][0])


def test_overlap():
    box = np.array([[0.5, 0.5], [0.2, 0.2]])
    others = np.array([box, box + [[0.1, 0], [0, 0]], box + [[0.5, 0], [0, 0]]])
    np.testing.assert_allclose(blazepose._overlap(box, others), [1, 1 / 3, 0], atol=1e-9)
