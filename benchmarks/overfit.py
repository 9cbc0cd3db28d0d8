"""Can the road learn? The full model and each ablation of the paper's Table 2 on eight pairs, both phases.

    python benchmarks/overfit.py --output docs/overfit.md [--variant full batch_norm ...]

The pairs are the first of each of the first eight bundled people, made smaller; the nets are the paper's form, small
(`NETS`), with nothing aligned for them, so that all that is in the picture had to be learned. The table holds SSIM on
these very pairs. It says that gradients reach what they should and that the capacity is there, and nothing about new
people, nor which variant is better. The objective is the appearance term with a little of the adversarial one. A few
minutes a row on one core.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image

from scagan_hub import ScaGan, gallery
from scagan_hub.data import PosePairs
from scagan_hub.evaluation import compare, evaluate
from scagan_hub.evaluation.methods import Copy, Model, source_of
from scagan_hub.training.config import MODELS, VARIANTS, TrainConfig, Weights
from scagan_hub.training.loop import Trainer

SIZE = (64, 44)
PAIRS = 8
COPY, MODEL = Copy.title, Model.title
NETS = {
    "content": {"image_size": SIZE, "heatmap_sigma": 2.0, "prior": "patches", "prior_radius": 5},
    "pct_net": {"width": 12, "residual_blocks": 3},
    "is_net": {"image_size": SIZE, "width": 12, "modulation_width": 8},
}
SETTINGS = {
    "preset": "overfit",
    "batch_size": PAIRS // 2,
    "learning_rate": 2e-3,
    "discriminator_rate": 1e-3,
    "discriminator": "patch",
    "discriminator_width": 16,
    "weights": Weights(adversarial=0.02, appearance=1.0),
    "init": "kaiming",
    "ema": 0.99,
    "workers": 0,
    "trackers": (),
}
STEPS = 800


def write_pairs(folder: Path, size: tuple[int, int], pairs: int) -> Path:
    """A data set of the first pair of each of the first bundled people, its splits the same, at `size` (H, W)."""
    source = PosePairs(gallery.FOLDER, "test", parsing=True)
    scale = torch.tensor([size[1] / source.image_size[1], size[0] / source.image_size[0]])
    chosen = [next(pair for pair in source.pairs if person in pair[0]) for person in _identities(source)[:pairs]]
    lines = []
    for name in dict.fromkeys(name for pair in chosen for name in pair):
        image, pose = source.view(name)
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(size[::-1], Image.Resampling.BOX)
        classes = Image.fromarray(source.parsing_map(name).numpy()).resize(size[::-1], Image.Resampling.NEAREST)
        points = torch.where(pose[:, 2:] > 0, (pose[:, :2] * scale).floor(), -1).int()
        stem = Path(name).stem
        lines.append(f"{stem}.png:{points[:, 1].tolist()}:{points[:, 0].tolist()}")
        for split in ("train", "test"):
            for kind, made in (("", picture), ("_parsing", classes)):
                (folder / f"{split}{kind}").mkdir(parents=True, exist_ok=True)
                made.save(folder / f"{split}{kind}" / f"{stem}.png")
    for split in ("train", "test"):
        (folder / f"annotation-{split}.csv").write_text("\n".join(["name:keypoints_y:keypoints_x", *lines]) + "\n")
        named = [",".join(f"{Path(name).stem}.png" for name in pair) for pair in chosen]
        (folder / f"pairs-{split}.csv").write_text("\n".join(["from,to", *named]) + "\n")
    return folder


def _identities(data: PosePairs) -> list[str]:
    return list(dict.fromkeys(source.rsplit("_", 1)[0] for source, _ in data.pairs))


def overfit(variant: str, steps: int, folder: Path) -> dict:
    """Trains both phases (one, where there is no PCT-Net) on the pairs; figures on them."""
    MODELS["overfit"] = NETS
    data = write_pairs(folder / "data", SIZE, PAIRS)
    run = {"steps": steps, "decay_from": steps // 2, "save_every": steps, "evaluate_every": steps}
    config = TrainConfig(data, folder / "run", variant=variant, **SETTINGS | run)
    Trainer(config).run()
    pipe = ScaGan.from_pretrained(str(folder / "run" / "model"))
    pairs = PosePairs(data, "test", SIZE, parsing=pipe.content.config.kind == "parsing")
    sources = (source_of(method, pairs, "the pairs trained on") for method in (Copy(), Model(pipe)))
    rows = compare([evaluate(source, device="cpu") for source in sources])["rows"]
    figures = {"variant": variant, "phases": len(config.phases), "steps": steps}
    return figures | {f"{name} {key}": rows[name][key] for name in (COPY, MODEL) for key in ("SSIM", "L1")}


def document(rows: list[dict]) -> str:
    """The page of the docs: what was done, and a table."""
    lines = [
        "# Can the road learn?",
        f"SSIM and L1 (protocol `unpadded`, {SIZE[0]} x {SIZE[1]}) on the {PAIRS} pairs that were trained on, for the "
        "full model and each",
        "ablation of the paper's Table 2 ([definitions](ablations.md)), all in the paper's form and small. This proves "
        "that a variant",
        "can learn at all; it ranks nothing. Copying the source gives "
        f"{rows[0][f'{COPY} SSIM']:.3f} and {rows[0][f'{COPY} L1']:.3f}.",
        "",
        "| variant | phases | steps | SSIM | L1 |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        figures = f"{row[f'{MODEL} SSIM']:.3f} | {row[f'{MODEL} L1']:.3f}"
        lines.append(f"| `{row['variant']}` | {row['phases']} | {row['steps']} | {figures} |")
    return "\n".join([*lines, "", "Made by `python benchmarks/overfit.py --output docs/overfit.md`.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--output", type=Path, help="Markdown to write (default: printed)")
    options = parser.parse_args()
    rows = []
    for variant in options.variant:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(overfit(variant, options.steps, Path(folder)))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    if options.output is None:
        print(document(rows))
    else:
        options.output.write_text(document(rows))


if __name__ == "__main__":
    main()
