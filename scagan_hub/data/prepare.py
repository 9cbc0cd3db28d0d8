"""A data set of any folder of photos: who is in them, in which pose, cropped to the nets' size, paired and split."""

import csv
import json
from collections.abc import Callable
from itertools import groupby, permutations
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..files.writing import whole_folder
from ..images.opening import open_image
from ..poses.pose import Pose
from .annotations import MISSING, read_table
from .cropping import crop_inside
from .hub import front_matter, write_metadata
from .layouts import identity, known_identity, person

CARD = Path(__file__).parents[1] / "assets" / "prepared_card.md"
SIZE = (176, 256)  # width, height
QUALITY = 95  # of WebP

ALONE = "no other usable photo of this person, in these clothes, to pair it with"
SHOWN = 8  # people that are named beforehand
UNNAMED = "the table of identities doesn't name it"


class People(NamedTuple):
    """Who was taken to be in which photos.

    Args:
        photos: of each person, by what they wear: all photos of a set of clothes are paired.
        rule: how that was told.
    """

    photos: dict[str, dict[str, list[str]]]
    rule: str

    def __str__(self) -> str:
        counts = [f"{who} ({sum(map(len, worn.values()))} photos)" for who, worn in self.photos.items()]
        more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
        return f"taken for people, {self.rule}: {', '.join(counts[:SHOWN])}{more}"


class View(NamedTuple):
    """One photo that became an image of the data set.

    Args:
        name: of the image.
        identity: who is in it.
        outfit: in which clothes; the person, where names don't say.
        photo: its path in the folder of photos.
        pose: in the image.
    """

    name: str
    identity: str
    outfit: str
    photo: str
    pose: Pose


class Prepared(NamedTuple):
    """What became of a folder of photos: the views of each split, and by photo why others were dropped."""

    splits: dict[str, list[View]]
    dropped: dict[str, str]


