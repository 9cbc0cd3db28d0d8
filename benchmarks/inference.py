"""How fast a picture is made at the release's size: the plain form against what `ScaGan` runs, and the limit.

    python benchmarks/inference.py --json
    python benchmarks/inference.py --compile          and what torch.compile makes of it, minutes later

The limit is the time that the shipped graph's floating-point operations take at the rate of the machine's own matrix
products, the faster of `torch.mm` and a 1 x 1 convolution. Everything is measured in one run, taking turns, and the
medians are printed. Peak memory is that of a process which runs nothing but one of the forms.

On a CPU both forms are float32. On CUDA the plain form is float32 and the shipped one bfloat16, at batch 1 and 32.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from PIL import Image
from plain import PlainISNet
from torch.utils.flop_counter import FlopCounterMode

from scagan_hub import Pose, ScaGan
from scagan_hub.content import Content
from scagan_hub.models import ISNet, PCTNet

SIZE = (176, 256)
JOINTS = [(88, 40), (88, 62), (72, 62), (66, 92), (64, 120), (104, 62), (110, 92), (112, 120), (78, 122), (76, 170)]
JOINTS += [(76, 216), (98, 122), (100, 170), (100, 216), (84, 36), (92, 36), (80, 40), (96, 40)]
FLOAT_NOISE = 2e-3  # between the forms' pictures in [-1, 1]; on CUDA their dtypes differ, and so do they


class Form:
    """A pipeline at the release's size with random weights, and the work that is timed."""

    def __init__(self, name: str, device: str, batch: int = 1):
        torch.manual_seed(0)
        is_net = (PlainISNet if name == "plain" else ISNet)(start="noise")
        content = Content(heatmap_sigma=12.0, prior="patches_release")
        self.pipe = ScaGan(PCTNet().eval(), is_net.eval(), content).to(device)
        if name == "plain":
            for net in (self.pipe.pct_net, self.pipe.is_net):
                net.to(memory_format=torch.contiguous_format)
        elif device == "cuda":
            self.pipe.to(torch.bfloat16)
        if name == "compiled":
            for net in (self.pipe.pct_net, self.pipe.is_net):
                net.compile(options={"freezing": True})
        self.poses = [Pose([(x, y, 1) for x, y in JOINTS], SIZE)] * batch
        self.pictures = [Image.radial_gradient("L").resize(SIZE).convert("RGB")] * batch
        self.noise = torch.zeros(batch, 256, device=device)
        self.source = self.encode()

    def encode(self):
        return self.pipe.encode(self.pictures, self.poses)

    def picture(self) -> torch.Tensor:
        """From a photo and a pose: (B,3,H,W)."""
        return self.pipe.render(self.encode(), self.poses, self.noise).image

    def frame(self) -> torch.Tensor:
        """A further pose of the person that is encoded already: (B,3,H,W)."""
        return self.pipe.render(self.source, self.poses, self.noise).image


def products(device: str) -> dict[str, tuple]:
    """Two ways to have the machine multiply matrices: the work, and its GFLOP."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    n = 8192 if device == "cuda" else 2048
    a, b = torch.randn(2, n, n, device=device, dtype=dtype)
    x = a.view(1, n, n // 32, 32).contiguous(memory_format=torch.channels_last)
    gflop = 2 * n**3 / 1e9
    return {"mm": (lambda: a @ b, gflop), "conv": (lambda: F.conv2d(x, b.view(n, n, 1, 1)), gflop)}


@torch.inference_mode()
def medians(works: dict, repeats: int, device: str) -> dict[str, float]:
    """Seconds that each work takes: all of them in turn, after one round to warm up."""
    seconds = {name: [] for name in works}
    for i in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device == "cuda":
                torch.cuda.synchronize()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(device: str, batch: int, repeats: int, names: list[str]) -> dict[str, float]:
    forms = {name: Form(name, device, batch) for name in names}
    plain, shipped = forms["plain"].picture(), forms["shipped"].picture()
    difference = (plain.float() - shipped.float()).abs().max().item()
    if device == "cpu" and difference > FLOAT_NOISE:
        raise SystemExit(f"the forms make different pictures: largest difference {difference}")
    with FlopCounterMode(display=False) as counter:
        forms["shipped"].picture()
    gflop = counter.get_total_flops() / 1e9

    rates = products(device)
    works = {name: form.picture for name, form in forms.items()} | {"frame": forms["shipped"].frame}
    seconds = medians(works | {name: work for name, (work, _) in rates.items()}, repeats, device)
    matmul = max(size / seconds[name] for name, (_, size) in rates.items())
    return {
        **{f"{name}_s": seconds[name] / batch for name in names},
        "ratio": seconds["plain"] / seconds["shipped"],
        "animate_per_frame_s": seconds["frame"] / batch,
        "animate_to_single": seconds["frame"] / seconds["shipped"],
        "gflop": gflop / batch,
        "matmul_gflops": matmul,
        "times_the_limit": seconds["shipped"] * matmul / gflop,
        "largest_difference": difference,
    }


def peak_memory(name: str, device: str, batch: int) -> float:
    """MiB that a process of its own takes at most to make pictures in one form.

    To be called while this process is small: Linux has a child start from its parent's peak.
    """
    command = [sys.executable, __file__, "--device", device, "--batch", str(batch), "--peak-memory", name]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def own_peak_memory(name: str, device: str, batch: int) -> float:
    form = Form(name, device, batch)
    for _ in range(2):
        form.picture()
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--repeats", type=int, default=7, help="rounds that the medians are taken of")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, nargs="+", help="default: 1 on a CPU, 1 and 32 on CUDA")
    parser.add_argument("--compile", action="store_true", help="time the shipped form under torch.compile too")
    parser.add_argument("--peak-memory", metavar="FORM", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = arguments.device
    batches = arguments.batch or ([1, 32] if device == "cuda" else [1])
    if arguments.peak_memory:
        print(own_peak_memory(arguments.peak_memory, device, batches[0]))
        return

    names = ["plain", "shipped"] + ["compiled"] * arguments.compile
    memory = {batch: {f"{name}_peak_mib": peak_memory(name, device, batch) for name in names} for batch in batches}
    rows = []
    for batch in batches:
        row = {"device": device, "threads": torch.get_num_threads(), "batch": batch}
        row |= measure(device, batch, arguments.repeats, names) | memory[batch]
        rows.append({key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()})
    if arguments.json:
        print(json.dumps(rows[0] if len(rows) == 1 else {f"batch_{row['batch']}": row for row in rows}))
        return
    for row in rows:
        print("\n".join(f"{key:20} {value}" for key, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
