"""Writes a data set of rendered people: pictures, parsing maps, the tables that `PosePairs` reads, card and manifest;
if wanted, also where in one picture of a person each pixel of another lies.

Every picture is a function of the data set's seed, its split, the person's number and the view's number alone, so
that any number of workers writes the same bytes. A stopped run goes on where it stopped: a person's record is written
after their pictures, the tables after all records, the manifest last.
"""

import csv
import io
import itertools
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.hub import write_metadata
from ..files.locks import claimed
from ..files.processes import workers as processes
from ..files.writing import whole_file
from .assets import ensure_assets
from .card import write_card
from .correspondences import FAR, correspondences
from .manifest import make_manifest

VERSION = 1  # of the pictures: the same version, seed and arguments give the same ones
SPLITS = ("train", "test", "test-garments")
RECORDS, NOTE = ".records", "arguments"  # what a run that was stopped goes on from
PALETTE = (*(0, 0, 0, 90, 60, 30, 250, 200, 160, 220, 40, 40, 40, 80, 220, 60, 180, 60, 250, 170, 90, 200, 120, 60),)
BACKDROPS, POSES = ("studio", "varied"), ("standing", "active")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ATTEMPTS = 5  # persons drawn for a number before giving up on one who is covered
ACTIVE_SHARE = 0.65  # of the pictures of a data set of active people; in the others they stand
BARE = 0.25  # the largest share of chest or hips that may be bare; a low neckline and a cropped top have 0.15


