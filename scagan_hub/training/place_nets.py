"""Nets of learned places in training: PlaceNet says where the target's pixels lie, MendNet makes the picture of it.

Where both are trained at once, no gradient goes from the picture back to the places: what PlaceNet learns by is exact,
and a picture says nothing of places that it lacks.
"""

import torch

from ..evaluation.held_out import scaled
from ..evaluation.held_out_places import mend_pairs, predict_places
from ..features.loading import load_features
from ..models.layout import training_layout
from ..models.place_net import Places
from .config import TrainConfig
from .model import TrainedModel
from .place_losses import Truth
from .place_phases import MendPhase, MendTerms, PlacePhase


class PlaceNets(TrainedModel):
    """PlaceNet and MendNet.

    Raises:
        ValueError: when features, nets of LPIPS or a given net cannot be loaded.
    """

    names = {"pct": "PlaceNet", "is": "MendNet"}

    def __init__(self, config: TrainConfig, accelerator):
        mends = "is" in config.phases
        with accelerator.local_main_process_first():  # which may fetch them
            features = load_features(config.features) if mends else None
            terms = MendTerms(config.places, accelerator.device) if mends else None
        super().__init__(config, accelerator)
        if features is not None:
            features.to(self.device, memory_format=training_layout(self.device))
        self.phases = {}
        if "pct" in config.phases:
            self.phases["pct"] = PlacePhase(self.pct_net, config, accelerator)
        if mends:
            self.phases["is"] = MendPhase(self.is_net, config, features, terms, accelerator)
        self.make = mend_pairs if mends else predict_places
        if mends and "AlexNet" in terms.lpips:
            self.measures = {**self.measures, "lpips": terms.measure}

    def _draw(self, net: torch.nn.Module) -> None:
        """They are PyTorch's own draw, with nothing learned in the last layers."""

    @torch.no_grad()
    def _inputs(self, batch: dict) -> dict:
        batch = {key: value.to(self.device, non_blocking=True) for key, value in batch.items() if key != "names"}
        x = {role: scaled(batch[role]) for role in ("source_image", "target_image")}
        x |= {role: batch[role] for role in ("source_pose", "target_pose")}
        x["pose_map"], classes = self.content.heatmaps(batch["target_pose"]), batch.get("target_parsing")
        x["person"] = None if classes is None else (classes > 0).float()[:, None]
        if "pct" in self.phases:
            edge = (self.content.edges(x["target_image"]) + 1) / 2
            x["truth"] = Truth(batch["places"], batch["state"][:, None], classes[:, None], edge)
        return x

    def _backward(self, x: dict, step: int, share: float) -> dict[str, torch.Tensor]:
        inputs = (x["source_image"], x["source_pose"], x["target_pose"])
        terms = self.phases["pct"].backward(inputs, x["truth"], share) if "pct" in self.phases else {}
        if "is" in self.phases:
            with torch.no_grad(), self.accelerator.autocast():
                places = self.pct_net(*inputs)
            places = Places(*(x.float() for x in (places.position, places.shown, places.person, places.edge)))
            terms |= self.phases["is"].backward(x, places, step, share)
        return terms
