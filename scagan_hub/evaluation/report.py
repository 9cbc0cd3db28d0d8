"""A report of one method: what was measured, how, with what, of which pairs. docs/evaluation.md has its form."""

from __future__ import annotations

import json
import math
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..files.writing import whole_file
from .checks import few_people
from .intervals import describe, interval, mean
from .protocols import PERSON, better, find
from .sources import Source

if TYPE_CHECKING:
    from .measures import Measures
    from .progress import Progress

PARTS = ("method", "protocol", "pairs", "data", "size", "metrics", "bootstrap", "per_pair")
ORDER = ("SSIM", "SSIM-51", "L1", "PSNR", "LPIPS", "LPIPS-VGG16", "FID", "IS")  # of columns; others follow


def build(source: Source, protocol: str, measures: Measures, progress: Progress, notes=()) -> dict:
    """The report of a finished evaluation; `notes`: what is to be known of its pictures."""
    values, weights = progress.values, progress.weights
    metrics = {}
    for name, column in values.items():
        weight = weights.get(name)
        bounds = interval(column, weight, source.people)
        metrics[name] = {"value": mean(column, weight), "interval": list(bounds), "better": better(name)}
        if said := few_people(_measured_people(column, weight, source.people), source.people_known):
            metrics[name]["warning"] = said
    for sets in measures.sets:
        metrics |= {name: figure | {"better": better(name)} for name, figure in sets.figures().items()}
    metrics |= {name: {"not_available": reason} for name, reason in measures.missing.items()}
    return {
        "method": source.method,
        "protocol": protocol,
        "protocol_means": find(protocol).description,
        "pairs": len(source.pairs),
        "expected": source.expected,
        "notes": [*source.notes, *notes],
        "data": source.data,
        "size": list(source.size),
        "metrics": {name: metrics[name] for name in sorted(metrics, key=_place)},
        "bootstrap": describe(source.people, source.people_known),
        "weights": measures.hashes,
        "fingerprint": progress.fingerprint,
        "versions": versions(),
        "per_pair": {
            "pair": ["->".join(name for name in pair if name) for pair in source.pairs],
            "person": source.people.tolist(),
            "values": {name: column.tolist() for name, column in values.items()},
            "weights": {name: column.tolist() for name, column in weights.items()},
        },
    }


def _measured_people(column: np.ndarray, weight: np.ndarray | None, people: np.ndarray) -> int:
    """How many people have a value."""
    there = ~np.isnan(column) if weight is None else ~np.isnan(column) & (weight > 0)
    return len(np.unique(people[there]))


def _place(name: str) -> tuple:
    whole = name.removesuffix(PERSON)
    return whole not in ORDER, name != whole, ORDER.index(whole) if whole in ORDER else name


def versions() -> dict[str, str]:
    """Of this package and of what it computes with."""
    found = {}
    for package in ("scagan-hub", "torch", "torchmetrics", "numpy", "pillow"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def write(report: dict, path: Path) -> None:
    """As JSON, whole or not at all; infinite numbers as "inf", missing ones as null.

    Raises:
        ValueError: it cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_text(json.dumps(plain(report), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict:
    """A report that `write` has written, columns as arrays.

    Raises:
        ValueError: no such file, or no report.
    """
    return _read(path, _parsed)


def read_all(path: Path) -> dict[str, dict]:
    """The reports, by protocol, that `scagan evaluate --zip` has written.

    Raises:
        ValueError: no such file, or no such reports.
    """
    return _read(path, lambda found: {name: _parsed(one) for name, one in found["protocols"].items()})


def _read(path: Path, parse) -> dict:
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ValueError("it is no ordinary file")
        return parse(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; give a report that scagan evaluate has written") from error
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a report ({reason}); give one that scagan evaluate has written") from error


def _parsed(report: dict) -> dict:
    missing = [part for part in PARTS if part not in report]
    if missing:
        raise ValueError(f"it has no {missing[0]!r}")
    pairs = report["per_pair"]
    for columns in (pairs["values"], pairs["weights"]):
        for name, column in columns.items():
            columns[name] = np.array([math.nan if value is None else float(value) for value in column])
            if len(columns[name]) != report["pairs"]:
                raise ValueError(f"{name} has {len(column)} values for {report['pairs']} pairs")
    pairs["person"] = np.array(pairs["person"])
    for figure in report["metrics"].values():
        if "value" in figure:
            figure["value"] = math.nan if figure["value"] is None else float(figure["value"])
        if "interval" in figure:
            figure["interval"] = [math.nan if bound is None else float(bound) for bound in figure["interval"]]
    return report


def plain(value):
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def markdown(report: dict) -> str:
    """A table of the figures, then what they were measured by and with."""
    lines = [f"# {title(report)}", "", f"| {report['protocol']} | value | 95% interval |", "|---|---|---|"]
    for name, figure in report["metrics"].items():
        if "not_available" not in figure:
            lines.append(f"| {name} ({figure['better']} is better) | {_shown(figure)} | {_bounds(figure)} |")
    lines += ["", f"{report['pairs']:,} pairs of {report['data']}, {report['size'][1]} x {report['size'][0]} pixels."]
    lines += [f"Protocol `{report['protocol']}`: {report['protocol_means']}."]
    boot = report["bootstrap"]
    lines += [f"Intervals: {boot['confidence']:.0%} of {boot['samples']:,} bootstrap samples of {boot['drawn']}."]
    lines += [f"- {note}" for note in remarks(report)]
    lines += [f"- weights of {name}: SHA-256 {found}" for name, found in report["weights"].items()]
    lines += ["- " + ", ".join(f"{name} {number}" for name, number in report["versions"].items())]
    return "\n".join(lines) + "\n"


def title(report: dict) -> str:
    """The method, and of how many pairs the report is where that isn't all."""
    expected = report.get("expected", report["pairs"])
    part = f": {report['pairs']:,} of {expected:,} pairs" if expected != report["pairs"] else ""
    return report["method"] + part


def remarks(report: dict) -> list[str]:
    """All that must be known beside the figures: of the pictures, of single metrics, and what was not measured."""
    said = list(report.get("notes", []))
    by_warning: dict[str, list[str]] = {}
    for name, warning in warnings(report).items():
        by_warning.setdefault(warning, []).append(name)
    said += [f"{', '.join(names)}: {warning}" for warning, names in by_warning.items()]
    return said + [f"{name}: not available: {why}" for name, why in not_available(report).items()]


def warnings(report: dict) -> dict[str, str]:
    """What is to be known of a metric's figure, by name."""
    return {name: f["warning"] for name, f in report["metrics"].items() if "warning" in f}


def not_available(report: dict) -> dict[str, str]:
    """Why a metric was not measured, by name."""
    return {name: f["not_available"] for name, f in report["metrics"].items() if "not_available" in f}


def _shown(figure: dict) -> str:
    return f"{float(figure['value']):.4f}"


def _bounds(figure: dict) -> str:
    if "deviation" in figure:
        return f"± {figure['deviation']:.4f} over the splits"
    return " to ".join(f"{float(bound):.4f}" for bound in figure["interval"]) if "interval" in figure else "-"
