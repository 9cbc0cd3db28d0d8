"""The tab of tables and plots: what was measured on the served models, what was published, each with its protocol."""

import html

import gradio as gr
import pandas as pd

from ..evaluation import PROTOCOLS, published
from .models import Models

APART = "Figures of different protocols or data must not be set beside each other: the padding alone raises SSIM by .1."


def figures_tab(models: Models):
    gr.Markdown(APART, elem_classes="quiet")
    for name in models.names:
        report = models.get(name).report or {}
        for measured in report.get("figures", []):
            _figures(f"Measured on the weights “{name}”", measured)
        if not report.get("figures"):
            gr.Markdown(f"### “{name}”\nNothing was measured on these weights.")
    for table in published():
        _figures(f"Published: {table['title']}", table)


def _figures(title: str, table: dict):
    """A table of a report to sort by any column, its protocol and data, and a plot a column."""
    gr.Markdown(f"### {title}")
    gr.Markdown(_under(table), elem_classes="quiet")
    frame = pd.DataFrame.from_dict(table["rows"], orient="index").round(3)
    shown = frame.rename_axis("Method").reset_index()
    gr.Dataframe(shown, interactive=False, show_label=False, buttons=[], elem_classes="measured")
    with gr.Accordion("Plots", open=False):
        plots = "".join(_plot(metric, frame[metric].dropna()) for metric in frame.columns)
        gr.HTML(f'<div class="plots">{plots}</div>')


def _under(table: dict) -> str:
    protocol = PROTOCOLS.get(table["protocol"])
    facts = [f"Protocol `{table['protocol']}`" + (f": {protocol.description}" if protocol else "")]
    facts += [f"{table['pairs']:,} pairs"] if "pairs" in table else []
    facts += [table["data"]] if "data" in table else []
    return "; ".join(facts) + "."


def _plot(metric: str, values: pd.Series) -> str:
    """Bars from zero."""
    top = max(values.max(), 1e-9)
    bars = "".join(
        f'<li><span>{html.escape(name)}</span><b style="width:{100 * value / top:.1f}%"></b><i>{value:g}</i></li>'
        for name, value in values.items()
    )
    return f"<figure><figcaption>{html.escape(metric)}</figcaption><ul>{bars}</ul></figure>"
