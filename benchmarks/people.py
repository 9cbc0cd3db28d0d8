"""Measures the rendered people: how fast they are made, and what a data set of them holds.

    python benchmarks/people.py [--identities 8] [--views 6] [--json]
    python benchmarks/people.py --data DATA [--detect 200] [--places 1000] [--split train] [--json]

The first form renders people one after another in this process, after a warm-up, and gives pictures a second of
processor time (what one core does when nothing else runs on it) and of wall-clock time. The second reads a data set of
`scagan people`: distinct garments, poses and views, the share of keypoints that lie on the person, how far BlazePose,
which never saw such pictures, is from the rendered keypoints, and how fast correspondences are read on one core.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from scagan_hub.data import PosePairs
from scagan_hub.data.layouts import correspondences_name, view_number
from scagan_hub.data.places import HIDDEN, NOWHERE, SHOWN, UNKNOWN, places_between
from scagan_hub.poses.pose import Pose

FACE_JOINTS, NECK = [0, 14, 15, 16, 17], 1


def speed(identities: int, views: int) -> dict:
    """Pictures a second at 256 x 176, with and without the making of the people."""
    from scagan_hub.people.assets import ensure_assets
    from scagan_hub.people.body import Assets
    from scagan_hub.people.dataset import Arguments, covered_person, picture_of

    assets, arguments = Assets(ensure_assets()), Arguments(identities + 1, views)
    for view in range(2):  # numba compiles, textures are read
        picture_of(covered_person(assets, arguments, "train", identities)[0], arguments, view)
    people, pictures, wall = 0.0, 0.0, time.perf_counter()
    for number in range(identities):
        start = time.process_time()
        person, _ = covered_person(assets, arguments, "train", number)
        dressed = time.process_time()
        for view in range(views):
            picture_of(person, arguments, view)
        people, pictures = people + dressed - start, pictures + time.process_time() - dressed
    wall, count = time.perf_counter() - wall, identities * views
    return {
        "pictures": count,
        "pictures a processor second": round(count / (people + pictures), 2),
        "pictures a wall-clock second": round(count / wall, 2),
        "processor seconds a person": round(people / identities, 3),
        "processor seconds a picture of them": round(pictures / count, 3),
    }


def contents(data: Path, split: str) -> dict:
    """Counts of the manifest, and the share of keypoints within a pixel of the person."""
    pairs = PosePairs(data, split, parsing=True)
    names = list(pairs.annotations)
    on_joint, on_face = [], []
    for name in names:
        person = np.pad(pairs.parsing_map(name).numpy() > 0, 1)
        for joint, (x, y, confidence) in enumerate(pairs.annotations[name]):
            if confidence:
                row, column = int(y), int(x)
                (on_face if joint in FACE_JOINTS else on_joint).append(person[row : row + 3, column : column + 3].any())
    manifest = json.loads((data / "manifest.json").read_text())
    return {
        "counts": manifest["counts"],
        "joints": len(on_joint),
        "joints on the person": round(float(np.mean(on_joint)), 4),
        "points of the face": len(on_face),
        "points of the face on the person": round(float(np.mean(on_face)), 4),
    }


def detected(data: Path, split: str, count: int) -> dict:
    """BlazePose beside the rendered keypoints on `count` pictures, evenly spread over the split.

    PCKh: share of joints within half a head, which is the way from the neck to the middle of the face's points.
    """
    pairs = PosePairs(data, split)
    names = list(pairs.annotations)
    errors, heads, found = [], [], 0
    for name in names[:: max(1, len(names) // count)][:count]:
        true = pairs.annotations[name]
        with Image.open(pairs.images / name) as image:
            try:
                guess = Pose.detect(image.convert("RGB")).keypoints
            except ValueError:  # nobody found
                continue
        found += 1
        face = [j for j in FACE_JOINTS if true[j, 2]]
        both = (true[:, 2] > 0) & (guess[:, 2] > 0)
        distance = np.linalg.norm(true[both, :2] + 0.5 - guess[both, :2], axis=1)
        errors += distance.tolist()
        if face and true[NECK, 2]:
            head = np.linalg.norm(true[face, :2].mean(0) - true[NECK, :2])
            heads += (distance < head / 2).tolist()
    return {
        "pictures": count,
        "person found in": found,
        "joints compared": len(errors),
        "median error in pixels": round(float(np.median(errors)), 2),
        "PCKh": round(float(np.mean(heads)), 3),
    }


def places(data: Path, split: str, count: int) -> dict:
    """Size of the correspondences, the rate at which `count` pairs of them are read, and what the pairs' pixels are.

    Half of the pairs are mirrored. The rate counts processor time; pictures and parsing maps are decoded before.
    """
    pairs = PosePairs(data, split, places=True)
    chosen = np.random.default_rng(0).permutation(len(pairs))[:count]
    names = [pairs.pairs[index] for index in chosen]
    maps = {name: pairs.parsing_map(name).numpy() for name in {name for pair in names for name in pair}}
    states, spent, alike = np.zeros(4), 0.0, 0
    for number, (source, target) in enumerate(names):
        mirrored, way = number % 2 == 1, -1 if number % 2 else 1
        path, views = pairs.correspondences / correspondences_name(target), (view_number(source), view_number(target))
        start = time.process_time()
        goals, state = places_between(path, *views, maps[source], maps[target], mirrored)
        spent += time.process_time() - start
        classes, there = maps[target][:, ::way], maps[source][:, ::way]
        states += np.bincount(state[classes > 0], minlength=4)
        column, row = np.rint(goals[:, state == SHOWN]).astype(int).clip(0, np.array(state.shape)[::-1, None] - 1)
        alike += (there[row, column] == classes[state == SHOWN]).sum()
    sizes = [path.stat().st_size for path in pairs.correspondences.iterdir()]
    known = states[NOWHERE:] / states[NOWHERE:].sum()
    return {
        "kB a person": round(float(np.mean(sizes)) / 1000, 1),
        "pairs": len(names),
        "pairs a processor second": round(len(names) / spent),
        "share of the person known": round(float(1 - states[UNKNOWN] / states.sum()), 3),
        "of it shown": round(float(known[SHOWN - 1]), 3),
        "of that, of the target's class there": round(float(alike / states[SHOWN]), 3),
        "hidden, with a place": round(float(known[HIDDEN - 1]), 3),
        "hidden, with nothing to copy": round(float(known[NOWHERE - 1]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=8)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--data", type=Path, help="a data set of scagan people to look at")
    parser.add_argument("--split", default="train")
    parser.add_argument("--detect", type=int, default=0, metavar="N", help="run BlazePose on N of its pictures")
    parser.add_argument("--places", type=int, default=0, metavar="N", help="read N pairs of its correspondences")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.data is None:
        figures = speed(options.identities, options.views)
    else:
        figures = contents(options.data, options.split)
        if options.detect:
            figures["BlazePose"] = detected(options.data, options.split, options.detect)
        if options.places:
            figures["correspondences"] = places(options.data, options.split, options.places)
    if options.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{key}: {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
