"""The lines that help: each where it is due, and none for what the model was made for."""

import numpy as np
import pytest
from PIL import Image

from scagan_hub import Pose, gallery
from scagan_hub.demo.advice import advice
from scagan_hub.demo.drawing import draw
from scagan_hub.demo.requests import Request, Source, Target, read_source


@pytest.fixture
def advised(pipes):
    """The lines about a source and a target."""

    def advised(source: Source, target: Target) -> list[str]:
        pipe = pipes["first"]
        return list(advice(pipe, source, target, draw(pipe, source, target)))

    return advised


def bundled(person: str = "person02", pose: str = "person02-view2") -> tuple[Source, Target]:
    return read_source(person, None), Request(pose=pose).target()


def without(pose: Pose, *joints: int) -> Pose:
    keypoints = pose.keypoints.copy()
    keypoints[list(joints)] = 0
    return Pose(keypoints, pose.size)


def test_bundled_people_need_no_advice(advised):
    whole = [person for person in gallery.people() if gallery.pose(f"{person}-view2").present[1:14].all()][:8]
    assert len(whole) == 8
    assert [line for person in whole for line in advised(*bundled(person, f"{person}-view2"))] == []


def test_several_people_are_told(advised):
    source, target = bundled()
    (line,) = advised(Source(source.image, source.pose, people=3), target)
    assert line.startswith("3 people are in the photo")
    (line,) = advised(source, Target(target.pose, people=2))
    assert "2 people are in the pose's photo" in line


def test_a_person_too_small_is_told(advised):
    image, pose = gallery.person("person02")
    field = Image.new("RGB", (1000, 800), image.getpixel((2, 2)))
    field.paste(image.resize((88, 128)), (300, 300))
    small = pose.transform((0.5, 0.5), (300, 300), field.size)
    lines = advised(Source(field, small), bundled()[1])
    assert any("small in the photo: enlarged" in line for line in lines)


def test_missing_joints_are_told(advised):
    source, target = bundled()
    (line,) = advised(Source(source.image, without(source.pose, 9, 10, 12, 13)), target)
    assert "does not show the legs:" in line
    (line,) = advised(Source(source.image, without(source.pose, 3, 4)), target)
    assert "does not show the right arm:" in line
    lines = advised(source, Target(without(target.pose, 3, 4, 6, 7)))
    assert any("The pose lacks the arms" in line for line in lines)


def test_what_is_far_from_the_training_is_told_with_its_score(advised):
    source, target = bundled()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 176, 3), np.uint8))
    (line,) = advised(Source(noise, source.pose), target)
    assert "This picture is unlike those" in line and "score 8" in line
    wild = Pose(np.column_stack([target.pose.points * (1, -1) + (0, 255), target.pose.present]), target.pose.size)
    (line,) = advised(source, Target(wild))
    assert "This pose is unlike those" in line
