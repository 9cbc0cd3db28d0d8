"""How fast a step of phase 2 is at the release's width: the straightforward form against the one that is shipped.

    python benchmarks/training.py --json

The straightforward form: style modulations at full size, PyTorch's default layout, discriminators that gather gradients
in the generator's step too, all of VGG19, the whole matrix of the contextual term, Adam a tensor at a time. Both forms
start from the same weights and see the same batch; that their losses agree is checked first. Then they take turns in
one run, and medians are printed: wall seconds, and seconds of this process on its CPU cores, which tell more where
others share the machine. Peak memory is that of a process which runs nothing but one of the forms. The limit is what
the machine's own matrix products would take for the shipped step's floating-point operations.

On a CPU both forms are float32, at the largest batch (a power of two) for which both have room in 16 GiB. On CUDA the
straightforward form is float32 and the shipped one bfloat16, at the largest batch that the straightforward form has
memory for. VGG19's weights are drawn at random, which changes neither time nor memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from inference import products
from plain import PlainISNet, dense_contextual_loss, whole_vgg
from torch.utils.flop_counter import FlopCounterMode

from scagan_hub.features.vgg import VGG
from scagan_hub.models import ISNet
from scagan_hub.models.layout import training_layout
from scagan_hub.training.components import initialise
from scagan_hub.training.config import MODELS, TrainConfig
from scagan_hub.training.launch import start
from scagan_hub.training.losses import adversarial_loss
from scagan_hub.training.objective import discriminators
from scagan_hub.training.phase import Phase

FLOAT_NOISE = 1e-3  # between the forms' losses, relative; on CUDA their dtypes differ, and so do they
CPU_BATCH, LARGEST_BATCH = 4, 64
ROOM = 0.85  # of CUDA's memory for the one form, so that the other's weights and moments fit in beside it


class Shipped:
    """What the trainer does with a batch in phase 2: generator's step, discriminators' step, averaged weights."""

    net = ISNet

    def __init__(self, size: tuple[int, int], batch: int, device: str, **settings):
        torch.manual_seed(0)
        settings = MODELS["release"]["is_net"] | {"image_size": size} | settings
        plain = self.net is PlainISNet
        layout = torch.contiguous_format if plain else training_layout(torch.device(device))
        precision = "bf16" if device == "cuda" and not plain else "no"
        self.config = TrainConfig(Path("-"), Path("-"), "release", mixed_precision=precision, trackers=())
        self.generator, self.features, self.device = self.net(**settings), VGG(19), device
        initialise(self.generator, "normal")
        for conv in self.features.children():
            torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        for net in (self.generator, self.features):
            net.to(device, memory_format=layout)
        shapes = {"source": 3, "target": 3, "edge": 1, "pose_map": 18}
        draw = {name: torch.rand(batch, channels, *size) for name, channels in shapes.items()}
        self.batch = {name: x.to(device).contiguous(memory_format=layout) for name, x in draw.items()}
        self.prepare()

    def prepare(self) -> None:
        self.phase = Phase("is", self.generator, 3, self.config, self.features, start(self.config))
        self.judges = self.phase.discriminators

    def losses(self) -> dict[str, torch.Tensor]:
        """The terms; leaves gradients."""
        b = self.batch
        inputs, judged = (b["source"], b["edge"], b["pose_map"], None), (b["target"], b["source"], b["pose_map"])
        _, terms = self.phase.backward(inputs, *judged, step=0, share=1.0)
        return {name.removeprefix("is/").removesuffix("_vgg19"): value for name, value in terms.items()}

    def step(self) -> None:
        self.losses()
        self.phase.norms()
        self.phase.update(torch.zeros((), device=self.device))


class Straightforward(Shipped):
    """The same step as one would write it down at first."""

    net = PlainISNet

    def prepare(self) -> None:
        config = self.config
        self.judges = discriminators(3, config).to(self.device)
        adam = {"betas": config.betas, "foreach": False}
        self.optimiser = torch.optim.Adam(self.generator.parameters(), config.learning_rate, **adam)
        self.judging = torch.optim.Adam(self.judges.parameters(), config.discriminator_rate, **adam)
        self.average = {name: value.detach().clone() for name, value in self.generator.state_dict().items()}

    def losses(self) -> dict[str, torch.Tensor]:
        b, weights, conditions = self.batch, self.config.weights, (self.batch["source"], self.batch["pose_map"])
        target, judges = b["target"], self.judges.values()
        generated = self.generator(b["source"], b["edge"], b["pose_map"])
        made, wanted = whole_vgg(self.features, generated), whole_vgg(self.features, target)
        contextual = sum(dense_contextual_loss(made[x], wanted[x]) for x in VGG.contextual_layers)
        scores = [judge(generated, condition) for judge, condition in zip(judges, conditions, strict=True)]
        terms = {
            "appearance": weights.appearance * F.l1_loss(generated, target),
            "perceptual": weights.perceptual * F.l1_loss(made["relu1_2"], wanted["relu1_2"]),
            "contextual": weights.contextual * contextual,
            "adversarial": weights.adversarial * sum(adversarial_loss(s, True) for s in scores) / 2,
        }
        terms["total"] = sum(terms.values())
        terms["total"].backward()
        self.judging.zero_grad()
        loss = 0.0
        for judge, condition in zip(judges, conditions, strict=True):
            loss = loss + adversarial_loss(judge(target, condition), True)
            loss = loss + adversarial_loss(judge(generated.detach(), condition), False)
        terms["discriminator"] = weights.adversarial * loss / 2
        terms["discriminator"].backward()
        return {name: value.detach() for name, value in terms.items()}

    def step(self) -> None:
        self.losses()
        for optimiser in (self.optimiser, self.judging):
            optimiser.step()
            optimiser.zero_grad()
        for name, value in self.generator.state_dict().items():
            self.average[name].mul_(self.config.ema).add_(value, alpha=1 - self.config.ema)


FORMS = {"straightforward": Straightforward, "shipped": Shipped}


def largest_difference(forms: dict[str, Shipped]) -> float:
    """Between the forms' losses, relative; without dropout, whose draw depends on the memory layout."""
    plain, shipped = forms.values()
    plain.generator.load_state_dict(shipped.generator.state_dict())
    plain.features.load_state_dict(shipped.features.state_dict())
    plain.judges.load_state_dict(shipped.judges.state_dict())
    found = []
    for form in (plain, shipped):
        form.judges.eval()
        found.append(form.losses())
        form.judges.train()
        for net in (form.generator, form.judges):
            net.zero_grad()
    return max(abs(float(value / found[1][name]) - 1) for name, value in found[0].items())


