"""How fast pairs are loaded, and the disk they take: heatmaps made on the device against heatmaps stored as float32.

    python benchmarks/loader.py --data DIR --json

In one process, both forms read the same pairs, decode each image from its file, and end with images and heatmaps of
both poses on the device, equal within float noise. The stored form reads an (H,W,18) float32 .npy an image, as the PATN
family does. They take turns; medians of the rounds are printed: with all files in the page cache, and with all of them
dropped from it before a round (on Linux), as it is where the heatmaps are larger than the memory.

Disk is measured on the images of these pairs, and from there extrapolated to the data set and to DeepFashion's release.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from scagan_hub import Pose
from scagan_hub.content import Content
from scagan_hub.data import PairSampler, PosePairs, pair_loader

RELEASE_IMAGES = 48_674 + 4_038  # DeepFashion's, train and test
SIGMA = 6.0


class StoredPairs(PosePairs):
    """Pairs whose heatmaps are files in `folder`."""

    folder: Path

    def __getitem__(self, index: int) -> dict:
        item = super().__getitem__(index)
        for role, name in zip(("source", "target"), self.pairs[index], strict=True):
            heatmaps = np.load(self.folder / f"{name}.npy")  # (H,W,18)
            item[f"{role}_heatmaps"] = torch.from_numpy(heatmaps).permute(2, 0, 1)
        return item

    def store(self, names: list[str]) -> None:
        for name in names:
            heatmaps = Pose(self.annotations[name], self.image_size[::-1]).heatmaps(SIGMA)
            np.save(self.folder / f"{name}.npy", heatmaps.permute(1, 2, 0).contiguous().numpy())


class Form:
    """One way to load: a pass over the pairs leaves images and heatmaps on the device."""

    def __init__(self, pairs: PosePairs, arguments: argparse.Namespace):
        self.content = Content(image_size=pairs.image_size, heatmap_sigma=SIGMA)
        self.device, self.count = arguments.device, len(pairs)
        self.loader = pair_loader(pairs, range(len(pairs)), arguments.batch, 0, arguments.device)

    def batches(self):
        for batch in self.loader:
            x = {key: value.to(self.device, non_blocking=True) for key, value in batch.items() if key != "names"}
            for role in ("source", "target"):
                if f"{role}_heatmaps" not in x:
                    x[f"{role}_heatmaps"] = self.content.heatmaps(x[f"{role}_pose"])
            yield x

    def images_per_second(self) -> float:
        start = time.perf_counter()
        for _ in self.batches():
            pass
        if self.device == "cuda":
            torch.cuda.synchronize()
        return 2 * self.count / (time.perf_counter() - start)


def drop_from_cache(paths: list[Path]) -> None:
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def speeds(forms: dict[str, Form], rounds: int, files: list[Path], cached: bool) -> dict[str, float]:
    """Images a second of each form: medians of rounds in which they take turns."""
    rates = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            if not cached:
                drop_from_cache(files)
            rates[name].append(form.images_per_second())
    return {name: statistics.median(values) for name, values in rates.items()}


def disk(pairs: PosePairs, files: dict[str, list[Path]]) -> dict:
    """Bytes an image, measured, and what that makes of whole data sets."""
    tables = sum(path.stat().st_size for path in pairs.root.glob("*.csv")) / len(pairs.annotations)
    sizes = {name: statistics.mean(path.stat().st_size for path in paths) for name, paths in files.items()}
    per_image = {"ours": sizes["images"] + tables, "stored": sizes["images"] + tables + sizes["heatmaps"]}
    images = len(pairs.annotations)
    return {
        "sampled_images": len(files["images"]),
        "kib_per_image": {name: size / 2**10 for name, size in per_image.items()},
        "gib_data_set_extrapolated": {name: size * images / 2**30 for name, size in per_image.items()},
        "gib_release_heatmaps_extrapolated": sizes["heatmaps"] * RELEASE_IMAGES / 2**30,
    }


def measure(arguments: argparse.Namespace, folder: Path) -> dict:
    ours, stored = (kind(arguments.data, arguments.split) for kind in (PosePairs, StoredPairs))
    whole = len(ours.pairs)
    sampler = PairSampler(whole, seed=0, start=0, stop=arguments.pairs // arguments.batch * arguments.batch)
    ours.pairs = stored.pairs = [ours.pairs[draw.index] for draw in sampler]
    names = sorted({name for pair in ours.pairs for name in pair})
    stored.folder = folder
    stored.store(names)
    files = {"images": [ours.images / n for n in names], "heatmaps": [folder / f"{n}.npy" for n in names]}

    forms = {"ours": Form(ours, arguments), "stored": Form(stored, arguments)}
    for a, b in zip(*(form.batches() for form in forms.values()), strict=True):  # also warms both up
        for key in a:
            torch.testing.assert_close(a[key], b[key], atol=1e-5, rtol=0)
    every = files["images"] + files["heatmaps"]
    result = {"device": arguments.device, "batch": arguments.batch, "pairs": len(ours)}
    result["images_per_second_cached"] = speeds(forms, arguments.rounds, every, cached=True)
    if hasattr(os, "posix_fadvise"):
        result["images_per_second_uncached"] = speeds(forms, arguments.rounds, every, cached=False)
    for name in [name for name in result if name.startswith("images_per_second")]:
        result[name]["ratio"] = result[name]["ours"] / result[name]["stored"]
    return result | {"disk": disk(ours, files)}


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of a data set")
    parser.add_argument("--split", default="train", choices=["train", "test"])
    parser.add_argument("--pairs", type=int, default=128, help="how many are loaded a round")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--scratch", help="folder for the stored heatmaps, on the data's disk (default: the system's)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        result = rounded(measure(arguments, Path(folder)))
    if arguments.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:28} {value}")


if __name__ == "__main__":
    main()
