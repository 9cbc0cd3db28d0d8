"""Lines that help: what about a request is likely to make its picture worse, and how to mend it."""

from collections.abc import Iterator

from ..pipeline import ScaGan
from ..poses.pose import Pose
from .drawing import Drawn
from .requests import Source, Target

ENLARGED = 1.5  # times that a photo may be enlarged before it looks soft
PARTS = {
    "the head": (0, 14, 15, 16, 17),
    "the shoulders": (2, 5),
    "the arms": (3, 4, 6, 7),
    "the right arm": (3, 4),
    "the left arm": (6, 7),
    "the hips": (8, 11),
    "the legs": (9, 10, 12, 13),
    "the right leg": (9, 10),
    "the left leg": (12, 13),
}


def advice(pipe: ScaGan, source: Source, target: Target, drawn: Drawn) -> Iterator[str]:
    """Lines about a request whose picture was made nevertheless, the gravest first."""
    if source.people > 1:
        yield f"{source.people} people are in the photo: the one that is chosen was cropped out."
    if target.people > 1:
        yield f"{target.people} people are in the pose's photo: the pose of the one that is chosen was taken."
    scale = _enlarged(source, drawn)
    if scale > ENLARGED:
        yield f"The person is small in the photo: enlarged {scale:.1f} times. Take a closer photo."
    yield from _far(pipe, drawn)
    yield from _missing(drawn.source_pose, "The photo does not show {}: the model has to guess there.")
    yield from _missing(drawn.pose, "The pose lacks {}: the picture may, too.")


def _far(pipe: ScaGan, drawn: Drawn) -> Iterator[str]:
    """How far from what the model was trained on, where that was measured."""
    if pipe.domain is None:
        return
    picture, pose = pipe.domain.picture_score(drawn.source), pipe.domain.pose_score(drawn.pose)
    if picture > 1:
        yield (
            f"This picture is unlike those that the model was trained on (score {picture:.1f}; 99.5 % of those are "
            "below 1): expect a worse result than with the bundled people."
        )
    if pose > 1:
        yield f"This pose is unlike those that the model was trained on (score {pose:.1f}): limbs may come out wrong."


def _enlarged(source: Source, drawn: Drawn) -> float:
    """Picture pixels per pixel of the photo."""
    shown = drawn.source_pose.present & source.pose.present
    spans = [pose.points[shown].max(0) - pose.points[shown].min(0) for pose in (source.pose, drawn.source_pose)]
    return float(max(spans[1]) / max(max(spans[0]), 1))


def _missing(pose: Pose, line: str) -> Iterator[str]:
    gone, told = [], set()
    for name, joints in PARTS.items():
        if not pose.present[list(joints)].any() and not told.issuperset(joints):
            gone.append(name)
            told.update(joints)
    if gone:
        yield line.format(" and ".join(gone))
