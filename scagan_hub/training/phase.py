"""A phase of the paper: one generator against its two discriminators."""

import torch

from .config import TrainConfig
from .learner import Learner
from .objective import Objective, discriminators


class Phase(Learner):
    """Phase 1 (`pct`, edge maps) or phase 2 (`is`, pictures).

    Args:
        name: "pct" or "is".
        generator: PCTNet or ISNet, on the device.
        channels: of what it generates: edge maps (1, or 8 classes) or pictures (3).
    """

    def __init__(self, name: str, generator, channels: int, config: TrainConfig, features, accelerator):
        if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
            generator = torch.nn.SyncBatchNorm.convert_sync_batchnorm(generator)
        super().__init__(name, generator, discriminators(channels, config), config, accelerator)
        self.objective = Objective(config, self.discriminators, features, name)

    def backward(self, inputs: tuple, target, source, pose_map, step: int, share: float) -> tuple[torch.Tensor, dict]:
        """Adds `share` of one micro-batch's gradients, the generator's and its discriminators'.

        Returns:
            what was generated, without gradient; the terms of the losses.
        """
        self.discriminators.requires_grad_(False)
        seen = (target, source, pose_map)
        with self.accelerator.autocast():
            generated = self.generator(*inputs).float()
            flow = getattr(self.plain["generator"], "flow", None)
            terms = self.objective.generator(generated, *seen, step, flow)
        self.accelerator.backward(terms["total"] * share)
        terms |= self._against(self.objective, generated, seen, step, share)
        return generated.detach(), self._named(terms)
