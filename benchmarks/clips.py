"""Films of real people with free licences, which `photographs.py` takes its photographs and pairs from.

They lie in two packages on PyPI, fetched once (60 MB), checked, and kept in the user's cache; none of it is in the
repository. Which frames are taken is said here. Films, spans and windows were chosen by looking at the films, for the
person to be whole and found by the detector, before any model had been given them; none was changed by what came out.
"""

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scagan_hub.files.packages import Package, cache_folder, pip
from scagan_hub.files.writing import whole_folder
from scagan_hub.poses.detect import detect_people
from scagan_hub.poses.pose import Pose

USE = "whose films photographs are taken from"
SPORTS2D = Package(
    "sports2d",
    "0.8.34",
    "sports2d-0.8.34-py3-none-any.whl",
    "733b6db70742636ae9c35d870c22bd416582f579abd5881bee93a14bb0e2655d",
    pip(),
    USE,
    "BSD-3-Clause (sports2d-0.8.34.dist-info/licenses/LICENSE)",
)
POSE2SIM = Package(
    "pose2sim",
    "0.10.49",
    "pose2sim-0.10.49-py3-none-any.whl",
    "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1",
    pip(),
    USE,
    "BSD-3-Clause (pose2sim-0.10.49.dist-info/licenses/LICENSE)",
)
SINGLE, SEVERAL = (f"Pose2Sim/Demo_{kind}Person/videos/cam0{{}}.mp4" for kind in ("Single", "Multi"))


@dataclass(frozen=True)
class Clip:
    """A view of one person.

    Args:
        name: of the person and the view.
        package: that has the film.
        path: of the film in it.
        first, last: frames, the first is 0, between which the person is seen whole.
        shown: frames that the sheet shows.
        window: left, top, right, bottom in the frame `first`, where somebody else is larger; None: all of it.
        drift: pixels that the window moves to the right from one frame to the next.
    """

    name: str
    package: Package
    path: str
    first: int = 0
    last: int = 99
    shown: tuple[int, ...] = (10,)
    window: tuple[int, int, int, int] | None = None
    drift: float = 0

    @property
    def file(self) -> str:
        """Name in the cache."""
        return f"{self.package.name}-{'-'.join(Path(self.path).parts[1:])}"

    def pairs(self, count: int) -> list[tuple[int, int]]:
        """Frames to start from and to arrive at, half the clip later; spread evenly, none twice."""
        gap = (self.last - self.first + 1) // 2
        if count > gap:
            raise ValueError(f"{self.name}: expected at most {gap} pairs a clip, got {count}; give a lower --pairs")
        starts = np.linspace(self.first, self.first + gap - 1, count).astype(int).tolist()
        return [(start, start + gap) for start in starts]

    def photo(self, frame: int, picture: Image.Image) -> tuple[Image.Image, Pose] | None:
        """The window of a frame and the pose of the person in it, who is the nearest to its middle; None: not found."""
        middle = None
        if self.window:
            left, top, right, bottom = self.window
            shift = round(self.drift * (frame - self.first))
            box = (max(left + shift, 0), max(top, 0), min(right + shift, picture.width), min(bottom, picture.height))
            picture = picture.crop(box)
            middle = np.array(picture.size) / 2
        people = detect_people(picture)
        if middle is not None:
            people.sort(key=lambda pose: float(np.hypot(*(pose.points[pose.present].mean(0) - middle))))
        return (picture, people[0]) if people else None


CLIPS = [
    Clip("walker", SPORTS2D, "Sports2D/Demo/demo.mp4", 65, 165, (85, 145), (1171, 450, 1571, 994), -9.9),
    *(Clip(f"gymnast, view {view}", POSE2SIM, SINGLE.format(view)) for view in (1, 2, 3, 4)),
    Clip("colleague, view 1", POSE2SIM, SEVERAL.format(1), window=(480, 750, 1088, 1920)),
    Clip("colleague, view 2", POSE2SIM, SEVERAL.format(2), window=(0, 580, 460, 1600)),
    Clip("colleague, view 4", POSE2SIM, SEVERAL.format(4), window=(540, 340, 960, 1080)),
]


def ensure_films() -> Path:
    """The folder of the films, fetched if it is not there yet.

    Raises:
        ValueError: one line that says what cannot be had and how to mend it.
    """
    folder = cache_folder("clips-1")
    if all((folder / clip.file).is_file() for clip in CLIPS):
        return folder
    print(f"fetching films (60 MB, once) into {folder}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, whole_folder(folder) as partial:
        for package in (SPORTS2D, POSE2SIM):
            with zipfile.ZipFile(package.fetch(Path(temporary))) as archive:
                for clip in (clip for clip in CLIPS if clip.package == package):
                    with archive.open(clip.path) as film, (partial / clip.file).open("wb") as file:
                        shutil.copyfileobj(film, file)
    return folder


def read_frames(film: Path, wanted: Iterable[int]) -> dict[int, Image.Image]:
    """Frames of a film by number.

    Raises:
        ValueError: it ends before the last one.
    """
    import av

    wanted, found = set(wanted), {}
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                found[number] = frame.to_image()
            if len(found) == len(wanted):
                return found
    raise ValueError(f"{film}: expected a frame {max(wanted)}, it has fewer")
