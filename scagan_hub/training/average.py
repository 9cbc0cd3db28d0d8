"""Averaged weights: what is validated and exported."""

import torch


class EMA:
    """A running average of a net's weights; buffers (BatchNorm's statistics) are copied.

    Args:
        net: whose weights are averaged.
        decay: of the average; its start follows more quickly, (1 + step) / (10 + step).
    """

    def __init__(self, net: torch.nn.Module, decay: float):
        self.decay, self.step = decay, 0
        self.average = {name: value.detach().clone() for name, value in net.state_dict().items()}
        self.trained = [name for name, _ in net.named_parameters()]
        self.copied = [name for name in self.average if name not in set(self.trained)]

    @torch.no_grad()
    def update(self, net: torch.nn.Module) -> None:
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        state = net.state_dict()
        torch._foreach_lerp_([self.average[n] for n in self.trained], [state[n] for n in self.trained], 1 - decay)
        self.copy_buffers(net)

    @torch.no_grad()
    def copy_buffers(self, net: torch.nn.Module) -> None:
        state = net.state_dict()
        for name in self.copied:
            self.average[name].copy_(state[name])

    def state_dict(self) -> dict:
        return {"step": self.step, "average": self.average}

    def load_state_dict(self, state: dict) -> None:
        self.step = state["step"]
        for name, value in self.average.items():
            value.copy_(state["average"][name])