def prepare(
    photos: str | Path,
    output: str | Path,
    identities: str | Path | None = None,
    test: float = 0.1,
    seed: int = 0,
    announce: Callable[[People], None] = lambda people: None,
) -> Prepared:
    """Makes a data set in the people layout of a folder of photos.

    In every photo the largest person is found and cropped out with the pose, without bars; all ordered pairs of a
    person's photos in the same clothes become the pairs. Of one person nobody is held out: there is no test split.
    Beside the tables, `photos.csv` says which image came from which photo, `dropped.csv` which photos were left out and
    why, and README.md is the Hub's card, with which `datasets.load_dataset` reads the folder.

    Args:
        photos: the folder. DeepFashion's and Market-1501's names say who it is; else the photos in a folder of it are
            one person's, and others are told apart by what stands in their names before the view (`layouts.identity`).
        output: the folder to write; it appears whole or not at all.
        identities: a table `name,identity` that says instead who is in which photo.
        test: the share of the people that becomes the test split.
        seed: of the drawing of these people.
        announce: told who was taken to be in the photos, before any is looked at.
    Raises:
        ValueError: no photos, an output that is not empty, a table that names an absent photo, or nobody with two
            usable photos.
    """
    photos, output = Path(photos), Path(output)
    if not 0 < test < 1:
        raise ValueError(f"test: expected a share of the people between 0 and 1, got {test:g}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"cannot write {output}: it is there and not empty; name a new folder")
    people, dropped = _people(photos, identities)
    announce(people)
    total = sum(len(files) for worn in people.photos.values() for files in worn.values())
    with whole_folder(output) as folder, tqdm(total=total, unit="photo", disable=None) as bar:
        (folder / "train").mkdir()
        kept: dict[str, list[View]] = {}
        for number, (who, worn) in enumerate(people.photos.items()):
            for outfit, files in worn.items():
                found = list(_found(photos, files, dropped, bar))
                views, first = kept.get(who, []), len(kept.get(who, []))
                if len(found) > 1:
                    names = [f"{number:06d}_{first + i}.webp" for i in range(len(found))]
                    named = zip(names, found, strict=True)
                    kept[who] = views + [_write_view(folder, name, who, outfit, *view) for name, view in named]
                else:
                    dropped.update((photo, ALONE) for photo, _, _ in found)
        if not kept:
            raise ValueError(_too_few(photos, people, dropped))
        splits = _split(kept, test, seed)
        _write_tables(folder, splits, dropped)
        _write_card(folder, output.name, splits)
    return Prepared(splits, dropped)


def _people(photos: Path, identities: str | Path | None) -> tuple[People, dict[str, str]]:
    """Photos by person and clothes, and why others are out already."""
    if not photos.is_dir():
        raise ValueError(f"{photos}: no such folder; give a folder of photos")
    paths = [path.relative_to(photos) for path in sorted(photos.rglob("*")) if path.is_file()]
    names = [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]
    if not names:
        raise ValueError(f"{photos}: expected photos, found no file")
    if identities is None:
        who = {name: _who(name) for name in names}
        rules = [
            (any(map(known_identity, names)), "by the rules of DeepFashion's and Market-1501's names"),
            (any("/" in name and not known_identity(name) for name in names), "a folder each"),
            (any("/" not in name and not known_identity(name) for name in names), "by what names say before the view"),
        ]
        rule = ", or ".join(said for used, said in rules if used)
    else:
        rule = f"by {Path(identities).name}"
        who = dict(row for _, row in read_table(Path(identities), ("name", "identity"), ","))
        if absent := sorted(who.keys() - set(names)):
            raise ValueError(f"{identities}: {len(absent)} of its photos are not in {photos}: {absent[0]}")
    people: dict[str, dict[str, list[str]]] = {}
    for name in names:
        if name in who:
            outfit = (known_identity(name) if identities is None else None) or who[name]
            people.setdefault(who[name], {}).setdefault(outfit, []).append(name)
    return People(people, rule), {name: UNNAMED for name in names if name not in who}


def _who(name: str) -> str:
    return person(name) if known_identity(name) else name.rpartition("/")[0] or identity(name)


def _found(photos: Path, files: list[str], dropped: dict[str, str], bar: tqdm):
    """(photo, image, pose) of those photos in which somebody is found."""
    for name in files:
        try:
            photo = open_image(photos / name)
            image, pose = crop_inside(photo, Pose.detect(photo), SIZE)
            yield name, image, pose.drop_outside()
        except ValueError as error:
            dropped[name] = str(error).removeprefix(f"{photos / name}: ")
        bar.update()


def _write_view(folder: Path, name: str, who: str, outfit: str, photo: str, image: Image.Image, pose: Pose) -> View:
    image.save(folder / "train" / name, quality=QUALITY)
    return View(name, who, outfit, photo, pose)


def _split(kept: dict[str, list[View]], test: float, seed: int) -> dict[str, list[View]]:
    """The views of each split, drawn by person; at least one person in each, if there are two."""
    if len(kept) == 1:
        return {"train": next(iter(kept.values()))}
    people = np.random.default_rng(seed).permutation(sorted(kept)).tolist()
    held_out = set(people[: min(max(1, round(test * len(people))), len(people) - 1)])
    return {
        "train": [view for who, views in kept.items() if who not in held_out for view in views],
        "test": [view for who, views in kept.items() if who in held_out for view in views],
    }


def _write_tables(folder: Path, splits: dict[str, list[View]], dropped: dict[str, str]) -> None:
    for view in splits.get("test", ()):
        (folder / "test").mkdir(exist_ok=True)
        (folder / "train" / view.name).rename(folder / "test" / view.name)
    for split, views in splits.items():
        lines = [f"{view.name}:{json.dumps(y)}:{json.dumps(x)}" for view in views for y, x in [_columns(view.pose)]]
        (folder / f"annotation-{split}.csv").write_text("\n".join(["name:keypoints_y:keypoints_x", *lines]) + "\n")
        people = [list(same) for _, same in groupby(views, key=lambda view: (view.identity, view.outfit))]
        pairs = [(source.name, target.name) for same in people for source, target in permutations(same, 2)]
        _write_csv(folder / f"pairs-{split}.csv", ("from", "to"), pairs)
    origins = [(view.name, split, view.identity, view.photo) for split, views in splits.items() for view in views]
    _write_csv(folder / "photos.csv", ("name", "split", "identity", "photo"), origins)
    _write_csv(folder / "dropped.csv", ("photo", "why"), sorted(dropped.items()))


def _write_card(folder: Path, name: str, splits: dict[str, list[View]]) -> None:
    """README.md, as the Hub shows it, and the rows that `datasets` reads."""
    write_metadata(folder, {view.name: view.identity for views in splits.values() for view in views})
    counts = [
        f"| {split} | {len({view.identity for view in views}):,} | {len(views):,} |" for split, views in splits.items()
    ]
    text = Template(CARD.read_text(encoding="utf-8")).substitute(
        front_matter=front_matter(folder, name, "other", []), name=name, counts="\n".join(counts)
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _columns(pose: Pose) -> tuple[list[int], list[int]]:
    """y and x of the 18 joints in whole pixels, `MISSING` for those that aren't there."""
    points = np.where(pose.present[:, None], np.rint(pose.points), MISSING).astype(int)
    return points[:, 1].tolist(), points[:, 0].tolist()


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _too_few(photos: Path, people: People, dropped: dict[str, str]) -> str:
    said = (
        f"{photos}: expected somebody with two usable photos, got 0 of {len(people.photos)} people ({people}): "
        "name photos PERSON_VIEW, keep a folder a person, or say who is who in a table"
    )
    for name, why in dropped.items():
        return f"{said}; dropped {len(dropped)} photos, such as {name}: {why}"
    return said
