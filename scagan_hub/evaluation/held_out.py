"""What a pipeline makes of a data set's held-out pairs."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..pose import Pose


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
    indices = [int(i) for i in indices]
    for start in range(0, len(indices), batch_size):
        batch = torch.utils.data.default_collate([data[i] for i in indices[start : start + batch_size]])
        source, target = (batch[f"{role}_image"].float() / 127.5 - 1 for role in ("source", "target"))
        poses = {role: batch[f"{role}_pose"] for role in ("source", "target")}
        listed = {role: [Pose(k, pipe.picture_size) for k in poses[role].numpy()] for role in poses}
        parsing = list(batch["source_parsing"].numpy()) if pipe.content.config.kind == "parsing" else None
        encoded = pipe.encode(pictures(source), listed["source"], source_parsing=parsing)
        generated, edges = pipe.render(encoded, listed["target"], _noise(pipe, indices[start : start + batch_size]))
        aligned = pipe.content.align(source, poses["source"], poses["target"])[:, :3]
        made = {"source": source, "aligned": aligned, "edges": edges, "generated": generated, "target": target}
        yield {name: pixels(image) for name, image in made.items()}


def _noise(pipe, indices: list[int]) -> torch.Tensor | None:
    """z (n,noise_size), a function of each pair's index alone; None for a model that starts from the pose."""
    if pipe.is_net.config.start != "noise":
        return None
    size = pipe.is_net.config.noise_size
    drawn = [torch.randn(size, generator=torch.Generator().manual_seed(index)) for index in indices]
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
