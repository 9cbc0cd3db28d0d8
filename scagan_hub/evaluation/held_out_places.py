"""What nets of learned places make of a data set's held-out pairs, with what lies between."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..content.alignment import sample
from ..data.places import SHOWN
from .held_out import batches, pixels, scaled


@torch.inference_mode()
def mend_pairs(pipe, data, indices: Iterable[int], batch_size: int = 8) -> Iterator[dict[str, np.ndarray]]:
    """Pictures with two of the layers that they are put together of, batch by batch.

    Args:
        pipe: a `ScaGan` that learns places.
        data: `PosePairs` of its picture size.
        indices: which pairs.
    Yields:
        uint8 (n,H,W,3) each: "source", "copied", "painted", "generated", "target"; and where the data has places
        "place_error" (n,), see the function.
    """
    for batch, source, poses in _read(pipe, data, indices, batch_size):
        places = pipe.pct_net(source, *poses)
        layers = pipe.is_net(source, *poses, places)
        made = {"source": source, "copied": layers.copied, "painted": layers.painted, "generated": layers.image}
        yield _shown(made, batch) | _errors(places, batch)


@torch.inference_mode()
def predict_places(pipe, data, indices: Iterable[int], batch_size: int = 8) -> Iterator[dict[str, np.ndarray]]:
    """What a PlaceNet alone makes of pairs, batch by batch; arguments as for `mend_pairs`.

    Yields:
        uint8 (n,H,W,3) each: "source", "copied" (all of it moved by the places), "shown" (white: the source shows it),
        "edges", "target"; "place_error" (n,), and "edge_l1" (n,), the mean absolute difference of predicted and true
        edges in [0, 1].
    """
    for batch, source, poses in _read(pipe, data, indices, batch_size):
        places = pipe.pct_net(source, *poses)
        true_edges, edges = pipe.content.edges(scaled(batch["target_image"])), 2 * torch.sigmoid(places.edge) - 1
        copied = sample(source, places.position.permute(0, 2, 3, 1))
        made = {"source": source, "copied": copied, "shown": 2 * torch.sigmoid(places.shown) - 1, "edges": edges}
        off = ((edges - true_edges).abs().mean((1, 2, 3)) / 2).cpu().numpy()
        yield _shown(made, batch) | _errors(places, batch) | {"edge_l1": off}


def place_error(position: torch.Tensor, places: torch.Tensor, state: torch.Tensor) -> np.ndarray:
    """Median distance of predicted and true places in pixels, of each picture's places that the source shows.

    Args:
        position, places: (n,2,H,W).
        state: (n,H,W), see `data.places`.
    Returns:
        (n,); nan for a picture of which the source shows nothing.
    """
    off = (position - places).norm(dim=1)
    medians = [
        one[seen].median().item() if seen.any() else np.nan for one, seen in zip(off, state == SHOWN, strict=True)
    ]
    return np.array(medians)


def _read(pipe, data, indices: Iterable[int], size: int) -> Iterator[tuple[dict, torch.Tensor, tuple]]:
    for _, batch in batches(data, indices, size):
        batch = {name: value.to(pipe.device) for name, value in batch.items() if name != "names"}
        yield batch, scaled(batch["source_image"]), (batch["source_pose"], batch["target_pose"])


def _shown(made: dict[str, torch.Tensor], batch: dict) -> dict[str, np.ndarray]:
    made = made | {"target": scaled(batch["target_image"])}
    return {name: pixels(maps) for name, maps in made.items()}


def _errors(places, batch: dict) -> dict[str, np.ndarray]:
    if "places" not in batch:
        return {}
    return {"place_error": place_error(places.position, batch["places"], batch["state"])}
