"""Measures a model beside all baselines on held-out pairs, and writes the figures down wherever they are shown.

    python benchmarks/held_out.py MODEL --data DATA [--pairs N] [--without LPIPS-VGG16] [--reports DIR]
        [--output FOLDER] [--grid GRID.png] [--readme README.md] [--docs docs/evaluation.md]

MODEL is measured as it would be bundled: in float16, loaded back in float32. --output writes that model with report
and card. --readme and --docs put the tables between the marks `<!-- figures -->` and `<!-- /figures -->` of these
files. --reports keeps the reports of all methods; interrupted ones are gone on with, finished ones of the same
pictures are not measured again. --grid shows the first eight pairs drawn with seed 0: source, target pose, edges,
result, truth.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scagan_hub import Pose, ScaGan
from scagan_hub.data import PosePairs
from scagan_hub.evaluation import comparison, report
from scagan_hub.evaluation.held_out import choose, generate_pairs
from scagan_hub.evaluation.measures import LPIPS, DetectedPose, Measures
from scagan_hub.evaluation.methods import BASELINES, Model, open_pairs, source_of
from scagan_hub.evaluation.protocols import find
from scagan_hub.evaluation.run import evaluate, fingerprint
from scagan_hub.hub import card

DATA = "held-out rendered people"
PROTOCOL = "unpadded"
LIMITS = [
    "Trained on rendered people, in studios or cut out; photographs are cut out first, and their backdrops are put "
    "back only if asked for.",
    "Parts that the source picture does not show (the back of a person seen from the front, a face seen from behind) "
    "are guesses, and often look like it: rests of arms and faces on cloth and hair, blotches.",
    "Heads that turn far away from the source's view, hands, and skirts seen from a new side are often wrong.",
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


def measured(source, path: Path, extras=(), without=()) -> dict:
    """The report at `path`, measured unless it is there already and of the same pictures."""
    without = tuple(LPIPS) if extras else without  # extras have a table of their own
    current = fingerprint(source, PROTOCOL, Measures(source, find(PROTOCOL), "cpu", extras, without=without))
    if path.is_file() and (kept := report.read(path))["fingerprint"] == current:
        return kept
    report.write(evaluate(source, PROTOCOL, extras, partial=path, device="cpu", without=without), path)
    return report.read(path)


def figures_of(methods: dict, data: PosePairs, indices, folder: Path, model: Path, extras=(), without=()) -> dict:
    """All methods side by side on the same pairs."""
    reports = []
    for name, method in methods.items():
        source = source_of(method, data, DATA, indices, model if name == "model" else None)
        reports.append(
            measured(source, folder / f"{name}-{len(indices)}{'-poses' if extras else ''}.json", extras, without)
        )
    return comparison.compare(reports)


def of_metric(figures: dict, metric: str) -> dict:
    """The figures of one metric alone."""

    def alone(rows: dict) -> dict:
        return {method: {metric: row[metric]} for method, row in rows.items() if metric in row}

    differences = figures["differences"] | {"rows": alone(figures["differences"]["rows"])}
    parts = {part: alone(figures[part]) for part in ("rows", "intervals")}
    return figures | parts | {"differences": differences, "not_available": {}}


def put(path: Path, text: str, mark: str = "figures") -> None:
    """Replace what stands between the marks of a file."""
    before = path.read_text(encoding="utf-8")
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not marked.search(before):
        raise SystemExit(f"{path} has no marks <!-- {mark} --> and <!-- /{mark} -->")
    path.write_text(marked.sub(lambda found: found[1] + text + "\n" + found[2], before), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True, help="folder of a data set with both splits")
    parser.add_argument("--pairs", type=int, help="so many, drawn with seed 0 (default: all)")
    parser.add_argument("--without", nargs="+", default=[], choices=LPIPS, help="figures to leave out")
    parser.add_argument("--pose-pairs", type=int, default=300, help="for PCKh, which takes longer (default: 300)")
    parser.add_argument("--reports", type=Path, help="folder that keeps the reports (default: none is kept)")
    parser.add_argument("--output", help="where to write the model in float16 with report and card")
    parser.add_argument("--readme", type=Path, help="file to put the table into")
    parser.add_argument("--docs", type=Path, help="file to put tables with intervals and differences into")
    parser.add_argument("--grid", type=Path, help="where to write a PNG of eight pairs")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as half, tempfile.TemporaryDirectory() as unkept:
        ScaGan.from_pretrained(options.model).to(torch.float16).save_pretrained(half)
        pipe = ScaGan.from_pretrained(half)
        folder = options.reports or Path(unkept)
        folder.mkdir(parents=True, exist_ok=True)
        data = open_pairs(options.data, "test", tuple(pipe.content.config.image_size))
        methods = {name: baseline() for name, baseline in BASELINES.items()} | {"model": Model(pipe)}
        chosen = [choose(data, options.pairs or len(data)), choose(data, min(options.pose_pairs, len(data)))]
        figures = figures_of(methods, data, chosen[0], folder, options.model, without=options.without)
        posed = figures_of(methods, data, chosen[1], folder, options.model, [DetectedPose.name])
    both = [report.plain(figures), report.plain(of_metric(posed, DetectedPose.name))]
    print(json.dumps(both, indent=2))
    if options.readme:
        put(options.readme, card.table(figures))
    if options.docs:
        put(options.docs, "\n\n".join(map(comparison.measured, both)))
    if options.grid:
        options.grid.parent.mkdir(parents=True, exist_ok=True)
        grid(pipe, data, choose(data, 8)).save(options.grid)
    if options.output:
        pipe.report = {**(pipe.report or {}), "figures": both, "limits": LIMITS}
        pipe.to(torch.float16).save_pretrained(options.output)
        print(f"wrote {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
