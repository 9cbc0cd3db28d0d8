"""What a request means: which person, from which picture, in which pose."""

from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from .. import gallery
from ..inputs import KEEP, PLAIN
from ..photos.decoder import decoders
from ..poses.openpose import UNKNOWN_SIZE
from ..poses.pose import Pose
from .skeleton import edited

MAX_SEED = 2**32 - 1
BACKDROPS = {"Plain": PLAIN, "The photo's own": KEEP, "White": "white", "Black": "black"}
NOBODY = (
    "found nobody in the picture; expected a person, well lit and large enough to see: try another photo, "
    "or choose a bundled one"
)


@dataclass(frozen=True)
class Source:
    """A picture, the pose of the person in it, that person's name where bundled, and how many people it shows."""

    image: Image.Image
    pose: Pose
    name: str | None = None
    people: int = 1


@dataclass(frozen=True)
class Target:
    """A pose, its name where bundled and untouched, and how many people the photo shows that it is from."""

    pose: Pose
    name: str | None = None
    people: int = 1


class Request(NamedTuple):
    """What the endpoint takes, in its order (see `generate` in `transfer.py`); last, what the page alone takes."""

    person: str | None = None
    pose: str | None = None
    photo: str | None = None
    pose_photo: str | None = None
    pose_json: str | None = None
    skeleton: dict | None = None
    seed: float | None = 0
    model: str | None = None
    precision: str | None = "float32"
    whose: float | None = 1
    pose_whose: float | None = 1
    backdrop: str | None = None

    @property
    def files(self) -> tuple[str | None, ...]:
        return self.photo, self.pose_photo, self.pose_json

    def ground(self):
        """The backdrop by its name on the page; never a path, which would be one of the server's.

        Raises:
            ValueError: no such name.
        """
        if self.backdrop is not None and self.backdrop not in BACKDROPS:
            raise ValueError(f"backdrop: expected one of {', '.join(BACKDROPS)}, got {str(self.backdrop)[:40]!r}")
        return BACKDROPS.get(self.backdrop, PLAIN)

    def source(self) -> Source:
        return read_source(self.person, self.photo, self.whose)

    def target(self) -> Target:
        """What comes later of pose, photo, JSON and skeleton counts, the last only where it was moved.

        Raises:
            ValueError: none is given, or what is given is no pose.
        """
        moved = edited(self.skeleton)
        if moved is not None:
            return Target(moved)
        if self.pose_json:
            return Target(*decoders().poses(self.pose_json, UNKNOWN_SIZE))
        if self.pose_photo:
            pose, people = _found(decoders().picture(self.pose_photo), self.pose_whose)
            return Target(pose, people=people)
        if not self.pose:
            raise ValueError("no target pose: choose a bundled one, or give a photo or an OpenPose JSON")
        return Target(gallery.pose(self.pose), name=self.pose)


def read_source(person: str | None, photo: str | None, whose: float | None = 1) -> Source:
    """A bundled person, or the one of this number, from 1, in a photo taken in its place.

    Raises:
        ValueError: neither is given, no such person, an unreadable photo, or nobody in it.
    """
    if photo:
        image = decoders().picture(photo)
        pose, people = _found(image, whose)
        return Source(image, pose, people=people)
    if not person:
        raise ValueError("no person: choose a bundled one, or give a photo")
    return Source(*gallery.person(person), name=person)


def whole(value, what: str, least: int, most: int) -> int:
    """A whole number within bounds, as a page or a program sends it.

    Raises:
        ValueError: something else.
    """
    if not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(f"{what}: expected a whole number from {least} to {most}, got {str(value)[:40]}")
    return int(value)


def truth(source: Source, target: Target) -> Image.Image | None:
    """The true picture of this person in this pose, where it is known."""
    return gallery.truth(source.name, target.name) if source.name and target.name else None


def _found(image: Image.Image, whose: float | None) -> tuple[Pose, int]:
    """The chosen one of the people in a photo, and how many there are."""
    from ..poses.detect import detect_people

    people = detect_people(image)
    if not people:
        raise ValueError(NOBODY)
    return people[whole(whose, "which of the people in the photo", 1, len(people)) - 1], len(people)
