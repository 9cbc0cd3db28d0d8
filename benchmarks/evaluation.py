"""How fast pictures are evaluated, and in how much memory, against the straightforward form in the same run.

    python benchmarks/evaluation.py --json [--data DATA] [--pairs 8570]

Measured: SSIM, L1 and PSNR of as many pairs as the published test set has, read from files, and the memory that this
takes at its peak for 1,000 pairs and for all of them, each in a process of its own; with them, over as many features of
Inception's size, the sums that FID needs; and LPIPS of a pair. Ratios are of processor time, which other work on the
machine disturbs least.

The straightforward form reads and compares one pair at a time and keeps all features. Its SSIM is scikit-image's, which
the release uses (torchmetrics' is slower on a CPU); it is timed on fewer pairs, and extrapolated.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from scagan_hub import gallery
from scagan_hub.data.annotations import read_pairs
from scagan_hub.evaluation.distributions import Moments, distance, frechet_distance
from scagan_hub.evaluation.lpips import Lpips
from scagan_hub.evaluation.measures import LPIPS
from scagan_hub.evaluation.metrics import ssim
from scagan_hub.evaluation.naming import Match
from scagan_hub.evaluation.run import evaluate
from scagan_hub.evaluation.sources import PictureFolders, people_of

FEATURES, BATCH = 2048, 16
FEW, SLOW = 1000, 4


class Repeated(PictureFolders):
    """The pairs of a data set's test split, "copy the source", repeated until there are `number`."""

    def __init__(self, data: Path, number: int):
        super().__init__(data / "test", data / "test")
        pairs = read_pairs(data / "pairs-test.csv")
        self.pairs = (pairs * -(-number // len(pairs)))[:number]
        self.files = [Match(a, data / "test" / a, data / "test" / b, mosaic=False) for a, b in self.pairs]
        (self.people, self.people_known), self.expected = people_of(self.pairs), number


def features(positions: np.ndarray) -> np.ndarray:
    """Stand-ins for what Inception would give for the pictures at `positions`: seeded, correlated."""
    state = np.random.RandomState(int(positions[0]))
    return np.abs(state.standard_normal((len(positions), FEATURES)).astype(np.float32)) + state.rand(FEATURES)


def batches(number: int):
    return np.array_split(np.arange(number), -(-number // BATCH))


def shipped(data: Path, number: int) -> dict:
    """Seconds of `evaluate` and of the sums; peak memory of the whole process."""
    source = Repeated(data, number)
    start, cpu = time.perf_counter(), time.process_time()
    mean = evaluate(source, device="cpu", batch_size=BATCH, without=LPIPS)["metrics"]["SSIM"]["value"]
    pictures, cpu = time.perf_counter() - start, time.process_time() - cpu
    sums = Moments(FEATURES), Moments(FEATURES)
    for positions in batches(number):
        for moments, shift in zip(sums, (0, 1), strict=True):
            moments.update(features(positions + shift))
    summed = time.perf_counter() - start - pictures
    memory = peak()
    fid = distance(*sums)
    return {"ssim": mean, "seconds": pictures, "cpu": cpu, "sums_seconds": summed, "peak_mib": memory, "fid": fid}


def straightforward(data: Path, number: int) -> dict:
    """The same, one pair at a time, all features kept."""
    from skimage.metrics import structural_similarity

    source, values = Repeated(data, number), []
    start, cpu = time.perf_counter(), time.process_time()
    for i in range(number):
        _, made, truth = source.files[i]
        a, b = source._reference(made), source._reference(truth)
        spread = float(a.max()) - float(a.min())
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
        values.append(structural_similarity(b, a, data_range=spread, **options))
        difference = a.astype(float) - b
        np.abs(difference).mean(), np.log10(np.square(difference).mean())
    pictures, cpu = time.perf_counter() - start, time.process_time() - cpu
    kept = [np.concatenate([features(p + shift) for p in batches(number)]) for shift in (0, 1)]
    return {
        "ssim": np.mean(values),
        "seconds": pictures,
        "cpu": cpu,
        "sums_seconds": time.perf_counter() - start - pictures,
        "fid": frechet_distance(*kept),
        "peak_mib": peak(),
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def ssim_alone(data: Path, number: int, rounds: int = 9) -> dict:
    """Milliseconds a pair that each SSIM takes of pictures in memory, in turns; and how far they are apart."""
    from skimage.metrics import structural_similarity

    batch = Repeated(data, number).batch(np.arange(number))
    a, b = batch.generated, batch.reference
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}

    def skimage():
        return [
            structural_similarity(y, x, data_range=float(x.max()) - x.min(), **options)
            for x, y in zip(a, b, strict=True)
        ]

    def torchmetrics():
        x, y = (torch.from_numpy(v).permute(0, 3, 1, 2).float() for v in (a, b))
        spread = x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True)
        _, full = structural_similarity_index_measure(
            x / spread, y / spread, sigma=1.5, data_range=1.0, return_full_image=True
        )
        return full[..., 5:-5, 5:-5].mean((1, 2, 3)).numpy()

    def torchmetrics_float64():
        return [torchmetrics_one(x, y) for x, y in zip(a[:SLOW], b[:SLOW], strict=True)]

    forms = {"shipped": lambda: ssim(a, b), "skimage": skimage, "torchmetrics_float32": torchmetrics}
    forms["torchmetrics_float64"] = torchmetrics_float64
    seconds, values = {name: [] for name in forms}, {}
    for _ in range(rounds):
        for name, form in forms.items():
            start = time.process_time()  # of this process alone, whatever else the machine does
            values[name] = np.asarray(form())
            seconds[name].append(time.process_time() - start)
    apart = {name: float(np.abs(x - values["skimage"][: len(x)]).max()) for name, x in values.items()}
    return {
        "ms_a_pair": {name: 1000 * min(taken) / len(values[name]) for name, taken in seconds.items()},
        "largest_difference_from_skimage": apart,
    }


@torch.inference_mode()
def lpips_alone(data: Path, number: int) -> dict:
    """Milliseconds of one thread's processor time that LPIPS takes of a pair in memory, by net; medians."""
    torch.set_num_threads(1)
    batch, found = Repeated(data, number).batch(np.arange(number)), {}
    for net in LPIPS.values():
        lpips, seconds = Lpips(net), []
        for pair in zip(batch.generated, batch.reference, strict=True):
            start = time.process_time()
            lpips(*(torch.from_numpy(picture)[None] for picture in pair))
            seconds.append(time.process_time() - start)
        found[net] = 1000 * float(np.median(seconds))
    return found


def torchmetrics_one(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of one pair by torchmetrics, in float64."""
    x, y = (torch.from_numpy(v).permute(2, 0, 1)[None].double() for v in (a, b))
    spread = float(x.max() - x.min())
    _, full = structural_similarity_index_measure(x, y, sigma=1.5, data_range=spread, return_full_image=True)
    return full[..., 5:-5, 5:-5].mean().item()


def in_process(form: str, data: Path, number: int) -> dict:
    command = [sys.executable, __file__, "--data", str(data), "--pairs", str(number), "--form", form]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--data", type=Path, default=gallery.FOLDER, help="a data set (default: the bundled people)")
    parser.add_argument("--pairs", type=int, default=8570)
    parser.add_argument("--form", choices=["shipped", "straightforward", "ssim", "lpips"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    forms = {"shipped": shipped, "straightforward": straightforward, "ssim": ssim_alone, "lpips": lpips_alone}
    if arguments.form:
        print(json.dumps(forms[arguments.form](arguments.data, arguments.pairs)))
        return

    few = min(FEW, arguments.pairs)
    alone = in_process("ssim", arguments.data, 48)
    slow = in_process("straightforward", arguments.data, few)
    little, much = (in_process("shipped", arguments.data, number) for number in (few, arguments.pairs))
    found = {
        "threads": torch.get_num_threads(),
        "pairs": arguments.pairs,
        "ssim_alone": alone,
        "lpips_ms_a_pair": in_process("lpips", arguments.data, 12),
        "ssim_ratio": alone["ms_a_pair"]["skimage"] / alone["ms_a_pair"]["shipped"],
        "seconds": much["seconds"],
        "straightforward_seconds_extrapolated": slow["seconds"] * arguments.pairs / few,
        "cpu_seconds": much["cpu"],
        "straightforward_cpu_seconds_extrapolated": slow["cpu"] * arguments.pairs / few,
        "cpu_ratio": slow["cpu"] / few / (much["cpu"] / arguments.pairs),
        "sums_seconds": much["sums_seconds"],
        f"peak_mib_{few}": little["peak_mib"],
        f"peak_mib_{arguments.pairs}": much["peak_mib"],
        f"straightforward_peak_mib_{few}": slow["peak_mib"],
        "straightforward_features_mib_extrapolated": 2 * arguments.pairs * FEATURES * 8 / 2**20,
        "fid_relative_difference": abs(slow["fid"] - little["fid"]) / slow["fid"],
        "ssim_difference": abs(slow["ssim"] - little["ssim"]),
    }
    if arguments.json:
        print(json.dumps(found))
        return
    print("\n".join(f"{key:42} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
