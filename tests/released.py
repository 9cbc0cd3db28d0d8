"""Small data sets in the layouts of the PATN family, and ways to damage one."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from scagan_hub.data.layouts import identity


def write_split(root: Path, split: str, names: list[str], tables: str, size: tuple[int, int], named=lambda name: name):
    """Images and tables of one split in a layout of the PATN family; `named` is how the tables spell a name."""
    random = np.random.RandomState(len(names))
    (root / split).mkdir(parents=True)
    annotations = ["name:keypoints_y:keypoints_x"]
    for name in names:
        Image.fromarray(random.randint(0, 255, (*size, 3)).astype(np.uint8)).save(root / split / name)
        y, x = random.randint(0, size[0], 18).tolist(), random.randint(0, size[1], 18).tolist()
        y[0] = x[0] = -1
        annotations.append(f"{named(name)}: {y}: {x}")
    pairs = [f"{named(a)},{named(b)}" for a in names for b in names if a != b and identity(a) == identity(b)]
    (root / f"{tables}annotation-{split}.csv").write_text("\n".join(annotations) + "\n")
    (root / f"{tables}pairs-{split}.csv").write_text("\n".join(["from,to", *pairs]) + "\n")
    (root / f"{split}.lst").write_text("\n".join(named(name) for name in names) + "\n")


FASHION = {
    "train": [f"fashionWOMENDressesid000027180{k}_{view}.jpg" for k in (1, 2) for view in ("1front", "2side", "4full")],
    "test": [f"fashionMENShirts_Polosid0000180202_{view}.jpg" for view in ("1front", "3back")],
}
MARKET = {
    "train": ["0002_c1s1_000451_03.jpg", "0002_c2s1_000301_01.jpg", "0007_c1s6_028546_01.jpg", "-1_c1s1_000401_03.jpg"],
    "test": ["0001_c1s1_001051_00.jpg", "0001_c2s1_000301_00.jpg"],
}


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def set_joint(people: Path, name: str, y, x) -> None:
    """Writes the first joint of an image anew."""
    path = people / "annotation-train.csv"
    lines = path.read_text().splitlines()
    (i,) = (i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
    ys, xs = (json.loads(values) for values in lines[i].split(":")[1:])
    lines[i] = f"{name}:{json.dumps([y, *ys[1:]])}:{json.dumps([x, *xs[1:]])}"
    path.write_text("\n".join(lines) + "\n")
