"""Measures a model on held-out pairs beside copying the source and the warp alone, and bundles it with its figures.

    python benchmarks/held_out.py MODEL --data DATA --pairs 500 [--output FOLDER] [--grid GRID.png] [--seed 0]

MODEL is measured as it would be bundled: in float16, loaded back in float32. --output writes that model with report
and card. --grid shows the first eight pairs drawn with the seed: source, target pose, edges, result, truth.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scagan_hub import Pose, ScaGan
from scagan_hub.data import PosePairs
from scagan_hub.evaluation.held_out import choose, generate_pairs, measure

LIMITS = [
    "Trained on rendered people before plain studio backdrops: photographs lose detail, and their backdrops are "
    "painted over.",
    "Parts that the source picture does not show (the back of a person seen from the front) are guesses.",
    "Faces are often smoothed over, also where the source shows them; hands and long hair are soft.",
]


def grid(pipe: ScaGan, data: PosePairs, indices) -> Image.Image:
    """Rows of source, target pose, predicted edges, result, truth; two pairs a row."""
    made = next(generate_pairs(pipe, data, indices, batch_size=len(indices)))
    skeletons = [np.asarray(Pose(data[int(i)]["target_pose"].numpy(), pipe.picture_size).draw()) for i in indices]
    columns = [made["source"], np.stack(skeletons), made["edges"], made["generated"], made["target"]]
    rows = list(np.concatenate(columns, axis=2))
    half = len(rows) // 2
    gap = np.full((half * rows[0].shape[0], 16, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([np.concatenate(rows[:half]), gap, np.concatenate(rows[half:])], axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True, help="folder of a data set with a test split")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="where to write the model in float16 with report and card")
    parser.add_argument("--grid", help="where to write a PNG of eight pairs")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as half:
        ScaGan.from_pretrained(options.model, torch_dtype=torch.float16).save_pretrained(half)
        pipe = ScaGan.from_pretrained(half)
    height, width = pipe.content.config.image_size
    data = PosePairs(options.data, "test", (height, width))
    figures = measure(pipe, data, options.pairs, seed=options.seed)
    print(json.dumps(figures, indent=2))
    if options.grid:
        Path(options.grid).parent.mkdir(parents=True, exist_ok=True)
        grid(pipe, data, choose(data, 8, options.seed)).save(options.grid)
    if options.output:
        pipe.report = {**(pipe.report or {}), "figures": [figures], "limits": LIMITS}
        pipe.to(torch.float16).save_pretrained(options.output)
        print(f"wrote {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
