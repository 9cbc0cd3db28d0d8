"""The paper's nets in training: content is made, phase 1 draws edges, phase 2 the picture."""

import torch

from ..evaluation.held_out import generate_pairs, predict_edges, scaled
from ..features.loading import load_features
from ..models.layout import training_layout
from .components import initialise
from .config import TrainConfig
from .model import TrainedModel
from .phase import Phase


class Nets(TrainedModel):
    """PCT-Net and IS-Net, each against its discriminators.

    Raises:
        ValueError: when the features or a given net cannot be loaded.
    """

    def __init__(self, config: TrainConfig, accelerator):
        with accelerator.local_main_process_first():  # which may fetch them
            features = load_features(config.features)
        super().__init__(config, accelerator)
        if features is not None:
            features.to(self.device, memory_format=training_layout(self.device))
        nets = {"pct": (self.pct_net, self.content.edge_channels), "is": (self.is_net, 3)}
        self.phases = {name: Phase(name, *nets[name], config, features, accelerator) for name in config.phases}
        self.make = generate_pairs if "is" in self.phases else predict_edges

    def _draw(self, net: torch.nn.Module) -> None:
        initialise(net, self.config.init)

    def _backward(self, x: dict, step: int, share: float) -> dict[str, torch.Tensor]:
        terms = {}
        inputs = (x["source_edge"], x["pose_map"], x["prior"])
        if "pct" in self.phases:
            seen = (x["target_edge"], x["source_edge"], x["pose_map"])
            edge, figures = self.phases["pct"].backward(inputs, *seen, step, share)
            terms.update(figures)
        elif self.pct_net is None:
            edge = self.content.merged(x["prior"])
        else:
            with torch.no_grad(), self.accelerator.autocast():
                edge = self.pct_net(*inputs).float()
        if "is" in self.phases:
            inputs = (x["source_image"], edge, x["pose_map"], x["aligned"])
            seen = (x["target_image"], x["source_image"], x["pose_map"])
            _, figures = self.phases["is"].backward(inputs, *seen, step, share)
            terms.update(figures)
        return terms

    @torch.no_grad()
    def _inputs(self, batch: dict) -> dict:
        """uint8 pictures and poses of a batch -> all that the nets are fed."""
        batch = {key: value.to(self.device, non_blocking=True) for key, value in batch.items() if key != "names"}
        x = {role: scaled(batch[role]) for role in ("source_image", "target_image")}
        for role in ("source", "target"):
            if self.content.config.kind == "parsing":
                x[f"{role}_edge"] = self.content.parsing(batch[f"{role}_parsing"])
            else:
                x[f"{role}_edge"] = self.content.edges(x[f"{role}_image"])
        x["pose_map"] = self.content.heatmaps(batch["target_pose"])
        poses = (batch["source_pose"], batch["target_pose"])
        x["prior"], x["aligned"] = self.content.transfer(x["source_image"], x["source_edge"], *poses)
        return {
            key: value if value is None else value.contiguous(memory_format=training_layout(self.device))
            for key, value in x.items()
        }
