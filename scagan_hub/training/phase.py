"""A phase: one generator against its two discriminators, with optimisers, averaged weights and objective."""

import torch

from ..models.layout import training_layout
from .average import EMA
from .components import initialise
from .config import TrainConfig
from .objective import Objective, discriminators


class Phase:
    """Phase 1 (`pct`, edge maps) or phase 2 (`is`, pictures).

    An update is `backward` for every micro-batch, `norms`, then `update`. The discriminators' gradients don't depend
    on the generator's update, since they judge what it generated before.

    Args:
        name: "pct" or "is"; also the prefix of its figures in the log.
        generator: PCTNet or ISNet, on the device.
        channels: of what it generates: edge maps (1, or 8 classes) or pictures (3).
    """

    def __init__(self, name: str, generator, channels: int, config: TrainConfig, features, accelerator):
        self.name, self.config, self.accelerator = name, config, accelerator
        if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
            generator = torch.nn.SyncBatchNorm.convert_sync_batchnorm(generator)
        layout = training_layout(accelerator.device)
        judges = discriminators(channels, config).to(accelerator.device, memory_format=layout)
        if config.discriminator == "resnet":
            initialise(judges, config.init)
        self.plain = {"generator": generator, "discriminators": judges}
        self.optimisers = {
            "generator": torch.optim.Adam(generator.parameters(), config.learning_rate, config.betas, fused=True),
            "discriminators": torch.optim.Adam(
                judges.parameters(), config.discriminator_rate, config.betas, fused=True
            ),
        }
        self.ema = EMA(generator, config.ema)
        self.generator = accelerator.prepare_model(generator)
        self.discriminators = torch.nn.ModuleDict({key: accelerator.prepare_model(net) for key, net in judges.items()})
        self.objective = Objective(config, self.discriminators, features, name)

    @property
    def wrapped(self) -> list[torch.nn.Module]:
        """The nets whose gradients are averaged over processes."""
        return [self.generator, *self.discriminators.values()]

    def parts(self) -> dict:
        """What a checkpoint holds of this phase, by name."""
        optimisers = {f"{key}_optimiser": value for key, value in self.optimisers.items()}
        return {f"{self.name}.{key}": part for key, part in (self.plain | optimisers | {"average": self.ema}).items()}

    def set_rate(self, factor: float) -> dict[str, float]:
        """Sets both learning rates to `factor` of the configuration's; the generator's, for the log."""
        rates = {"generator": self.config.learning_rate, "discriminators": self.config.discriminator_rate}
        for key, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = factor * rates[key]
        return {f"{self.name}/learning_rate": factor * self.config.learning_rate}

    def backward(self, inputs: tuple, target, source, pose_map, step: int, share: float) -> tuple[torch.Tensor, dict]:
        """Adds `share` of one micro-batch's gradients, the generator's and its discriminators'.

        Returns:
            what was generated, without gradient; the terms of the losses.
        """
        self.discriminators.requires_grad_(False)
        with self.accelerator.autocast():
            generated = self.generator(*inputs).float()
            flow = getattr(self.plain["generator"], "flow", None)
            terms = self.objective.generator(generated, target, source, pose_map, step, flow)
        self.accelerator.backward(terms["total"] * share)
        if step >= self.config.adversarial_from:
            self.discriminators.requires_grad_(True)
            with self.accelerator.autocast():
                judged = self.objective.discriminator(generated, target, source, pose_map, step)
            self.accelerator.backward(judged["discriminator"] * share)
            terms |= judged
        return generated.detach(), {f"{self.name}/{key}": value.detach() for key, value in terms.items()}

    def norms(self) -> dict[str, torch.Tensor]:
        """The norm of each net's gradients, which are clipped where the configuration says so."""
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
        """Steps both optimisers and the average; `bad`, a scalar on the device, is 1 where nothing may change."""
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

    def _ready(self) -> list[tuple[str, torch.optim.Optimizer]]:
        """The optimisers that have gradients: the discriminators' have none before `adversarial_from`."""
        return [
            (key, optimiser)
            for key, optimiser in self.optimisers.items()
            if any(p.grad is not None for group in optimiser.param_groups for p in group["params"])
        ]
