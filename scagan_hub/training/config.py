"""What a training run is: every field says why it is there."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .term_weights import PlaceWeights, Weights

IMAGE_SIZE = (256, 176)

# Settings of the three components. `release`: the authors' size. `demo`: small, source aligned limb by limb. `places`:
# nets of learned places, PlaceNet and MendNet, in the places of PCT-Net and IS-Net.
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
    "places": {
        "content": {"image_size": IMAGE_SIZE, "prior": "aligned"},
        "pct_net": {"image_size": IMAGE_SIZE},
        "is_net": {"image_size": IMAGE_SIZE},
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


def has_pct_net(variant: str) -> bool:
    return VARIANTS[variant].get("pct_net", {}) is not None


# What a number must be at least, and below what it must be.
RANGES = {
    **dict.fromkeys(("steps", "batch_size", "accumulate", "view_scale", "discriminator_width", "keep"), (1, math.inf)),
    **dict.fromkeys(("save_every", "evaluate_every", "evaluate_pairs", "log_every"), (1, math.inf)),
    **dict.fromkeys(
        ("adversarial_from", "decay_from", "workers", "learning_rate", "discriminator_rate"), (0, math.inf)
    ),
    **dict.fromkeys(("warmup", "weight_decay"), (0, math.inf)),
    "seed": (0, 2**32),
    **dict.fromkeys(("ema", "betas"), (0, 1)),
}


@dataclass
class TrainConfig:
    """One run of the trainer; what is saved with its checkpoints."""

    data: Path
    """folder of the data set (see data.PosePairs)"""
    output: Path
    """folder for checkpoints, the log, pictures and the model; several machines must see the same one"""
    preset: Literal["demo", "release", "places"] = "demo"
    """sizes of the nets and what they are fed; on the command line also what other options are by default"""
    variant: Literal[tuple(VARIANTS)] = "full"
    """full, or one of the paper's ablations (docs/ablations.md)"""
    phase: Literal["pct", "is", "both"] = "both"
    """pct: edges (and places) only; is: pictures, with a frozen PCT-Net; both: each batch trains both nets"""
    pct_net: Path | None = None
    """folder of a trained model whose PCT-Net to start from; phase `is`, which doesn't train it, needs one"""
    is_net: Path | None = None
    """folder of a trained model whose IS-Net to start from"""
    steps: int = 10_000
    """updates in all, those before a resume included"""
    decay_from: int | None = None
    """step from which the learning rate falls linearly to zero at `steps`; none, or none of the `steps`: never"""
    batch_size: int = 8
    """pairs that a process works on at once: what memory allows"""
    mirror: bool = True
    """mirror every other pair, drawn at random, picture and pose; the release doesn't"""
    identity: float = 0.0
    """share of pairs, drawn at random, whose source is their target"""
    plain_ground: float = 0.0
    """share of pairs, drawn at random, whose person is cut out and put on a plain ground; needs parsing maps"""
    accumulate: int = 1
    """batches a process and update: a larger batch than memory allows"""
    learning_rate: float = 2e-4
    """of the generators, by Adam; the release's in phase 1, which halves it in phase 2"""
    warmup: int = 0
    """steps in which the learning rates rise to what they are"""
    discriminator_rate: float = 2e-4
    """of the discriminators; the release's is the generators'"""
    betas: tuple[float, float] = (0.5, 0.999)
    """of Adam; the release's"""
    weight_decay: float = 0.0
    """of AdamW, which without it is Adam"""
    clip: float | None = None
    """largest norm of a net's gradients in an update, larger ones are scaled down; none: any"""
    weights: Weights = field(default_factory=Weights)
    """of the objective's terms; of the preset `places` too, where without `adversarial` there are no discriminators"""
    places: PlaceWeights = field(default_factory=PlaceWeights)
    """of the further terms of the preset `places`"""
    adversarial_from: int = 0
    """step at which the discriminators join: pictures of a net that has learnt nothing teach them nothing"""
    adversarial_form: Literal["least_squares", "log"] = "least_squares"
    """least_squares: the release; log: the talk"""
    discriminator: Literal["resnet", "patch"] = "resnet"
    """resnet: the release's; patch: small and spectrally normalised"""
    discriminator_width: int = 64
    """channels after a discriminator's first convolution; the release's"""
    features: str = "none"
    """vgg19 (the paper's, from the Hub), vgg16 (torchvision's), efficientnet-lite0, or a file of their weights; none:
    no perceptual and contextual term"""
    perceptual_layers: tuple[str, ...] | None = None
    """where features are compared place by place; none: as for the next"""
    contextual_layers: tuple[str, ...] | None = None
    """none: the feature net's own; VGG's are the release's, relu1_2, and relu3_2 and relu4_2"""
    raw_contextual: bool = False
    """the contextual term's VGG sees pictures in [-1, 1] as they are, as the release has it; a second pass"""
    relative_perceptual: bool = False
    """divide each layer's term by its mean activation"""
    view_scale: int = 1
    """features and discriminators see pictures smaller by this factor and, every other step, full-size windows of
    that size round a joint drawn at random, so often round the face (edge maps: always windows, since thin lines
    don't survive shrinking); 1: whole pictures"""
    ema: float = 0.999
    """decay of the averaged weights that are saved and evaluated"""
    init: Literal["normal", "kaiming"] = "normal"
    """of the generators and resnet discriminators; normal: N(0, .02), the release's; kaiming: keeps the style encoder's
    signal alive at small widths. A patch discriminator, spectrally normalised, keeps PyTorch's own draw, and PlaceNet
    and MendNet keep theirs"""
    seed: int = 0
    """of the first weights, the order of the pairs and everything drawn at random: the same seed, the same run"""
    workers: int = 1
    """processes that decode pictures, for each training process"""
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    """bf16 is several times as fast where the hardware has it; losses and weights stay in float32"""
    resume: Literal["latest", "no"] = "no"
    """latest: go on from the newest whole checkpoint in `output`, or begin where there is none"""
    save_every: int = 500
    """updates between checkpoints: what a crash may cost"""
    keep: int = 2
    """checkpoints kept: an older one is what a damaged newest falls back to"""
    evaluate_every: int = 500
    """updates between validations, which cost as much as generating their pairs"""
    evaluate_pairs: int = 64
    """held-out pairs, the same each time: more make figures steadier and validations slower"""
    log_every: int = 50
    """updates that a line of the log is the mean of"""
    trackers: tuple[str, ...] = ("tensorboard",)
    """who is told the figures, of the trackers that Accelerate knows: tensorboard, wandb, mlflow, ..."""
    dry_run: bool = False
    """print what the run would take, and stop"""

    def __post_init__(self):
        for name, (least, below) in RANGES.items():
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if number is not None and not least <= number < below:
                    wanted = f"below {below}" if number >= least else f"at least {least}"
                    raise ValueError(f"{name} must be {wanted}, got {number}")
        for name in ("identity", "plain_ground"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1, got {getattr(self, name)}")
        if self.learns_places and self.variant != "full":
            raise ValueError(f"the preset places has no variant {self.variant}: leave --variant out")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be above 0, got {self.clip}; leave it out to clip nothing")
        if self.has_pct_net and self.phase == "is" and self.pct_net is None:
            raise ValueError("phase `is` needs a trained PCT-Net: give its model's folder with --pct-net")
        if not self.has_pct_net and (self.phase == "pct" or self.pct_net is not None):
            raise ValueError(f"the variant {self.variant} has no PCT-Net: leave --phase pct and --pct-net out")

    @property
    def has_pct_net(self) -> bool:
        return has_pct_net(self.variant)

    @property
    def learns_places(self) -> bool:
        """Whether the nets are PlaceNet and MendNet."""
        return self.preset == "places"

    @property
    def phases(self) -> tuple[str, ...]:
        """Which nets each batch trains: "pct", "is" or both, in this order."""
        if not self.has_pct_net:
            return ("is",)
        return ("pct", "is") if self.phase == "both" else (self.phase,)

    def rate_factor(self, step: int) -> float:
        """What the learning rates are multiplied by at a step."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        if self.decay_from is None or step < self.decay_from:
            return rise
        return rise * (self.steps - step) / (self.steps - self.decay_from)

    @property
    def schedule(self) -> str:
        """The course of the learning rates, for a reader."""
        rise = f"rising for {self.warmup:,} steps, " if self.warmup else ""
        return rise + self._schedule

    @property
    def _schedule(self) -> str:
        if self.decay_from is None:
            return f"constant for all {self.steps:,} steps"
        if self.decay_from < self.steps:
            return f"constant to step {self.decay_from:,}, then falling to zero at step {self.steps:,}"
        return (
            f"constant for all {self.steps:,} steps: they would fall from step {self.decay_from:,} on; give an earlier "
            "--decay-from, or more --steps"
        )

    def plain(self) -> dict:
        """As JSON has it."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=str))


# What a resumed run may change: where things lie, how long, how often and how loud, and how its batch is cut.
MAY_DIFFER = {
    *("data", "output", "pct_net", "is_net", "resume", "dry_run", "workers", "batch_size", "accumulate"),
    *("steps", "decay_from", "save_every", "keep", "evaluate_every", "evaluate_pairs", "log_every", "trackers"),
}


def differing(recorded: dict, current: dict) -> list[str]:
    """What keeps a run with the `current` configuration from going on where the `recorded` one stopped.

    Args:
        recorded, current: as `TrainConfig.plain` gives them; a field that was not recorded had its default.
    Returns:
        "name: recorded -> current" of every field that may not differ.
    """
    recorded, current = flat(TrainConfig(Path(), Path()).plain()) | flat(recorded), flat(current)
    names = [name for name in dict.fromkeys([*recorded, *current]) if name not in MAY_DIFFER]
    there = {name: (recorded.get(name, "unknown"), current.get(name, "unknown")) for name in names}
    return [f"{name}: {then} -> {now}" for name, (then, now) in there.items() if then != now]


def flat(settings: dict, prefix: str = "") -> dict:
    """{"weights": {"appearance": 1}} -> {"weights.appearance": 1}"""
    found = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found
