"""A model in training: two nets and content on the device, and an update of them, whatever their form."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import torch

from ..models.layout import training_layout
from ..pipeline import ScaGan
from .components import components, trained_net
from .config import TrainConfig
from .learner import Learner
from .validation import MEASURES


class TrainedModel(ABC):
    """The parts of a `ScaGan` on the accelerator's device.

    A subclass fills `phases` and says in `_inputs` and `_backward` what is done with a batch.

    Attributes:
        phases: a `Learner` for each net that is trained, by phase.
        names: what the nets are called, by phase.
        make: what makes held-out pictures (`validation.COLUMNS`).
        measures: of what it has generated, by name: functions of two (n,H,W,3) uint8 -> (n,).
    Raises:
        ValueError: when a given net cannot be loaded.
    """

    names = {"pct": "PCT-Net", "is": "IS-Net"}
    phases: dict[str, Learner]
    make: Callable
    measures: dict[str, Callable] = MEASURES

    def __init__(self, config: TrainConfig, accelerator):
        self.config, self.accelerator, self.device = config, accelerator, accelerator.device
        torch.manual_seed(config.seed)
        self.pct_net, self.is_net, self.content = components(config)
        for name in ("pct_net", "is_net"):
            trained, net = getattr(config, name), getattr(self, name)
            if trained is not None:
                setattr(self, name, trained_net(trained, name, net, self.content))
            elif net is not None:
                self._draw(net)
        for net in (self.pct_net, self.is_net):
            if net is not None:
                net.to(self.device, memory_format=training_layout(self.device))
        if "pct" not in config.phases and self.pct_net is not None:
            self.pct_net.requires_grad_(False).eval()

    @abstractmethod
    def _draw(self, net: torch.nn.Module) -> None:
        """Draws a net's first weights."""

    @abstractmethod
    def _inputs(self, batch: dict) -> dict:
        """uint8 pictures and poses of a batch -> all that the nets are fed and learn by."""

    @abstractmethod
    def _backward(self, x: dict, step: int, share: float) -> dict[str, torch.Tensor]:
        """Adds `share` of a micro-batch's gradients; the terms of its losses. The same ones in every step of a kind:
        processes and micro-batches are averaged name by name."""

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
        said = [" and ".join(self.names[phase] for phase in self.phases)]
        for phase, net in (("pct", self.pct_net), ("is", self.is_net)):
            if phase not in self.phases and net is not None:
                was_given = getattr(self.config, f"{phase}_net") is not None
                said.append(f"{self.names[phase]} is {'of another run' if was_given else 'untrained'}")
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