def medians(works: dict, repeats: int, device: str) -> dict[str, float]:
    """Wall seconds, and CPU seconds as `NAME_cpu`, of each work: all in turn, after one round to warm up."""
    seconds = {name + suffix: [] for name in works for suffix in ("", "_cpu")}
    for i in range(repeats + 1):
        for name, work in works.items():
            start, cpu = time.perf_counter(), time.process_time()
            work()
            if device == "cuda":
                torch.cuda.synchronize()
            if i:
                seconds[name].append(time.perf_counter() - start)
                seconds[f"{name}_cpu"].append(time.process_time() - cpu)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(size: tuple[int, int], batch: int, device: str, repeats: int) -> dict[str, float]:
    forms = {name: form(size, batch, device) for name, form in FORMS.items()}
    difference = largest_difference(forms)
    if device == "cpu" and difference > FLOAT_NOISE:
        raise SystemExit(f"the forms' losses differ by {difference:.2g} of their value")
    gflop = {}
    for name, form in forms.items():
        with FlopCounterMode(display=False) as counter:
            form.step()
        gflop[name] = counter.get_total_flops() / 1e9
    rates = products(device)
    works = {name: form.step for name, form in forms.items()} | {name: work for name, (work, _) in rates.items()}
    seconds = medians(works, repeats, device)
    matmul, cpu = (max(n / seconds[name + suffix] for name, (_, n) in rates.items()) for suffix in ("", "_cpu"))
    shipped, plain = "shipped", "straightforward"
    return {
        **{f"{name}_s": seconds[name] for name in forms},
        **{f"{name}_cpu_s": seconds[f"{name}_cpu"] for name in forms},
        "ratio": seconds[plain] / seconds[shipped],
        "ratio_cpu": seconds[f"{plain}_cpu"] / seconds[f"{shipped}_cpu"],
        **{f"{name}_gflop": value for name, value in gflop.items()},
        "matmul_gflops": matmul,
        "times_the_limit": seconds[shipped] * matmul / gflop[shipped],
        "times_the_limit_cpu": seconds[f"{shipped}_cpu"] * cpu / gflop[shipped],
        "largest_difference": difference,
    }


def peak_memory(name: str, arguments: list[str]) -> float | None:
    """MiB that a process of its own takes at most for two steps of a form; None: more than there is.

    To be called while this process is small: Linux has a child start from its parent's peak.
    """
    command = [sys.executable, __file__, *arguments, "--peak-memory", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "OutOfMemoryError" not in done.stderr:
        raise SystemExit(done.stderr)
    return None if done.returncode else float(done.stdout)


def own_peak_memory(name: str, size: tuple[int, int], batch: int, device: str) -> float:
    if device == "cuda":
        torch.cuda.set_per_process_memory_fraction(ROOM)
    form = FORMS[name](size, batch, device)
    for _ in range(2):
        form.step()
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that the medians are taken of")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, nargs=2, default=[256, 176], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, help=f"default: {CPU_BATCH} on a CPU; on CUDA the largest that fits")
    parser.add_argument("--peak-memory", metavar="FORM", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size, device = tuple(options.size), options.device
    if device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    if options.peak_memory:
        print(own_peak_memory(options.peak_memory, size, options.batch, device))
        return

    batch = options.batch or (LARGEST_BATCH if device == "cuda" else CPU_BATCH)
    while True:
        own = ["--device", device, "--size", *map(str, size), "--batch", str(batch)]
        memory = {name: peak_memory(name, own) for name in FORMS}
        if None not in memory.values() or batch == 1:
            break
        batch //= 2
    row = {"device": device, "threads": torch.get_num_threads(), "size": options.size, "batch": batch}
    row |= measure(size, batch, device, options.repeats)
    row |= {f"{name}_peak_mib": value for name, value in memory.items()}
    row["ratio_memory"] = memory["shipped"] / memory["straightforward"]
    row = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()}
    print(json.dumps(row) if options.json else "\n".join(f"{key:22} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
