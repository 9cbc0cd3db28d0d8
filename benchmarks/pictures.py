"""What a model's pictures are worth, figure by figure, beside an earlier model and beside what needs no learning.

    python benchmarks/pictures.py MODEL --data DATA [--before MODEL] [--pairs 100] [--output docs/pictures.md]

DATA is a folder of `scagan people --correspondences`. Both its test splits are used, people whom no training has seen,
the second one dressed in garments that no training has seen; of each, --pairs pairs drawn with seed 0. As many pairs of
the training's people say what the model makes of those whom it has seen. Means stand with their 95 % intervals.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from clothes import behind_arms, between_legs, local_colour, person_number, wearers

from scagan_hub import Pose, ScaGan
from scagan_hub.content.alignment import sampling_map
from scagan_hub.data import PosePairs
from scagan_hub.data.places import SHOWN, UNKNOWN
from scagan_hub.evaluation import compare, ssim
from scagan_hub.evaluation.held_out import choose
from scagan_hub.evaluation.intervals import interval, mean
from scagan_hub.evaluation.methods import Aligned, Model, Reencoded, source_of
from scagan_hub.evaluation.regions import REGIONS
from scagan_hub.evaluation.run import evaluate
from scagan_hub.evaluation.sources import people_in
from scagan_hub.hub import card

SPLITS = {"test": "new people", "test-garments": "new people in new garments"}
EXTRAS = ("heads", "sharpness", "regions", "PCKh-BlazePose")
RIGHT = 0.1  # mean difference over channels, in [0, 1], up to which a colour counts as right
HEADING = """# What the pictures are worth

Written by `python benchmarks/pictures.py MODEL --data DATA --before EARLIER --output docs/pictures.md` on {pairs} pairs
of each kind, drawn with seed 0. *Before* is the earlier bundled model. The training looks through LPIPS by AlexNet at
whole pictures and by VGG16 at heads. So LPIPS-VGG16 of whole pictures, and LPIPS of heads, which is AlexNet's, are
judges that the training didn't have; LPIPS of whole pictures is one that it had."""


class Named(Model):
    """A model under a name of its own in the table."""

    def __init__(self, pipe, title: str):
        super().__init__(pipe)
        self.title = title


def tables(methods: dict, data: PosePairs, indices, described: str) -> tuple[dict, dict]:
    """All methods on the same pairs: what the pictures are worth, and where they lose."""
    compared = compare([evaluate(source_of(method, data, described, indices), extras=EXTRAS) for method in methods])
    by_region = {f"truth in {region}" for region in REGIONS}

    def part(wanted: bool) -> dict:
        def of(rows):
            return {
                row: {k: v for k, v in values.items() if any(name in k for name in by_region) == wanted}
                for row, values in rows.items()
            }

        return compared | {"rows": of(compared["rows"]), "intervals": of(compared["intervals"])}

    return part(False), part(True)


def own_pose(pipe: ScaGan, data: PosePairs, people: int = 100) -> np.ndarray:
    """SSIM of a person's picture in their own pose to the picture itself, one picture each of so many people."""
    who = people_in(data.pairs)
    names = [data.pairs[int(np.flatnonzero(who == person)[0])][0] for person in np.unique(who)[:people]]
    found = []
    for name in names:
        image = data.view(name)[0].permute(1, 2, 0).numpy()
        made = _make(pipe, data, name, name)[0]
        found.append(float(ssim(made[None], image[None])[0]))
    return np.array(found)


def _make(pipe: ScaGan, data: PosePairs, source: str, target: str):
    """Picture uint8 (H,W,3), and where the person is, bool (H,W), or None where the model doesn't say."""
    from PIL import Image

    image = Image.fromarray(data.view(source)[0].permute(1, 2, 0).numpy())
    poses = [Pose(data.annotations[name], pipe.picture_size) for name in (source, target)]
    with torch.inference_mode():
        encoded = pipe.encode(image, poses[0])
        rendered = pipe.render(encoded, [poses[1]])
    picture = (rendered.image[0].permute(1, 2, 0).float().clamp(-1, 1) + 1).mul(127.5).round().byte().numpy()
    return picture, None if rendered.alpha is None else (rendered.alpha[0, 0] > 0.5).numpy()


