"""The data sets of a run, with as much in their items as the nets learn by."""

from ..content import Content
from ..data import PosePairs
from ..data.layouts import Split
from .config import TrainConfig


def pair_sets(config: TrainConfig, content: Content) -> tuple[PosePairs, PosePairs]:
    """The pairs to train on and those held out.

    Nets of learned places need correspondences in phase 1. In phase 2 they use parsing maps where there are some.

    Raises:
        ValueError: for data that cannot be trained on.
    """
    first, second = (_pairs(config, content, split) for split in ("train", "test"))
    return first, second


def notes(config: TrainConfig, train_set: PosePairs) -> list[str]:
    """What a run leaves out for want of data."""
    if not config.learns_places or train_set.parsing:
        return []
    return [f"no parsing maps in {config.data}: the terms alpha and painted and plain grounds are left out"]


def _pairs(config: TrainConfig, content: Content, name: str) -> PosePairs:
    split, places = Split(config.data, name), config.learns_places and "pct" in config.phases
    if places and not split.correspondences.is_dir():
        raise ValueError(
            f"phase {config.phase} of the preset places needs to know where pixels lie in other pictures, and there is "
            f"no folder {split.correspondences}: `scagan people --correspondences` makes people with it; --phase is "
            "with --pct-net does without"
        )
    parsing = content.config.kind == "parsing"
    if config.learns_places:
        parsing = split.parsings.is_dir()
    elif name == "train":
        parsing = parsing or config.plain_ground > 0
    return PosePairs(config.data, name, content.config.image_size, parsing, places)
