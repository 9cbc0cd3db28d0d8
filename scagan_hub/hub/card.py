"""The model card: the template `assets/model_card.md`, filled in from configuration and measured report.

No figure is ever typed into a card. A report (`report.json` beside the weights, `ScaGan.report` in Python) is
what training and evaluation write down about one set of weights:

    {"license": "apache-2.0",
     "training": {"command": "accelerate launch ...", "data": "...", "steps": 12000, ...},
     "figures": [{"protocol": "unpadded", "pairs": 4500, "data": "held-out rendered people",
                  "rows": {"Copy of the source": {"SSIM": 0.61, "L1": 0.123}, ..., "Model": {...}},
                  "intervals": {"Model": {"SSIM": [0.76, 0.78], ...}, ...},
                  "not_available": {"FID": "needs the weights of ..."}}, ...],
     "limits": ["Trained on rendered people: photographs lose ...", ...]}

Every part may be left out; the card then says that it is not known. Figures are what `evaluation.compare` makes; the
row `Model` is the weights' own, and goes into the front matter's `model-index`.
"""

import json
import math
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).parents[1] / "assets" / "model_card.md"
PARTS = {"license", "training", "figures", "limits"}
MODEL = "Model"
EDGES = """The target's edges are predicted first (PCT-Net), then
style, edges and pose are rendered into the picture (IS-Net)."""
PLACES = """Phase 1 transfers the
content in advance: it says where in the source every pixel of the target lies, whether the source shows it, where the
person is and where the target's edges are (PlaceNet). Phase 2 copies what the source shows, paints the rest in the
style that it looks up in the source, and puts both before the backdrop (MendNet).
Learned places are this package's own, not the paper's."""
METRIC_TYPES = {"SSIM": "ssim", "PSNR": "psnr", "L1": "mae", "FID": "fid", "IS": "inception_score", "LPIPS": "lpips"}


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
        description=PLACES if "head_width" in configs.get("pct_net", {}) else EDGES,
        license=report.get("license", "apache-2.0"),
        model_index=_model_index(report.get("figures", [])),
        height=height,
        width=width,
        configuration="\n".join(f"- `{part}`: {_inline(config)}" for part, config in configs.items()),
        training=_training(report.get("training")),
        figures="\n\n".join(map(_measured, report.get("figures", []))) or "No figures were measured for these weights.",
        limits="\n".join(f"- {limit}" for limit in report.get("limits", [])) or "Nothing was written down.",
    )


def read_report(path: Path) -> dict:
    """The report beside a model's weights.

    Raises:
        ValueError: no such file, or none of which a card could be made.
    """
    mend = "delete it, or write it again with the model"
    try:
        if not path.is_file():
            raise ValueError("no ordinary file")
        report = json.loads(path.read_text(encoding="utf-8"))
        check_report(report)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; {mend}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no report of a model ({' '.join(str(error).split())[:200]}); {mend}") from error
    return report


def check_report(report) -> None:
    """Look whether a card can be made of a report.

    Raises:
        ValueError: it cannot; which part is wrong.
    """
    _expect(isinstance(report, dict), "expected an object")
    _expect(report.keys() <= PARTS, f"expected the parts {', '.join(sorted(PARTS))}")
    _expect(isinstance(report.get("license", ""), str), "license: expected a text")
    _expect(isinstance(report.get("training") or {}, dict), "training: expected an object")
    for part in ("limits", "figures"):
        _expect(isinstance(report.get(part, []), list), f"{part}: expected a list")
    for figures in report.get("figures", []):
        _expect(isinstance(figures, dict) and isinstance(figures.get("protocol"), str), "figures: expected a protocol")
        _expect(isinstance(figures.get("pairs", 0), int), "pairs: expected a whole number")
        _expect(isinstance(figures.get("data", ""), str), "data: expected a text")
        for part in ("rows", "intervals", "not_available"):
            _expect(isinstance(figures.get(part, None if part == "rows" else {}), dict), f"{part}: expected an object")
        for row in figures["rows"].values():
            _expect(isinstance(row, dict) and all(map(_is_figure, row.values())), "rows: expected finite numbers")
        for row in figures.get("intervals", {}).values():
            _expect(isinstance(row, dict) and all(map(_is_interval, row.values())), "intervals: expected two numbers")


def _expect(true: bool, otherwise: str):
    if not true:
        raise ValueError(otherwise)


def _is_figure(value) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e9)


def _is_interval(value) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 2 and all(map(_is_figure, value)))


def _inline(config: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in config.items() if not key.startswith("_"))


def _training(facts: dict | None) -> str:
    if not facts:
        return "Nothing was written down about the training of these weights."
    return "\n".join(f"- {key}: {_code(key, value)}" for key, value in facts.items())


def _code(key: str, value) -> str:
    return f"`{value}`" if key == "command" else str(value)


def _model_index(figures: list[dict]) -> str:
    """The `model-index` of the front matter: what the Hub shows beside the card."""
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index
    from huggingface_hub.utils import yaml_dump

    results = [
        EvalResult(
            task_type="image-to-image",
            dataset_type="custom",
            dataset_name=measured.get("data", "not stated"),
            metric_type=_metric_type(metric),
            metric_name=f"{metric} (protocol {measured['protocol']})",
            metric_value=round(value, 4),
        )
        for measured in figures
        for metric, value in measured["rows"].get(MODEL, {}).items()
    ]
    return yaml_dump({"model-index": eval_results_to_model_index("SCA-GAN", results)}) if results else ""


def _metric_type(metric: str) -> str:
    """The Hub's name of a metric: "SSIM (person)" is "ssim-person"."""
    whole, _, part = metric.partition(" (")
    return "-".join(name for name in (METRIC_TYPES.get(whole, whole.lower()), part.rstrip(")")) if name)


def _measured(figures: dict) -> str:
    missing = [f"{metric}: {said}" for metric, said in figures.get("warnings", {}).items()]
    missing += [f"{metric} was not measured: it {why}" for metric, why in figures.get("not_available", {}).items()]
    return "\n".join([table(figures), *([""] if missing else []), *(f"- {line}" for line in missing)])


def heading(figures: dict) -> str:
    """What the figures of a table were measured by, and on: "unpadded, 4,500 pairs of held-out rendered people"."""
    whole = figures.get("expected", figures.get("pairs"))
    of = f" of {whole:,}" if whole != figures.get("pairs") else ""
    pairs = f"{figures['pairs']:,}{of} pairs" if "pairs" in figures else ""
    counted = " of ".join(part for part in (pairs, figures.get("data")) if part)
    return ", ".join(part for part in (figures["protocol"], counted) if part)


def table(figures: dict, intervals: bool = False) -> str:
    """One protocol's figures as a table: a row a method, a column a metric; with their intervals if asked for."""
    rows, bounds = figures["rows"], figures.get("intervals", {}) if intervals else {}
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    lines = [f"| {heading(figures)} | {' | '.join(metrics)} |", f"|---|{'---|' * len(metrics)}"]
    for method, row in rows.items():
        cells = [_number(row.get(metric)) + _bounds(bounds.get(method, {}).get(metric)) for metric in metrics]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _bounds(interval) -> str:
    return f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
