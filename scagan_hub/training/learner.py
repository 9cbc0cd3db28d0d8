"""What learns: a net, perhaps against discriminators, with its optimisers and averaged weights."""

import torch

from ..models.layout import training_layout
from .average import EMA
from .components import initialise
from .config import TrainConfig


class Learner:
    """One net in training.

    An update is gradients for every micro-batch, made by a subclass's `backward`, then `norms`, then `update`. The
    discriminators' gradients don't depend on the generator's update, since they judge what it generated before.

    Args:
        name: "pct" or "is"; also the prefix of its figures in the log.
        generator: the net, on the device.
        judges: its discriminators, a ModuleDict; None: there are none.
        through: the module that the net is run through in training, which holds it; None: itself.
        apart: parts of the net that have optimisers, and norms, of their own, by name; None: it has one, "generator".

    Attributes:
        plain: the nets by part, "generator" and "discriminators".
        generator, discriminators: as they are run: across processes these average gradients.
    """

    def __init__(self, name: str, generator, judges, config: TrainConfig, accelerator, through=None, apart=None):
        self.name, self.config, self.accelerator = name, config, accelerator
        self.plain = {"generator": generator}
        learning = {"generator": generator} if apart is None else dict(apart)
        self.rates = dict.fromkeys(learning, config.learning_rate)
        if judges is not None:
            judges.to(accelerator.device, memory_format=training_layout(accelerator.device))
            if config.discriminator == "resnet":
                initialise(judges, config.init)
            self.plain["discriminators"] = learning["discriminators"] = judges
            self.rates["discriminators"] = config.discriminator_rate
        self.optimisers = {  # without weight decay AdamW is Adam
            part: torch.optim.AdamW(
                net.parameters(), self.rates[part], config.betas, weight_decay=config.weight_decay, fused=True
            )
            for part, net in learning.items()
        }
        self.ema = EMA(generator, config.ema)
        self.generator = accelerator.prepare_model(generator if through is None else through)
        judges = {} if judges is None else judges
        self.discriminators = torch.nn.ModuleDict({key: accelerator.prepare_model(net) for key, net in judges.items()})

    @property
    def wrapped(self) -> list[torch.nn.Module]:
        """The nets whose gradients are averaged over processes."""
        return [self.generator, *self.discriminators.values()]

    def parts(self) -> dict:
        """What a checkpoint holds of this net, by name."""
        optimisers = {f"{key}_optimiser": value for key, value in self.optimisers.items()}
        return {f"{self.name}.{key}": part for key, part in (self.plain | optimisers | {"average": self.ema}).items()}

    def set_rate(self, factor: float) -> dict[str, float]:
        """Sets all learning rates to `factor` of the configuration's; the generator's, for the log."""
        for key, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = factor * self.rates[key]
        return {f"{self.name}/learning_rate": factor * self.config.learning_rate}

    def norms(self) -> dict[str, torch.Tensor]:
        """The norm of each optimiser's gradients, which are clipped where the configuration says so."""
        norms = {}
        for key, optimiser in self._ready():
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.unscale_(optimiser)
            parameters = [p for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
            if self.config.clip is not None:
                torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip, norm)
            norms[f"{self.name}/{key}_gradient"] = norm
        return norms

    def update(self, bad: torch.Tensor) -> None:
        """Steps all optimisers and the average; `bad`, a scalar on the device, is 1 where nothing may change."""
        for _, optimiser in self._ready():
            if self.accelerator.scaler is None:
                optimiser.found_inf = bad  # a fused optimiser skips its step by this, without asking the host
                optimiser.step()
            else:
                self.accelerator.scaler.step(optimiser)
            optimiser.zero_grad()
        self.ema.update(self.plain["generator"])

    def share_statistics(self) -> None:
        """Makes running statistics the mean over processes, where each has gathered its own (BatchNorm on CPUs)."""
        for name, buffer in self.plain["generator"].named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(self.accelerator.reduce(buffer, "mean"))
        self.ema.copy_buffers(self.plain["generator"])

    def _against(self, objective, generated, seen: tuple, step: int, share: float) -> dict[str, torch.Tensor]:
        """Adds the discriminators' gradients where they have joined; their terms.

        Args:
            seen: what `objective.discriminator` takes after `generated`: target, source, pose_map.
        """
        if not objective.judges(step):
            return {}
        self.discriminators.requires_grad_(True)
        with self.accelerator.autocast():
            judged = objective.discriminator(generated, *seen, step)
        self.accelerator.backward(judged["discriminator"] * share)
        return judged

    def _named(self, terms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As the log has them."""
        return {f"{self.name}/{key}": value.detach() for key, value in terms.items()}

    def _ready(self) -> list[tuple[str, torch.optim.Optimizer]]:
        """The optimisers that have gradients: the discriminators' have none before `adversarial_from`."""
        return [
            (key, optimiser)
            for key, optimiser in self.optimisers.items()
            if any(p.grad is not None for group in optimiser.param_groups for p in group["params"])
        ]
