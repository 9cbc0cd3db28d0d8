"""A phase: one generator against its two discriminators, with optimisers, averaged weights and objective."""

import torch

from .checkpoint import EMA
from .config import TrainConfig
from .objective import Objective, discriminators


class Phase:
    """Phase 1 (`pct`, edge maps) or phase 2 (`is`, pictures).

    Args:
        name: "pct" or "is"; also the prefix of its figures in the log.
        generator: PCTNet or ISNet.
        channels: of what it generates: edge maps (1, or 8 classes) or pictures (3).
    """

    def __init__(self, name: str, generator, channels: int, config: TrainConfig, features, accelerator):
        self.name, self.config, self.accelerator = name, config, accelerator
        judges = discriminators(channels, config)
        self.ema = EMA(generator, config.ema)
        self.plain = generator
        optimiser = torch.optim.Adam(generator.parameters(), config.learning_rate, config.betas)
        judging = torch.optim.Adam(judges.parameters(), config.discriminator_rate, config.betas)
        self.generator, self.optimiser = accelerator.prepare(generator, optimiser)
        prepared = {key: accelerator.prepare(net) for key, net in judges.items()}
        self.discriminators, self.judging = torch.nn.ModuleDict(prepared), accelerator.prepare(judging)
        self.objective = Objective(config, self.discriminators, features, name)
        accelerator.register_for_checkpointing(self.ema)

    def set_rate(self, factor: float) -> None:
        """Sets both learning rates to `factor` of the configuration's."""
        for group in self.optimiser.param_groups:
            group["lr"] = factor * self.config.learning_rate
        for group in self.judging.param_groups:
            group["lr"] = factor * self.config.discriminator_rate

    def step(self, inputs: tuple, target, source, pose_map, step: int) -> tuple[torch.Tensor, dict]:
        """One step of the generator, then of its discriminators.

        Returns:
            what was generated, without gradient; the terms of the losses.
        """
        self.discriminators.requires_grad_(False)
        with self.accelerator.autocast():
            generated = self.generator(*inputs).float()
            terms = self.objective.generator(generated, target, source, pose_map, step)
        self.accelerator.backward(terms["total"])
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.ema.update(self.plain)
        if step >= self.config.adversarial_from:
            self.discriminators.requires_grad_(True)
            with self.accelerator.autocast():
                terms["discriminator"] = self.objective.discriminator(generated, target, source, pose_map, step)
            self.accelerator.backward(terms["discriminator"])
            self.judging.step()
            self.judging.zero_grad()
        return generated.detach(), {f"{self.name}/{key}": value.detach() for key, value in terms.items()}
