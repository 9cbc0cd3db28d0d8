"""The presets' recipes: what a preset sets besides the sizes of its nets."""

from .config import PlaceWeights, TrainConfig, Weights

PAIRS_AN_EPOCH = 4_000  # what the authors call an epoch: so many pairs, drawn at random
CONSTANT, DECAYING = 200, 200  # epochs of theirs


def _release(learning_rate: float, batch_size: int) -> dict:
    """The authors' hyper-parameters, for one process: for N, divide `steps` and `decay_from` by N."""
    return {
        "learning_rate": learning_rate,
        "discriminator_rate": learning_rate,
        "batch_size": batch_size,
        "steps": (CONSTANT + DECAYING) * PAIRS_AN_EPOCH // batch_size,
        "decay_from": CONSTANT * PAIRS_AN_EPOCH // batch_size,
        "features": "vgg19",
        "mirror": False,
        "save_every": 2_000,
        "evaluate_every": 10_000,
    }


# `pct` is the authors' phase 1, `is` their phase 2; they don't train both at once, which here goes as phase 2.
RELEASE = {"pct": _release(2e-4, 5), "is": _release(1e-4, 3), "both": _release(1e-4, 3)}

# What the bundled weights were trained by, on two CPU cores (docs/training.md says why).
DEMO = {
    "steps": 2_250,
    "decay_from": 1_600,
    "learning_rate": 4e-4,
    "weights": {"adversarial": 0.2, "appearance": 5.0},
    "adversarial_from": 900,
    "discriminator": "patch",
    "discriminator_width": 32,
    "features": "vgg16",
    "perceptual_layers": ("relu1_2", "relu2_2", "relu3_2"),
    "contextual_layers": ("relu3_2",),
    "relative_perceptual": True,
    "view_scale": 2,
    "init": "kaiming",
    "mixed_precision": "bf16",
    "save_every": 250,
    "evaluate_every": 250,
}


def _places(batch_size: int, steps: int) -> dict:
    """Nets of learned places, on whatever hardware: all that is hard to learn they are taught, so they learn fast."""
    return {
        "batch_size": batch_size,
        "steps": steps,
        "decay_from": steps * 6 // 10,
        "learning_rate": 1e-3,
        "discriminator_rate": 4e-4,
        "warmup": 100,
        "betas": (0.9, 0.98),
        "weight_decay": 1e-2,
        "clip": 1.0,
        "identity": 0.12,
        "plain_ground": 0.3,
        "weights": {"adversarial": 0.0},
        "discriminator": "patch",
        "discriminator_width": 32,
        "ema": 0.998,
        "mixed_precision": "bf16",
        "save_every": 400,
        "evaluate_every": 400,
    }


PLACES = {"pct": _places(16, 8_000), "is": _places(8, 12_000), "both": _places(8, 12_000)}
BY_PHASE = {"release": RELEASE, "places": PLACES}


def by_recipe(preset: str = "demo", phase: str = "both", **settings) -> TrainConfig:
    """A preset's configuration of a phase, with `settings` in place of what its recipe says.

    `weights` and `places` are dictionaries of those that differ from the recipe's.
    """
    recipe = BY_PHASE[preset][phase] if preset in BY_PHASE else DEMO
    merged = {
        name: kind(**recipe.get(name, {}) | settings.get(name, {}))
        for name, kind in (("weights", Weights), ("places", PlaceWeights))
    }
    return TrainConfig(preset=preset, phase=phase, **recipe | settings | merged)
