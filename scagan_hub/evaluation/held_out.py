"""A model and its two floors, copying the source and the warp alone, over the pairs of a data set."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..pose import Pose
from .metrics import l1, psnr, ssim

METRICS = {"SSIM": ssim, "L1": l1, "PSNR": psnr}
ROWS = {"source": "Copy of the source", "aligned": "Aligned source, nothing learned", "generated": "Model"}


def pixels(image: torch.Tensor) -> np.ndarray:
    """(N,C,H,W) in [-1, 1], C of 1 or 3 -> uint8 (N,H,W,3)."""
    image = image.float().cpu().expand(-1, 3, -1, -1)
    return ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


@torch.inference_mode()
def generate_pairs(pipe, data, indices: Iterable[int], batch_size: int = 8) -> Iterator[dict[str, np.ndarray]]:
    """What a pipeline makes of a data set's pairs, batch by batch.

    Args:
        pipe: a `ScaGan`.
        data: `PosePairs` of its picture size, with parsing maps for a model that needs them.
        indices: which pairs.
    Yields:
        uint8 (n,H,W,3) each: "source", "aligned" (the limb-aligned source), "edges", "generated", "target".
    """
    indices = [int(i) for i in indices]
    for start in range(0, len(indices), batch_size):
        batch = torch.utils.data.default_collate([data[i] for i in indices[start : start + batch_size]])
        source, target = (batch[f"{role}_image"].float() / 127.5 - 1 for role in ("source", "target"))
        poses = {role: batch[f"{role}_pose"] for role in ("source", "target")}
        listed = {role: [Pose(k, pipe.picture_size) for k in poses[role].numpy()] for role in poses}
        parsing = list(batch["source_parsing"].numpy()) if "source_parsing" in batch else None
        encoded = pipe.encode(pictures(source), listed["source"], source_parsing=parsing)
        generated, edges = pipe.render(encoded, listed["target"])
        aligned = pipe.content.align(source, poses["source"], poses["target"])[:, :3]
        made = {"source": source, "aligned": aligned, "edges": edges, "generated": generated, "target": target}
        yield {name: pixels(image) for name, image in made.items()}


def pictures(image: torch.Tensor) -> list:
    """(N,3,H,W) in [-1, 1] -> PIL pictures."""
    from PIL import Image

    return [Image.fromarray(picture) for picture in pixels(image)]


def per_pair(made: dict[str, np.ndarray], protocol: str = "unpadded") -> dict[str, dict[str, np.ndarray]]:
    """Every metric of every row for a batch of `generate_pairs`: {row: {metric: (n,)}}."""
    return {
        title: {name: metric(made[key], made["target"], protocol) for name, metric in METRICS.items()}
        for key, title in ROWS.items()
    }


def choose(data, pairs: int, seed: int = 0) -> np.ndarray:
    """Indices of `pairs` pairs drawn without repetition; of all in order where there are no more."""
    if pairs >= len(data):
        return np.arange(len(data))
    return np.random.RandomState(seed).permutation(len(data))[:pairs]


def measure(pipe, data, pairs: int, protocol: str = "unpadded", seed: int = 0) -> dict:
    """Mean figures of the model and its floors, as a card's report has them.

    Returns:
        {"protocol": ..., "pairs": n, "data": ..., "rows": {row: {metric: mean}}}
    """
    indices = choose(data, pairs, seed)
    batches = [per_pair(made, protocol) for made in generate_pairs(pipe, data, indices)]
    rows = {
        title: {name: float(np.concatenate([b[title][name] for b in batches]).mean()) for name in METRICS}
        for title in ROWS.values()
    }
    return {"protocol": protocol, "pairs": len(indices), "data": "held-out rendered people", "rows": rows}
