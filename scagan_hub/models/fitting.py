"""Whether the nets of a pipeline fit each other and what they are fed."""

from typing import Any

from ..content import Content
from .is_net import ISNet
from .mend_net import MendNet
from .pct_net import PCTNet
from .place_net import PlaceNet


def check_components(pct_net: PCTNet | PlaceNet | None, is_net: ISNet | MendNet, content: Content) -> None:
    """
    Raises:
        ValueError: the nets belong to two forms, or are configured for something else than the content gives.
    """
    if isinstance(pct_net, PlaceNet) != isinstance(is_net, MendNet):
        raise ValueError(
            f"ScaGan: PlaceNet and MendNet belong together, got {type(pct_net).__name__} and {type(is_net).__name__}"
        )
    if isinstance(is_net, MendNet):
        parts: list[Any] = [pct_net, is_net, content]
        sizes = {tuple(part.config.image_size) for part in parts}
        if len(sizes) > 1 or content.config.kind != "edges":
            raise ValueError(
                f'ScaGan: nets of learned places take one image_size and kind="edges", got {sorted(sizes)} and '
                f"kind={content.config.kind!r}"
            )
        return
    pairs: dict[str, tuple[Any, Any]] = {
        "image_size": (tuple(is_net.config.image_size), tuple(content.config.image_size)),
        "aligned_channels": (is_net.config.aligned_channels, 4 if content.config.alignment == "limbs" else 0),
    }
    if is_net.config.edge_channels:
        pairs["edge_channels"] = (is_net.config.edge_channels, content.edge_channels)
    if pct_net is not None:
        pairs["prior_channels"] = (pct_net.config.prior_channels, content.prior_channels)
    for name, (net, fed) in pairs.items():
        if net != fed:
            raise ValueError(f"ScaGan: the nets are configured for {name} {net}, the content gives {fed}")
