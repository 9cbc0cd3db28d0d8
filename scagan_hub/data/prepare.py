"""A data set of any folder of photos: who is in them, in which pose, cropped to the nets' size, paired and split."""

import csv
import json
from itertools import groupby, permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..files.writing import whole_folder
from ..images.opening import open_image
from ..photos.crop import fit_photo
from ..poses.pose import Pose
from .annotations import MISSING, read_table
from .layouts import identity

SIZE = (176, 256)  # width, height
QUALITY = 95  # of WebP

ALONE = "no other usable photo of this person to pair it with"
UNNAMED = "the table of identities doesn't name it"


class View(NamedTuple):
    """One photo that became an image of the data set.

    Args:
        name: of the image.
        identity: who is in it.
        photo: its path in the folder of photos.
        pose: in the image.
    """

    name: str
    identity: str
    photo: str
    pose: Pose


class Prepared(NamedTuple):
    """What became of a folder of photos: the views of each split, and by photo why others were dropped."""

    splits: dict[str, list[View]]
    dropped: dict[str, str]


def prepare(
    photos: str | Path, output: str | Path, identities: str | Path | None = None, test: float = 0.1, seed: int = 0
) -> Prepared:
    """Makes a data set in the people layout of a folder of photos.

    In every photo the largest person is found and cropped out with the pose; all ordered pairs of a person's photos
    become the pairs. Beside the tables, `photos.csv` says which image came from which photo, and `dropped.csv` which
    photos were left out, and why.

    Args:
        photos: the folder. The photos in a folder of it are one person's; others are told apart by what stands in
            their names before the last `_`, `-` or space.
        output: the folder to write; it appears whole or not at all.
        identities: a table `name,identity` that says instead who is in which photo.
        test: the share of the people that becomes the test split.
        seed: of the drawing of these people.
    Raises:
        ValueError: no photos, an output that is not empty, a table that names an absent photo, or fewer than two
            people of two usable photos each.
    """
    photos, output = Path(photos), Path(output)
    if not 0 < test < 1:
        raise ValueError(f"test: expected a share of the people between 0 and 1, got {test:g}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"cannot write {output}: it is there and not empty; name a new folder")
    people, dropped = _people(photos, identities)
    with whole_folder(output) as folder, tqdm(total=sum(map(len, people.values())), unit="photo", disable=None) as bar:
        (folder / "train").mkdir()
        kept = {}
        for number, (who, files) in enumerate(people.items()):
            found = list(_found(photos, files, dropped, bar))
            if len(found) > 1:
                kept[who] = [_write_view(folder, f"{number:06d}_{i}.webp", who, *view) for i, view in enumerate(found)]
            else:
                dropped.update((photo, ALONE) for photo, _, _ in found)
        if len(kept) < 2:
            raise ValueError(_too_few(photos, people, kept, dropped))
        splits = _split(kept, test, seed)
        _write_tables(folder, splits, dropped)
    return Prepared(splits, dropped)


def _people(photos: Path, identities: str | Path | None) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Photos by person, and why others are out already."""
    if not photos.is_dir():
        raise ValueError(f"{photos}: no such folder; give a folder of photos")
    paths = [path.relative_to(photos) for path in sorted(photos.rglob("*")) if path.is_file()]
    names = [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]
    if not names:
        raise ValueError(f"{photos}: expected photos, found no file")
    if identities is None:
        who = {name: name.rpartition("/")[0] or identity(name) for name in names}
    else:
        who = dict(row for _, row in read_table(Path(identities), ("name", "identity"), ","))
        if absent := sorted(who.keys() - set(names)):
            raise ValueError(f"{identities}: {len(absent)} of its photos are not in {photos}: {absent[0]}")
    people = {}
    for name in names:
        if name in who:
            people.setdefault(who[name], []).append(name)
    return people, {name: UNNAMED for name in names if name not in who}


def _found(photos: Path, files: list[str], dropped: dict[str, str], bar: tqdm):
    """(photo, image, pose) of those photos in which somebody is found."""
    for name in files:
        try:
            photo = open_image(photos / name)
            image, pose = fit_photo(photo, Pose.detect(photo), SIZE)
            yield name, image, pose.drop_outside()
        except ValueError as error:
            dropped[name] = str(error).removeprefix(f"{photos / name}: ")
        bar.update()


def _write_view(folder: Path, name: str, who: str, photo: str, image: Image.Image, pose: Pose) -> View:
    image.save(folder / "train" / name, quality=QUALITY)
    return View(name, who, photo, pose)


def _split(kept: dict[str, list[View]], test: float, seed: int) -> dict[str, list[View]]:
    """The views of each split, drawn by person; at least one person in each."""
    people = np.random.default_rng(seed).permutation(sorted(kept)).tolist()
    held_out = set(people[: min(max(1, round(test * len(people))), len(people) - 1)])
    return {
        "train": [view for who, views in kept.items() if who not in held_out for view in views],
        "test": [view for who, views in kept.items() if who in held_out for view in views],
    }


def _write_tables(folder: Path, splits: dict[str, list[View]], dropped: dict[str, str]) -> None:
    (folder / "test").mkdir()
    for view in splits["test"]:
        (folder / "train" / view.name).rename(folder / "test" / view.name)
    for split, views in splits.items():
        lines = [f"{view.name}:{json.dumps(y)}:{json.dumps(x)}" for view in views for y, x in [_columns(view.pose)]]
        (folder / f"annotation-{split}.csv").write_text("\n".join(["name:keypoints_y:keypoints_x", *lines]) + "\n")
        people = [list(same) for _, same in groupby(views, key=lambda view: view.identity)]
        pairs = [(source.name, target.name) for same in people for source, target in permutations(same, 2)]
        _write_csv(folder / f"pairs-{split}.csv", ("from", "to"), pairs)
    origins = [(view.name, split, view.identity, view.photo) for split, views in splits.items() for view in views]
    _write_csv(folder / "photos.csv", ("name", "split", "identity", "photo"), origins)
    _write_csv(folder / "dropped.csv", ("photo", "why"), sorted(dropped.items()))


def _columns(pose: Pose) -> tuple[list[int], list[int]]:
    """y and x of the 18 joints in whole pixels, `MISSING` for those that aren't there."""
    points = np.where(pose.present[:, None], np.rint(pose.points), MISSING).astype(int)
    return points[:, 1].tolist(), points[:, 0].tolist()


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _too_few(photos: Path, people: dict, kept: dict, dropped: dict[str, str]) -> str:
    said = (
        f"{photos}: expected at least two people with two usable photos each, got {len(kept)} of {len(people)} people: "
        "name photos PERSON_VIEW, keep a folder a person, or say who is who in a table"
    )
    for name, why in dropped.items():
        return f"{said}; dropped {len(dropped)} photos, such as {name}: {why}"
    return said