@dataclass(frozen=True)
class Arguments:
    """What a data set is a function of.

    Args:
        identities: people to train with; a tenth of them (at least one) more in each test split.
        views: pictures of each.
        seed: of everything.
        height, width: of the pictures in pixels.
        backdrop: "studio", or "varied" to add places outside.
        poses: "standing" as in a shop's pictures, or "active" for most as in sport and dance, seen from anywhere.
        correspondences: whether to write `correspondences` of the pictures of each person, too.
    """

    identities: int
    views: int = 6
    seed: int = 0
    height: int = 256
    width: int = 176
    backdrop: str = "studio"
    poses: str = "standing"
    correspondences: bool = False

    def __post_init__(self):
        for name, least in (("identities", 1), ("views", 2), ("seed", 0), ("height", 32), ("width", 32)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name, known in (("backdrop", BACKDROPS), ("poses", POSES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.correspondences and max(self.height, self.width) > FAR:
            raise ValueError(f"correspondences: expected at most {FAR} pixels a side, got {self.height} x {self.width}")

    def count(self, split: str) -> int:
        return self.identities if split == "train" else max(1, self.identities // 10)


def write(folder: Path, arguments: Arguments, workers: int = 1, progress=lambda done, total: None) -> dict:
    """Write the data set to `folder`; returns its manifest.

    Raises:
        ValueError: the assets cannot be had; `folder` holds something else; `workers` is not positive.
        ImportError: the extra `people` is not installed.
    """
    if find_spec("numba") is None:
        raise ImportError("people are rendered with numba: pip install 'scagan-hub[people]'")
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    folder = Path(folder)
    _check_claim(folder, arguments)
    ensure_assets()
    with claimed(folder):
        return _write(folder, arguments, workers, progress)


def _write(folder: Path, arguments: Arguments, count: int, progress) -> dict:
    _claim(folder, arguments)
    jobs = [(folder, arguments, split, number) for split in SPLITS for number in range(arguments.count(split))]
    done = {path.stem for path in (folder / RECORDS).glob("*.json")}
    left = [job for job in jobs if _person_name(job[2], job[3]) not in done]
    start = len(jobs) - len(left) + 1
    with _workers(count) as pool:
        for n, _ in enumerate(pool.map(_render_person, left), start):
            progress(n, len(jobs))
    return _finish(folder, arguments)


@contextmanager
def _workers(count: int):
    """Processes of one thread each, so that sums come out alike in all; stopped at once when something fails."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ |= dict.fromkeys(THREADS, "1")  # read when a worker starts
    try:
        with processes(count, "spawn") as pool:
            yield pool
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _person_name(split: str, number: int) -> str:
    return f"{split}_{number:06d}"


def _check_claim(folder: Path, arguments: Arguments) -> None:
    """Refuse a `folder` that is neither new nor the rest of a run with the same arguments."""
    note = folder / RECORDS / NOTE
    if note.is_file():
        if (begun := json.loads(note.read_text())) != _note(arguments):
            raise ValueError(f"{folder} was begun with {begun}, not {_note(arguments)}; use those or another folder")
        return
    taken = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    if taken and not _lacks_correspondences(folder, arguments):
        raise ValueError(f"cannot write {folder}: it exists and is no unfinished data set; give another folder")


def _lacks_correspondences(folder: Path, arguments: Arguments) -> bool:
    """Whether `folder` is a finished data set of the same arguments, but without all correspondences asked for."""
    try:
        written = json.loads((folder / "manifest.json").read_text())
        had = {"version": written["version"], "poses": POSES[0], **written["arguments"]}
        had["correspondences"] = arguments.correspondences
    except (OSError, ValueError, KeyError, TypeError):  # no manifest of ours
        return False
    jobs = [(split, number) for split in SPLITS for number in range(arguments.count(split))]
    there = all(_correspondences_path(folder, *job).is_file() for job in jobs)
    return had == _note(arguments) and arguments.correspondences and not there


def _correspondences_path(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}_correspondences" / f"{_person_name(split, number)}.npz"


def _note(arguments: Arguments) -> dict:
    return {"version": VERSION, **asdict(arguments)}


def _claim(folder: Path, arguments: Arguments) -> None:
    """Make `folder`'s folders and note the arguments."""
    try:
        kinds = ("", "_parsing", "_correspondences") if arguments.correspondences else ("", "_parsing")
        for name in (RECORDS, *(split + kind for split in SPLITS for kind in kinds)):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / RECORDS / NOTE).write_text(json.dumps(_note(arguments)))
    except OSError as error:
        raise ValueError(f"cannot write {folder}: {error.strerror}; write elsewhere") from error


@lru_cache(1)
def _assets():
    from .body import Assets

    return Assets(ensure_assets())


def covered_person(assets, arguments: Arguments, split: str, number: int):
    """The person of a number, and how many were refused before them: chest and hips must be covered."""
    from .decency import bare_shares
    from .person import make_person

    for attempt in range(ATTEMPTS):
        seed = np.random.SeedSequence([arguments.seed, SPLITS.index(split), number, attempt]).generate_state(1)[0]
        person = make_person(assets, int(seed), held_out=split == "test-garments")
        if max(bare_shares(person)) < BARE:
            return person, attempt
    raise ValueError(f"{split} {number}: none of {ATTEMPTS} people drawn is covered; take another --seed")


def _render_person(job: tuple) -> None:
    folder, arguments, split, number = job
    person, refused = covered_person(_assets(), arguments, split, number)
    pictures, rows = [], []
    for view in range(arguments.views):
        picture, about = picture_of(person, arguments, view)
        pictures.append(picture)
        name = f"{_person_name(split, number)}_{view}"
        Image.fromarray(picture.image).save(folder / split / f"{name}.webp", quality=90, method=4)
        parsing = Image.fromarray(picture.parsing)
        parsing.putpalette(PALETTE + (0,) * (768 - len(PALETTE)))
        parsing.save(folder / f"{split}_parsing" / f"{name}.png", optimize=True)
        y, x = picture.annotation()
        rows.append({"name": f"{name}.webp", "y": y, "x": x, **about})
    if arguments.correspondences:
        with whole_file(_correspondences_path(folder, split, number)) as partial:
            np.savez(partial, **correspondences(pictures))
    record = {"number": number, "refused": refused, "about": person.about, "pictures": rows}
    with whole_file(folder / RECORDS / f"{_person_name(split, number)}.json") as partial:
        partial.write_text(json.dumps(record))


def picture_of(person, arguments: Arguments, number: int):
    """View `number` of a person, and what it shows: view, frame, pose."""
    from .poses import sample_active_pose, sample_pose
    from .render import render
    from .studio import sample_free_view, sample_studio, sample_view

    studio = sample_studio(np.random.default_rng([person.seed, 1]), arguments.backdrop)
    rng = np.random.default_rng([person.seed, 2, number])
    active = arguments.poses == "active" and rng.random() < ACTIVE_SHARE
    view = (sample_free_view if active else sample_view)(rng)
    pose, name = (sample_active_pose if active else sample_pose)(person.skeleton, person.body, rng, look=-view.yaw)
    picture = render(person, pose, view, studio, (arguments.height, arguments.width))
    return picture, {"view": view.name, "frame": view.frame, "pose": name, "backdrop": studio.kind}


def _finish(folder: Path, arguments: Arguments) -> dict:
    """The tables and the manifest, from the records."""
    records = {
        split: [
            json.loads((folder / RECORDS / f"{_person_name(split, n)}.json").read_text())
            for n in range(arguments.count(split))
        ]
        for split in SPLITS
    }
    for split, people in records.items():
        pictures = [row for person in people for row in person["pictures"]]
        lines = [f"{row['name']}:{json.dumps(row['y'])}:{json.dumps(row['x'])}" for row in pictures]
        _table(folder / f"annotation-{split}.csv", ["name:keypoints_y:keypoints_x", *lines])
        names = [[row["name"] for row in person["pictures"]] for person in people]
        pairs = [f"{a},{b}" for own in names for a, b in itertools.permutations(own, 2)]
        _table(folder / f"pairs-{split}.csv", ["from,to", *pairs])
        text = io.StringIO()
        table = csv.DictWriter(text, ["identity", *people[0]["about"]], lineterminator="\n")
        table.writeheader()
        table.writerows({"identity": person["number"]} | person["about"] for person in people)
        _table(folder / f"identities-{split}.csv", text.getvalue().splitlines())
        seen = [{key: row[key] for key in ("name", "view", "frame", "pose", "backdrop")} for row in pictures]
        _table(folder / f"views-{split}.csv", [",".join(seen[0]), *(",".join(row.values()) for row in seen)])
    manifest = make_manifest(arguments, records, VERSION)
    write_metadata(folder)
    write_card(folder, manifest)
    with whole_file(folder / "manifest.json") as partial:
        partial.write_text(json.dumps(manifest, indent=1) + "\n")
    shutil.rmtree(folder / RECORDS)
    return manifest


def _table(path: Path, lines: list[str]) -> None:
    with whole_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n")
