"""Held-out figures and pictures of the averaged weights, by the code that `scagan evaluate` uses."""

import numpy as np
from accelerate.utils import gather_object

from ..evaluation import l1, ssim
from ..evaluation.held_out import choose, generate_pairs, predict_edges
from ..evaluation.held_out_places import mend_pairs, predict_places

COLUMNS = {
    generate_pairs: ("source", "aligned", "edges", "generated", "target"),
    predict_edges: ("source", "prior", "edges", "target_edges", "target"),
    mend_pairs: ("source", "copied", "painted", "generated", "target"),
    predict_places: ("source", "copied", "shown", "edges", "target"),
}
MEASURES = {"ssim": ssim, "l1": l1}
SHOWN = 8  # pairs in the grid
BATCH = 8


def check(data, pairs: int) -> None:
    """Decodes the pictures that `validate` will need, and what else it looks at.

    Raises:
        BadImage: naming the first that cannot be used.
    """
    for i in choose(data, pairs) if data.places else ():
        data[int(i)]
    for name in sorted({name for i in choose(data, pairs) for name in data.pairs[i]}):
        data.view(name)
        if data.parsing:
            data.parsing_map(name)


def validate(
    pipe, data, pairs: int, accelerator, make=generate_pairs, measures=MEASURES
) -> tuple[dict[str, float], np.ndarray | None]:
    """Measures a pipeline on held-out pairs, the same each time; every process takes its share of them.

    Args:
        pipe: a `ScaGan`, the same on every process.
        data: `PosePairs`.
        pairs: how many to draw.
        make: of `COLUMNS`; `predict_edges` and `predict_places` look at phase 1 alone.
        measures: of "generated" and "target", where they are made.
    Returns:
        the mean of every figure over the pairs that have it, and the grid of the first pairs, uint8 (H,W,3): source,
        aligned source, edges, result, truth, or what else `COLUMNS` says. The grid is None on all but the main process.
    """
    indices = choose(data, pairs)
    mine = range(accelerator.process_index, len(indices), accelerator.num_processes)
    figures, rows = {}, {}
    made = make(pipe, data, indices[mine.start :: mine.step], BATCH)
    for batch, start in zip(made, range(0, len(mine), BATCH), strict=True):
        positions = mine[start : start + BATCH]
        values = measure(batch, measures)
        row = np.concatenate([batch[name] for name in COLUMNS[make]], axis=2)
        for i, position in enumerate(positions):
            figures[position] = {name: value[i] for name, value in values.items()}
            if position < SHOWN:
                rows[position] = row[i]
    gathered = gather_object([(figures, rows)])
    figures, rows = ({k: v for part in parts for k, v in part.items()} for parts in zip(*gathered, strict=True))
    columns = {name: np.array([figures[i][name] for i in range(len(indices))]) for name in figures[0]}
    means = {name: float(np.nanmean(column)) for name, column in columns.items() if not np.isnan(column).all()}
    return means, grid([rows[i] for i in sorted(rows)]) if accelerator.is_main_process else None


def measure(made: dict[str, np.ndarray], measures: dict) -> dict[str, np.ndarray]:
    """A batch's figures, (n,) each: those made with its pictures, and `measures` of what was generated; a pair that
    cannot have a figure has nan."""
    figures = {name: values for name, values in made.items() if values.ndim == 1}
    if "generated" in made:
        figures |= {name: metric(made["generated"], made["target"]) for name, metric in measures.items()}
    return figures


def grid(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of pictures (H,W,3) under each other, an even number of them in two columns."""
    length = len(rows) if len(rows) % 2 else len(rows) // 2
    return np.concatenate([np.concatenate(rows[i : i + length]) for i in range(0, len(rows), length)], axis=1)
