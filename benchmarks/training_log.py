"""Quality against hours of a training run, as a Markdown table: python benchmarks/training_log.py RUN/log.jsonl"""

import json
import sys
from pathlib import Path


def table(lines: list[dict]) -> str:
    rows = [
        "| hours | samples | samples/s since the row above | held-out SSIM | held-out L1 |",
        "|---|---|---|---|---|",
    ]
    hours = samples = 0
    for line in lines:
        if "held_out/ssim" not in line:
            continue
        rate = (line["samples"] - samples) / 3600 / (line["hours"] - hours)
        hours, samples = line["hours"], line["samples"]
        figures = f"{line['held_out/ssim']:.3f} | {line['held_out/l1']:.3f}"
        rows.append(f"| {hours:.2f} | {samples} | {rate:.1f} | {figures} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table([json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]))