def clothes(pipe: ScaGan, data: PosePairs, number: int = 60) -> dict[str, np.ndarray]:
    """Of people in skirts and dresses: how well the silhouette fits, and whether the colour between the legs is right;
    of everybody: whether the top's colour is right where the source has an arm before it. A value a pair."""
    dressed = wearers(data)
    found = {"silhouette": [], "between the legs": [], "behind an arm": []}
    for i in choose(data, len(data) - 1):  # in an order drawn with seed 0
        source, target = data.pairs[int(i)]
        if all(len(values) >= number for values in found.values()):
            break
        item = data[int(i)]
        classes, truth = item["target_parsing"].numpy(), item["target_image"].permute(1, 2, 0).numpy()
        legs = between_legs(data.annotations[target], classes) if person_number(target) in dressed else None
        arms = behind_arms(data, source, target, item["source_parsing"].numpy(), classes)
        wants = {
            "between the legs": legs if legs is not None and legs.sum() >= 40 else None,
            "behind an arm": arms if arms.sum() >= 40 else None,
        }
        wants = {name: mask for name, mask in wants.items() if mask is not None and len(found[name]) < number}
        if not wants:
            continue
        made, person = _make(pipe, data, source, target)
        for name, mask in wants.items():
            off = np.abs(local_colour(made, mask) - local_colour(truth, mask)).mean(2)
            found[name].append((off[mask] <= RIGHT * 255).mean())
        if "between the legs" in wants and person is not None:
            there = classes > 0
            found["silhouette"].append((person & there).sum() / (person | there).sum())
    return {name: np.array(values) for name, values in found.items()}


