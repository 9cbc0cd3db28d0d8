"""Reports of several methods side by side: one table, and paired differences to the first of them."""

import math

import numpy as np

from ..hub.card import table
from .intervals import interval, mean
from .protocols import published
from .report import not_available

SAME = ("protocol", "pairs", "data", "size")


def compare(reports: list[dict]) -> dict:
    """One protocol's figures of several methods on the same pairs, in the form that cards are filled from.

    Args:
        reports: as `evaluate` or `report.read` gives them; differences are to the first.
    Returns:
        protocol, pairs, data, rows, intervals, differences, not_available; see docs/evaluation.md.
    Raises:
        ValueError: none, two of one name, other protocols, or other pairs.
    """
    if not reports:
        raise ValueError("nothing to compare: give at least one report")
    first, *others = reports
    methods = [report["method"] for report in reports]
    for report in others:
        for part in SAME:
            if report[part] != first[part]:
                raise ValueError(
                    f"cannot share a table: {part} is {first[part]!r} in {first['method']!r}, {report[part]!r} in "
                    f"{report['method']!r}; evaluate both alike"
                )
        if report["per_pair"]["pair"] != first["per_pair"]["pair"]:
            raise ValueError(
                f"cannot share a table: {report['method']!r} and {first['method']!r} are of other pairs, or in another "
                "order; evaluate both on the same"
            )
    if repeated := [method for method in methods if methods.count(method) > 1]:
        raise ValueError(f"two reports are of {repeated[0]!r}; evaluate one of them with another --name")
    return {
        "protocol": first["protocol"],
        "pairs": first["pairs"],
        "data": first["data"],
        "rows": {report["method"]: _figures(report, "value") for report in reports},
        "intervals": {report["method"]: _figures(report, "interval") for report in reports},
        "differences": {
            "to": first["method"],
            "rows": {report["method"]: _differences(report, first) for report in others},
        },
        "not_available": {name: why for report in reports for name, why in not_available(report).items()},
    }


def _figures(report: dict, part: str) -> dict:
    return {name: figure[part] for name, figure in report["metrics"].items() if part in figure}


def _differences(report: dict, first: dict) -> dict:
    """Mean of the pairs' differences and its interval, for metrics that have a value a pair."""
    ours, theirs = report["per_pair"]["values"], first["per_pair"]["values"]
    found = {}
    for name in (name for name in _figures(report, "value") if name in ours and name in theirs):
        with np.errstate(invalid="ignore"):  # infinite PSNR on both sides
            difference = np.asarray(ours[name], float) - np.asarray(theirs[name], float)
        weights, people = report["per_pair"]["weights"].get(name), report["per_pair"]["person"]
        if math.isfinite(value := mean(difference, weights)):
            found[name] = {"value": value, "interval": list(interval(difference, weights, people))}
    return found


def measured(figures: dict) -> str:
    """Markdown of what was measured: the table with intervals, the differences, and what is not available."""
    parts = [table(figures, intervals=True)]
    if rows := figures["differences"]["rows"]:
        parts += [f"Paired differences to *{figures['differences']['to']}*:", _difference_table(rows)]
    if figures["not_available"]:
        parts.append("\n".join(f"- {name}: not available: {why}" for name, why in figures["not_available"].items()))
    return "\n\n".join(parts)


def markdown(figures: dict) -> str:
    """`measured`, and the published tables under their own protocol's name."""
    known = [f"{figures['title']}\n\n{table(figures)}" for figures in published()]
    return "\n\n".join([measured(figures), "Published, by their own protocol and on their own data:", *known]) + "\n"


def _difference_table(rows: dict) -> str:
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    lines = [f"| difference | {' | '.join(metrics)} |", f"|---|{'---|' * len(metrics)}"]
    for method, row in rows.items():
        cells = [_signed(row[metric]) if metric in row else "-" for metric in metrics]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _signed(difference: dict) -> str:
    low, high = difference["interval"]
    return f"{difference['value']:+.3f} [{low:+.3f}, {high:+.3f}]"
