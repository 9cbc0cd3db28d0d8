"""A report as one HTML page that needs nothing else: figures, their distributions, and pairs as pictures."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from . import report as reports
from .sources import Source

SHOWN = 3  # pairs of each kind
BARS, WIDTH, HEIGHT = 40, 360, 120
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top } img { height: 200px }
figcaption { font-size: .85rem; max-width: 17rem; overflow-wrap: anywhere }
rect { fill: #5b6ee1 } line { stroke: #c33 } text { font-size: 11px; fill: #444 }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } text { fill: #bbb } }
"""


def page(report: dict, source: Source) -> str:
    """HTML of a report, with the best, median and worst pairs by SSIM as pictures.

    Args:
        source: what the report is of; its pictures are read, or made, once more.
    """
    method, pairs = escape(reports.title(report)), f"{report['pairs']:,} pairs of {escape(report['data'])}"
    parts = [
        f"<h1>{method}</h1><p>{pairs}, protocol <b>{escape(report['protocol'])}</b>: "
        f"{escape(report['protocol_means'])}.</p>",
        _figures(report),
        "<h2>Over the pairs</h2>",
        *(histogram(name, np.asarray(column)) for name, column in report["per_pair"]["values"].items()),
        "<h2>Pairs</h2><p>Generated on the left, reference on the right.</p>",
        *_pairs(report, source),
        "<h2>Measured with</h2><ul>",
        *(f"<li>weights of {escape(name)}: SHA-256 {found}</li>" for name, found in report["weights"].items()),
        *(f"<li>{escape(name)} {escape(number)}</li>" for name, number in report["versions"].items()),
        "</ul>",
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{method}</title><style>{STYLE}</style>'
    return head + "\n".join(parts) + "</html>\n"


def _figures(report: dict) -> str:
    rows = []
    for name, figure in report["metrics"].items():
        if "value" in figure:
            bounds = " to ".join(f"{float(bound):.4f}" for bound in figure.get("interval", []))
            rows.append(
                f"<tr><td>{escape(name)}</td><td>{float(figure['value']):.4f}</td><td>{bounds}</td>"
                f"<td>{figure['better']} is better</td></tr>"
            )
    drawn = f"{report['bootstrap']['confidence']:.0%} interval, bootstrap over {report['bootstrap']['drawn']}"
    missing = "".join(f"<p>{escape(remark)}</p>" for remark in reports.remarks(report))
    return f"<table><tr><th></th><th>value</th><th>{drawn}</th></tr>{''.join(rows)}</table>{missing}"


def histogram(name: str, values: np.ndarray) -> str:
    """A figure's distribution as SVG, its mean as a line; infinite and missing values are counted in the caption."""
    finite = values[np.isfinite(values)]
    caption = f"{escape(name)}: {len(finite):,} pairs"
    if len(finite) < len(values):
        caption += f", {len(values) - len(finite):,} more are infinite or missing"
    if not len(finite):
        return f"<figure><figcaption>{caption}</figcaption></figure>"
    counts, edges = np.histogram(finite, BARS)
    heights, step = counts / counts.max() * HEIGHT, WIDTH / BARS
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT - height:.1f}" width="{step - 1:.1f}" height="{height:.1f}"/>'
        for i, height in enumerate(heights)
    )
    place = (finite.mean() - edges[0]) / (edges[-1] - edges[0]) * WIDTH
    return (
        f'<figure><svg width="{WIDTH}" height="{HEIGHT + 20}">{bars}'
        f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{HEIGHT}"/>'
        f'<text x="0" y="{HEIGHT + 15}">{edges[0]:.3g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 15}" text-anchor="end">{edges[-1]:.3g}</text></svg>'
        f"<figcaption>{caption}; the line is the mean, {finite.mean():.4g}</figcaption></figure>"
    )


def chosen(values: np.ndarray) -> dict[str, np.ndarray]:
    """Positions of the best, median and worst pairs, where more is better."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")
    middle = max(0, len(order) // 2 - SHOWN // 2)
    return {"Best": order[:SHOWN], "Median": order[middle : middle + SHOWN], "Worst": order[-SHOWN:]}


def _pairs(report: dict, source: Source):
    ssim, names = np.asarray(report["per_pair"]["values"]["SSIM"]), report["per_pair"]["pair"]
    for title, positions in chosen(ssim).items():
        yield f"<h3>{title}</h3>"
        batch = source.batch(positions)
        for place, *sides in zip(positions, batch.generated, batch.reference, strict=True):
            file = io.BytesIO()
            Image.fromarray(np.concatenate(sides, axis=1)).save(file, "WEBP", quality=90)
            picture = base64.b64encode(file.getvalue()).decode()
            yield (
                f'<figure><img alt="generated and reference" src="data:image/webp;base64,{picture}">'
                f"<figcaption>SSIM {ssim[place]:.3f}: {escape(names[place])}</figcaption></figure>"
            )