@torch.inference_mode()
def alignment(pipe: ScaGan, data: PosePairs, indices) -> dict[str, np.ndarray]:
    """Error in pixels of every place that the source shows, learned and by limb boxes, of faces alone too; and whether
    what is said of being shown is right. Values of pixels."""
    found = {name: [] for name in ("learned", "limb boxes", "face, learned", "face, limb boxes", "shown is right")}
    for i in indices:
        item = data[int(i)]
        source, poses = item["source_image"][None].float() / 127.5 - 1, (item["source_pose"], item["target_pose"])
        places = pipe.pct_net(source, *(pose[None] for pose in poses))
        boxes = sampling_map(*(pose[None] for pose in poses), data.image_size)[0][0].permute(2, 0, 1)
        known, shown, face = item["state"] > UNKNOWN, item["state"] == SHOWN, item["target_parsing"] == 2
        for name, position in (("learned", places.position[0]), ("limb boxes", boxes)):
            error = (position - item["places"]).norm(dim=0)
            found[name].append(error[shown].numpy())
            found[f"face, {name}"].append(error[shown & face].numpy())
        found["shown is right"].append(((places.shown[0, 0] > 0) == shown)[known].numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


@torch.inference_mode()
def style(folder: str, pipe: ScaGan, data: PosePairs, indices) -> dict[str, float]:
    """How far another person's style moves what the source doesn't show; how alike people's styles are; how large
    activations become; how far float16 is from float32."""
    moved, values, largest = [], [], [0.0]
    hooks = [
        module.register_forward_hook(lambda *call: largest.append(float(call[2].abs().max())))
        for net in (pipe.pct_net, pipe.is_net)
        for module in net.modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    half, gap = ScaGan.from_pretrained(folder, dtype=torch.float16), 0.0
    items = [data[int(i)] for i in indices]
    for item, other in zip(items, items[1:] + items[:1], strict=True):
        source, stranger = (x["source_image"][None].float() / 127.5 - 1 for x in (item, other))
        poses = item["source_pose"][None], item["target_pose"][None]
        places = pipe.pct_net(source, *poses)
        memory = pipe.is_net.encode(source, poses[0])
        another = pipe.is_net.encode(stranger, other["source_pose"][None])
        pictures = [pipe.is_net.decode(m, source, poses[1], places).image for m in (memory, another)]
        hidden = ((item["target_parsing"] > 0) & (places.shown[0, 0] < 0)).expand(3, -1, -1)
        moved.append(float((pictures[0] - pictures[1])[0].abs()[hidden].mean() / 2))
        values.append(memory[1].mean(2).flatten())
        places = half.pct_net(source, *poses)
        picture = half.is_net.decode(half.is_net.encode(source.half(), poses[0]), source, poses[1], places).image
        gap = max(gap, float((picture - pictures[0]).abs().max() / 2))
    for hook in hooks:
        hook.remove()
    unit = torch.nn.functional.normalize(torch.stack(values), dim=1)
    cosines = (unit @ unit.T)[~torch.eye(len(unit), dtype=torch.bool)]
    return {
        "another's style moves what is hidden by": float(np.nanmean(moved)),
        "cosine between people's styles": float(cosines.mean()),
        "largest activation": max(largest),
        "float16 differs by at most": gap,
    }


def cost(folder: str, pipe: ScaGan, data: PosePairs) -> dict[str, float]:
    """Megabytes of weights, seconds to load, seconds a picture on all cores."""
    started = time.perf_counter()
    ScaGan.from_pretrained(folder)
    loading = time.perf_counter() - started
    source, target = data.pairs[0]
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        _make(pipe, data, source, target)
        seconds.append(time.perf_counter() - started)
    weights = sum(path.stat().st_size for path in Path(folder).rglob("*.safetensors"))
    return {"megabytes": weights / 1e6, "seconds to load": loading, "seconds a picture": float(np.median(seconds))}


def _with_interval(values: np.ndarray) -> str:
    low, high = interval(values)
    return f"{mean(values):.3f} [{low:.3f}, {high:.3f}], {len(values)} pairs" if len(values) else "-"


def report(options) -> str:
    pipes = {"Model": ScaGan.from_pretrained(options.model)}
    if options.before:
        pipes = {"Before": ScaGan.from_pretrained(options.before)} | pipes
    parts, own, dressed = [], {}, {}
    for split, described in SPLITS.items():
        data = PosePairs(options.data, split, places=True)
        indices = choose(data, options.pairs)
        methods = [Aligned(), Reencoded(), *(Named(pipe, name) for name, pipe in pipes.items())]
        worth, regions = tables(methods, data, indices, described)
        parts += [f"## Figures: {described}", card.table(worth, intervals=True)]
        parts += [f"## Where pictures lose: {described}", card.table(regions)]
        for name, pipe in pipes.items():
            if split == "test":
                own[name] = _with_interval(own_pose(pipe, data))
            dressed |= {f"{name}, {described}: {k}": _with_interval(v) for k, v in clothes(pipe, data).items()}
        if split == "test":
            errors = alignment(pipes["Model"], data, indices)
            said = style(options.model, pipes["Model"], data, indices[:24]) | cost(options.model, pipes["Model"], data)
    seen = PosePairs(options.data, "train", places=True)
    methods = [Named(pipes["Model"], "Model")]
    parts += [
        "## Figures: people of the training",
        card.table(tables(methods, seen, choose(seen, options.pairs), "seen people")[0], intervals=True),
    ]
    shown = errors.pop("shown is right")
    places = {name: f"median {np.median(v):.2f}, mean {v.mean():.2f} px" for name, v in errors.items()}
    places["whether the source shows it"] = f"right for {shown.mean():.3f}"
    parts += ["## One's own pose: SSIM to the source", _listed(own)]
    parts += [
        "## Skirts, and cloth behind arms: how much of the colour is right, by means of 9 x 9 pixels",
        _listed(dressed),
    ]
    parts += ["## Places", _listed(places)]
    parts += ["## Style, ranges and cost", _listed({name: f"{value:.3g}" for name, value in said.items()})]
    return "\n\n".join([HEADING.format(pairs=options.pairs), *parts]) + "\n"


def _listed(values: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--before", help="an earlier model's folder")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--output", type=Path, help="file for the text (default: it is printed)")
    options = parser.parse_args()
    text = report(options)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
