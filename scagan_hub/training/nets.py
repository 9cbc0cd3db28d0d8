"""All that learns in a run, and one update of it: content is made, phase 1 draws edges, phase 2 the picture."""

from contextlib import ExitStack

import numpy as np
import torch

from ..models.features import load_features
from ..models.layout import training_layout
from ..pipeline import ScaGan
from .components import components, initialise, trained_net
from .config import TrainConfig
from .phase import Phase


class Nets:
    """PCT-Net, IS-Net and content on the accelerator's device, with a `Phase` for each net that is trained.

    Raises:
        ValueError: when the features or a given net cannot be loaded.
    """

    def __init__(self, config: TrainConfig, accelerator):
        self.config, self.accelerator, self.device = config, accelerator, accelerator.device
        with accelerator.local_main_process_first():  # which may fetch them
            features = load_features(config.features)
        torch.manual_seed(config.seed)
        self.pct_net, self.is_net, self.content = components(config)
        for name in ("pct_net", "is_net"):
            trained, net = getattr(config, name), getattr(self, name)
            if trained is not None:
                setattr(self, name, trained_net(trained, name, net, self.content))
            elif net is not None:
                initialise(net, config.init)
        for net in (self.pct_net, self.is_net, features):
            if net is not None:
                net.to(self.device, memory_format=training_layout(self.device))
        nets = {"pct": (self.pct_net, self.content.edge_channels), "is": (self.is_net, 3)}
        self.phases = {name: Phase(name, *nets[name], config, features, accelerator) for name in config.phases}
        if "pct" not in self.phases and self.pct_net is not None:
            self.pct_net.requires_grad_(False).eval()

    def parts(self) -> dict:
        """Everything that a checkpoint must restore, by name; each has `state_dict` and `load_state_dict`."""
        parts = {name: part for phase in self.phases.values() for name, part in phase.parts().items()}
        if "pct" not in self.phases and self.pct_net is not None:
            parts["pct.frozen"] = self.pct_net
        return parts if self.accelerator.scaler is None else parts | {"scaler": self.accelerator.scaler}

    def backward(self, batches: list[dict], step: int) -> dict[str, torch.Tensor]:
        """Gradients of one update: the mean over its micro-batches.

        Processes exchange gradients once, with the last micro-batch. Terms and layers that look across a batch
        (BatchNorm, the contextual term's centre) see one micro-batch.

        Returns:
            this process's mean of every term, scalars on the device.
        """
        figures = []
        for i, batch in enumerate(batches):
            seed = np.random.SeedSequence((self.config.seed, step, i, self.accelerator.process_index))
            torch.manual_seed(int(seed.generate_state(1)[0]))  # a resumed step draws the same
            with ExitStack() as local:
                for phase in self.phases.values() if i + 1 < len(batches) else ():
                    for net in phase.wrapped:
                        local.enter_context(self.accelerator.no_sync(net))
                figures.append(self._backward(self._inputs(batch), step, 1 / len(batches)))
        return {name: torch.stack([terms[name] for terms in figures]).mean() for name in figures[0]}

    def norms(self) -> dict[str, torch.Tensor]:
        """Norms of all gradients, the same on every process; clips them."""
        return {name: norm for phase in self.phases.values() for name, norm in phase.norms().items()}

    def update(self, bad: torch.Tensor) -> None:
        """Steps every optimiser; nothing changes where `bad` is 1."""
        for phase in self.phases.values():
            phase.update(bad)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.update()

    def set_rates(self, factor: float) -> dict[str, float]:
        return {name: rate for phase in self.phases.values() for name, rate in phase.set_rate(factor).items()}

    def share_statistics(self) -> None:
        """Before weights are looked at or saved: the same BatchNorm statistics everywhere."""
        for phase in self.phases.values():
            phase.share_statistics()

    def trained(self) -> str:
        """Which nets this run trains, and what the others are."""
        names = {"pct": "PCT-Net", "is": "IS-Net"}
        said = [" and ".join(names[phase] for phase in self.phases)]
        for phase, net in (("pct", self.pct_net), ("is", self.is_net)):
            if phase not in self.phases and net is not None:
                was_given = getattr(self.config, f"{phase}_net") is not None
                said.append(f"{names[phase]} is {'of another run' if was_given else 'untrained'}")
        return "; ".join(said)

    def averaged(self) -> ScaGan:
        """The pipeline of the averaged weights, on the CPU."""
        pct_net, is_net = (self._averaged(*pair) for pair in (("pct", self.pct_net), ("is", self.is_net)))
        return ScaGan(pct_net, is_net, self.content)

    def _averaged(self, name: str, net):
        if net is None:
            return None
        fresh, phase = type(net).from_config(net.config), self.phases.get(name)
        fresh.load_state_dict(phase.ema.average if phase else net.state_dict())
        return fresh.eval()

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


def scaled(image: torch.Tensor) -> torch.Tensor:
    """uint8 0..255 -> float [-1, 1]."""
    return image.float() / 127.5 - 1
