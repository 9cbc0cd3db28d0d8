"""The reference weights, by recipe: every tensor follows from its name (tests/fixtures/manifest.json)."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

FIXTURES = Path(__file__).parent / "fixtures"
SEED = 20210  # of tests/fixtures/pipeline.npz


def recipe_tensor(name: str, shape, seed: int = SEED) -> torch.Tensor:
    """The tensor of this name: normalised so that activations keep their scale through the net."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    state = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    n = state.standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        n = 1 + 0.2 * np.abs(n)
    elif name.endswith("running_mean"):
        n = 0.1 * n
    elif len(shape) <= 1:
        n = 1 + 0.1 * n if name.endswith("weight") else 0.02 * n
    else:
        n = n / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(n, dtype=np.float32))


def drawn_name(name: str) -> str:
    """The name that a tensor is drawn under: the style encoder's blocks appear twice in the release."""
    for k, block in enumerate(["head_0", *(f"down_{k}" for k in range(5))]):
        name = name.replace(f"enc_style.model.{k}.", f"enc_style.{block}.")
    return name


def release_state(kind: str, seed: int = SEED) -> dict[str, torch.Tensor]:
    """A state dict of the release: "isnet_noise", "isnet_pose" or "pctnet"."""
    manifest = json.loads((FIXTURES / "manifest.json").read_text())
    drawn, state = {}, {}
    for name, shape, _ in manifest[kind]:
        original = drawn_name(name)
        if original not in drawn:
            drawn[original] = recipe_tensor(original, shape, seed)
        state[name] = drawn[original]
    return state
