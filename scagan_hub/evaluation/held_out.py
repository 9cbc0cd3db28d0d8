"""What a pipeline makes of a data set's held-out pairs."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..content import one_plane
from ..poses.pose import Pose


def pixels(image: torch.Tensor) -> np.ndarray:
    """(N,C,H,W) in [-1, 1], C of 1 or 3 -> uint8 (N,H,W,3)."""
    image = image.float().cpu().expand(-1, 3, -1, -1)
    return ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


@torch.inference_mode()
def generate_pairs(pipe, data, indices: Iterable[int], batch_size: int = 8) -> Iterator[dict[str, np.ndarray]]:
    """What a pipeline makes of a data set's pairs, batch by batch.

    The noise of a pipeline that starts from noise is a function of the pair alone.

    Args:
        pipe: a `ScaGan`.
        data: `PosePairs` of its picture size, with parsing maps for a model that needs them.
        indices: which pairs.
    Yields:
        uint8 (n,H,W,3) each: "source", "aligned" (the limb-aligned source), "edges", "generated", "target".
    """
    for listed, batch in batches(data, indices, batch_size):
        source, target = (scaled(batch[f"{role}_image"]) for role in ("source", "target"))
        poses = {role: batch[f"{role}_pose"] for role in ("source", "target")}
        read = {role: [Pose(k, pipe.picture_size) for k in poses[role].numpy()] for role in poses}
        parsing = list(batch["source_parsing"].numpy()) if pipe.content.config.kind == "parsing" else None
        encoded = pipe.encode(pictures(source), read["source"], source_parsing=parsing)
        rendered = pipe.render(encoded, read["target"], _noise(pipe, listed))
        aligned = pipe.content.align(source, poses["source"], poses["target"])[:, :3]
        made = {"source": source, "aligned": aligned, "edges": rendered.edge, "generated": rendered.image}
        made["target"] = target
        yield {name: pixels(image) for name, image in made.items()}


@torch.inference_mode()
def predict_edges(pipe, data, indices: Iterable[int], batch_size: int = 8) -> Iterator[dict[str, np.ndarray]]:
    """What a pipeline's PCT-Net alone makes of a data set's pairs, batch by batch; arguments as for `generate_pairs`.

    Yields:
        uint8 (n,H,W,3) each: "source", "prior" (merged), "edges", "target_edges" (the truth), "target"; and "edge_l1"
        (n,), the mean absolute difference of predicted and true edges (or of the maps of all classes) in [0, 1].
    """
    content = pipe.content
    for _, batch in batches(data, indices, batch_size):
        batch = {name: value.to(pipe.device) for name, value in batch.items() if name != "names"}
        image, edge = {}, {}
        for role in ("source", "target"):
            image[role] = scaled(batch[f"{role}_image"])
            is_parsing = content.config.kind == "parsing"
            edge[role] = content.parsing(batch[f"{role}_parsing"]) if is_parsing else content.edges(image[role])
        prior, _ = content.transfer(image["source"], edge["source"], batch["source_pose"], batch["target_pose"])
        predicted = pipe.pct_net(edge["source"], content.heatmaps(batch["target_pose"]), prior)
        made = {"prior": content.merged(prior), "edges": predicted, "target_edges": edge["target"]}
        made = {name: one_plane(maps) for name, maps in made.items()} | image
        off = (predicted - edge["target"]).abs().mean((1, 2, 3)) / 2
        yield {name: pixels(maps) for name, maps in made.items()} | {"edge_l1": off.cpu().numpy()}


def batches(data, indices: Iterable[int], size: int) -> Iterator[tuple[list[int], dict]]:
    indices = [int(i) for i in indices]
    for start in range(0, len(indices), size):
        part = indices[start : start + size]
        yield part, torch.utils.data.default_collate([data[i] for i in part])


def scaled(image: torch.Tensor) -> torch.Tensor:
    """uint8 0..255 -> float [-1, 1]."""
    return image.float() / 127.5 - 1


def _noise(pipe, indices: list[int]) -> torch.Tensor | None:
    """z (n,noise_size), a function of each pair's index alone; None for a model that starts from the pose."""
    if pipe.noise_size is None:
        return None
    drawn = [torch.randn(pipe.noise_size, generator=torch.Generator().manual_seed(index)) for index in indices]
    return torch.stack(drawn).to(pipe.device)


def pictures(image: torch.Tensor) -> list:
    """(N,3,H,W) in [-1, 1] -> PIL pictures."""
    from PIL import Image

    return [Image.fromarray(picture) for picture in pixels(image)]


def choose(data, pairs: int, seed: int = 0) -> np.ndarray:
    """Indices of `pairs` pairs drawn without repetition; of all in order where there are no more."""
    if pairs >= len(data):
        return np.arange(len(data))
    return np.random.RandomState(seed).permutation(len(data))[:pairs]
