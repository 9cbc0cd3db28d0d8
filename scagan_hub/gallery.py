"""The bundled people and poses: where a picture may start from, and go to, without a photo of one's own.

24 rendered people of the test split, which training never saw, with 6 pictures each (assets/gallery/NOTICE).
`FOLDER` has the data set's layout, so that `PosePairs(FOLDER, "test")` reads it as it is. A person is named
"person01", the pose in their k-th picture "person01-view1"; the first picture is the one a person starts from, and
the others are the truth that a generated picture can be held against.
"""

from functools import cache
from pathlib import Path

from PIL import Image

from .poses.pose import Pose

FOLDER = Path(__file__).parent / "assets" / "gallery"
SIZE = (176, 256)  # width, height of all pictures


def people() -> list[str]:
    """Names of the bundled people."""
    return sorted({_person_of(name) for name in _views()})


def person(name: str) -> tuple[Image.Image, Pose]:
    """A person's first picture, RGB of `SIZE`, and the pose in it.

    Raises:
        ValueError: no bundled person has this name.
    """
    _check_person(name)
    return _picture(f"{name}-view1"), pose(f"{name}-view1")


def poses() -> list[str]:
    """Names of the bundled poses, person by person."""
    return list(_views())


def pose(name: str) -> Pose:
    """A bundled pose, in pixels of a picture of `SIZE`.

    Raises:
        ValueError: no bundled pose has this name.
    """
    if name not in _views():
        raise ValueError(f"no bundled pose is named {_shown(name)}; expected {poses()[0]} to {poses()[-1]}")
    return _views()[name][1]


def truths(name: str) -> list[str]:
    """Names of the poses in which the true picture of this person is known; the one they start from left out.

    Raises:
        ValueError: no bundled person has this name.
    """
    _check_person(name)
    return [view for view in poses() if _person_of(view) == name][1:]


def truth(name: str, pose_name: str) -> Image.Image | None:
    """The true picture of a person in a pose, RGB of `SIZE`; None where there is none.

    Raises:
        ValueError: no bundled person or pose has this name.
    """
    pose(pose_name)
    return _picture(pose_name) if pose_name in truths(name) else None


@cache
def _views() -> dict[str, tuple[Path, Pose]]:
    """File and pose by name, in the order of the annotations."""
    _, *lines = (FOLDER / "annotation-test.csv").read_text(encoding="utf-8").splitlines()
    identities: list[str] = []
    views = {}
    for file, keypoints_y, keypoints_x in (line.split(":") for line in lines):
        _, identity, view = Path(file).stem.split("_")
        if identity not in identities:
            identities.append(identity)
        name = f"person{len(identities):02d}-view{int(view) + 1}"
        views[name] = (FOLDER / "test" / file, Pose.from_annotation(keypoints_y, keypoints_x, SIZE))
    return views


def _check_person(name: str) -> None:
    if name not in people():
        raise ValueError(f"no bundled person is named {_shown(name)}; expected {people()[0]} to {people()[-1]}")


def _picture(view: str) -> Image.Image:
    with Image.open(_views()[view][0]) as file:
        return file.convert("RGB")


def _person_of(view: str) -> str:
    return view.split("-")[0]


def _shown(name: object) -> str:
    return repr(str(name)[:80])
