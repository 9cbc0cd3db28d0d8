"""The model card: the template `assets/model_card.md`, filled in from configuration and measured report.

No figure is ever typed into a card. A report (`report.json` beside the weights, `ScaGan.report` in Python) is
what training and evaluation write down about one set of weights:

    {"license": "apache-2.0",
     "training": {"command": "accelerate launch ...", "data": "...", "steps": 12000, ...},
     "figures": [{"protocol": "unpadded, 300 held-out pairs",
                  "rows": {"Copy of the source": {"SSIM": 0.61, "L1": 0.123}, ...}}, ...],
     "limits": ["Trained on rendered people: photographs lose ...", ...]}

Every part may be left out; the card then says that it is not known.
"""

from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).parent / "assets" / "model_card.md"
PARTS = {"license", "training", "figures", "limits"}


def render(configs: dict[str, dict], report: dict | None = None, name: str = "path/to/this/folder") -> str:
    """The card as Markdown with the Hub's YAML front matter.

    Args:
        configs: configuration of each component; `content` tells the picture's size.
        report: see above.
        name: what to call `from_pretrained` with.

    Raises:
        ValueError: a report with an unknown part.
    """
    report = report or {}
    if unknown := report.keys() - PARTS:
        raise ValueError(f"report: expected the parts {sorted(PARTS)}, got {sorted(unknown)} too")
    height, width = configs["content"]["image_size"]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=name,
        license=report.get("license", "apache-2.0"),
        height=height,
        width=width,
        configuration="\n".join(f"- `{part}`: {_inline(config)}" for part, config in configs.items()),
        training=_training(report.get("training")),
        figures="\n\n".join(map(table, report.get("figures", []))) or "No figures were measured for these weights.",
        limits="\n".join(f"- {limit}" for limit in report.get("limits", [])) or "Nothing was written down.",
    )


def _inline(config: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in config.items() if not key.startswith("_"))


def _training(facts: dict | None) -> str:
    if not facts:
        return "Nothing was written down about the training of these weights."
    return "\n".join(f"- {key}: {_code(key, value)}" for key, value in facts.items())


def _code(key: str, value) -> str:
    return f"`{value}`" if key == "command" else str(value)


def table(figures: dict) -> str:
    """One protocol's figures as a table: a row a method, a column a metric."""
    rows = figures["rows"]
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    lines = [f"| {figures['protocol']} | {' | '.join(metrics)} |", f"|---|{'---|' * len(metrics)}"]
    for method, row in rows.items():
        lines.append(f"| {method} | {' | '.join(_number(row.get(metric)) for metric in metrics)} |")
    return "\n".join(lines)


def _number(value) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
