"""Where a data set keeps its tables and images, and what its names say.

Three layouts, told apart by what the tables of a split are called; in each, `{split}/` has the split's images:

| layout | tables | images |
|---|---|---|
| people | `pairs-{split}.csv`, `annotation-{split}.csv` | all of one size |
| DeepFashion, of the PATN family | `fasion-resize-pairs-{split}.csv`, `-annotation-`, `{split}.lst` | 256 x 176 |
| Market-1501, of the same family | `market-pairs-{split}.csv`, `market-annotation-{split}.csv` | 128 x 64 |

DeepFashion's tables are also found spelt `fashion-`, and without `resize-`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "test")
FOREIGN = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "__macosx", "$recycle.bin"}


@dataclass(frozen=True)
class Layout:
    """One way to lay out a data set.

    Args:
        name: what people call it.
        prefixes: what the names of its tables may begin with; the first that is there counts.
        image_size: (height, width) that its keypoints are made for; None: not said.
        selected: whether its pairs are a selection, so that an image without a pair is nothing unusual.
    """

    name: str
    prefixes: tuple[str, ...]
    image_size: tuple[int, int] | None = None
    selected: bool = False


LAYOUTS = (
    Layout("people", ("",)),
    Layout("DeepFashion", ("fasion-resize-", "fashion-resize-", "fasion-", "fashion-"), (256, 176), selected=True),
    Layout("Market-1501", ("market-",), (128, 64), selected=True),
)


class Split:
    """The files of one split of a data set.

    Args:
        root: the data set's folder.
        name: "train" or "test".
    Raises:
        ValueError: the folder has no table of pairs of this split in any of the layouts.
    """

    def __init__(self, root: str | Path, name: str):
        self.root, self.name = Path(root), name
        self.layout, prefix = self._recognised()
        self.pairs = self.root / f"{prefix}pairs-{name}.csv"
        self.annotations = self.root / f"{prefix}annotation-{name}.csv"
        self.list = self.root / f"{name}.lst"
        self.images, self.parsings = self.root / name, self.root / f"{name}_parsing"
        self.correspondences = self.root / f"{name}_correspondences"
        self.files = _files(self.images)
        self._by_key = {key(file): file for file in self.files}

    def _recognised(self) -> tuple[Layout, str]:
        for layout in LAYOUTS:
            for prefix in layout.prefixes:
                if (self.root / f"{prefix}pairs-{self.name}.csv").is_file():
                    return layout, prefix
        raise ValueError(
            f"no file {self.root / f'pairs-{self.name}.csv'}, nor one named as in DeepFashion (fasion-resize-) or "
            "Market-1501 (market-); a data set folder has it beside its images"
        )

    def resolve(self, names: Iterable[str]) -> dict[str, str]:
        """Image files by the names that tables give them: with or without `fashion` in front, whatever the suffix.

        A name that no file answers to stands for itself.
        """
        return {name: name if name in self.files else self._by_key.get(key(name), name) for name in names}

    def all_files(self) -> list[Path]:
        """All that the split consists of: tables, images, maps and correspondences."""
        tables = [path for path in (self.pairs, self.annotations, self.list) if path.is_file()]
        folders = (self.images, self.parsings, self.correspondences)
        return tables + [folder / name for folder in folders for name in sorted(_files(folder))]

    def parsing_maps(self) -> set[str]:
        """Names of the parsing maps that are there."""
        return _files(self.parsings)

    def correspondences_files(self) -> set[str]:
        """Names of the people's correspondences that are there."""
        return _files(self.correspondences)


def splits(root: str | Path) -> list[str]:
    """`SPLITS`, and whatever other splits a data set's folder has tables of pairs for."""
    others = sorted(re.search(r"pairs-(.+)\.csv$", path.name)[1] for path in Path(root).glob("*pairs-?*.csv"))
    return list(dict.fromkeys([*SPLITS, *others]))


def key(name: str) -> str:
    """What the names of one image have in common: no suffix, and no `fashion` (or `fasion`) in front."""
    return re.sub(r"^fash?ion(?=(?:WO)?MEN)", "", name.rpartition(".")[0] or name)


def map_name(name: str) -> str:
    """The parsing map of an image."""
    return f"{Path(name).stem}.png"


def correspondences_name(name: str) -> str:
    """The file of the correspondences between an image and the others of that person."""
    return f"{identity(name)}.npz"


def view_number(name: str) -> int | None:
    """The number of the view with which a rendered image's name ends, as in `train_000012_3.webp`; else None."""
    number = re.search(r"_(\d+)$", key(name))
    return int(number[1]) if number else None


def identity(name: str) -> str:
    """Who is in a picture, in which clothes, as its name says: what pictures of a pair have in common.

    By the rule of the layout that the name is of (`NAMINGS`); of other names it is what stands before the view, which
    follows the last `_`, `-` or space, and may be a number and a word, as in `anna_1_front`.
    """
    known = _known(name)
    return (
        known[0]
        if known
        else re.sub(rf"(?:[ _-]+\d+)?[ _-]+{VIEWS}$|[ _-]+[^ _-]*$", "", key(Path(name).name), flags=re.I)
    )


def person(name: str) -> str:
    """Who is in a picture, whatever they wear: what pictures of two splits must not have in common.

    That is `identity`, of DeepFashion's names without the number of the garment's colour.
    """
    known = _known(name)
    return known[1] if known else identity(name)


def known_identity(name: str) -> str | None:
    """`identity` where the name is of one of `NAMINGS`, else None."""
    known = _known(name)
    return known[0] if known else None


def _fashion(found: re.Match) -> tuple[str, str]:
    whole = "".join(found.group("sex", "kind")).replace("-", "").replace("/", "") + f"id{found['item']}"
    return whole + found["colour"], whole


VIEWS = "(?:front|back|side|full|flat|left|right|rear|additional)"
NAMINGS = (  # of a name with its folders but without suffix; then who is in it in which clothes, and who
    # fashionWOMENDressesid0000271801_1front, WOMEN-Dresses-id_00002718-01_1_front and, of the raw folders,
    # WOMEN/Dresses/id_00002718/01_1_front: sex, garment, item, colour, view.
    (
        re.compile(
            r"(?:^|.*/)(?:fash?ion)?(?P<sex>WOMEN|MEN)[-/]?(?P<kind>[A-Za-z][A-Za-z_-]*?)[-/]?id_?(?P<item>\d{8})[-/]?"
            r"(?P<colour>\d\d)_\d+_?[A-Za-z]+(?:_[a-z]+)*$"
        ),
        _fashion,
    ),
    # Market-1501: 0002_c1s1_000451_03
    (re.compile(r"(?:^|.*/)(?P<who>-?\d+)_c\d+s\d+_[^/]*$"), lambda found: (found["who"],) * 2),
    # what `scagan people` writes: train_000012_3
    (re.compile(r"(?:^|.*/)(?P<who>[a-z-]+_\d{6})_\d+$"), lambda found: (found["who"],) * 2),
)


def _known(name: str) -> tuple[str, str] | None:
    stem = re.sub(r"\.[A-Za-z]{1,5}$", "", name)
    for pattern, said in NAMINGS:
        if found := pattern.match(stem):
            return said(found)
    return None


def _files(folder: Path) -> set[str]:
    """Names of what is in a folder, but for what file systems and their programs leave there."""
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if path.name[0] != "." and path.name.lower() not in FOREIGN}
