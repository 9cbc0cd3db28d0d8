"""The models that a demo offers, each in the precisions that visitors may choose."""

import copy
import threading
from collections.abc import Mapping

import torch

from ..pipeline import ScaGan

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Models:
    """Pipelines by name; the first is the one that is used where nobody chooses.

    Args:
        pipes: at least one, in float32, all of one picture size, on the devices that they shall run on.

    Raises:
        ValueError: pictures of several sizes; a model that needs parsing maps, which no visitor has.
    """

    def __init__(self, pipes: Mapping[str, ScaGan]):
        for name, pipe in pipes.items():
            if pipe.content.config.kind != "edges":
                raise ValueError(f"models: {name} needs a parsing map of every picture; serve one that takes edges")
        sizes = {pipe.picture_size for pipe in pipes.values()}
        if len(sizes) != 1:
            raise ValueError(f"models: expected pictures of one size, got {sorted(sizes)}; serve them apart")
        (self.picture_size,) = sizes
        self.names = list(pipes)
        self._pipes = {(name, "float32"): pipe for name, pipe in pipes.items()}
        self._lock = threading.Lock()

    def get(self, name: str | None = None, precision: str | None = None) -> ScaGan:
        """The pipeline of this name and precision; made of the float32 one when it is first asked for.

        Raises:
            ValueError: no such model or precision.
        """
        name, precision = name or self.names[0], precision or "float32"
        if name not in self.names:
            raise ValueError(f"no model is named {str(name)[:80]!r}; expected one of {', '.join(self.names)}")
        if precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {str(precision)[:80]!r}")
        with self._lock:
            if (name, precision) not in self._pipes:
                self._pipes[name, precision] = _converted(self._pipes[name, "float32"], PRECISIONS[precision])
            return self._pipes[name, precision]


def _converted(pipe: ScaGan, dtype: torch.dtype) -> ScaGan:
    nets = {
        name: copy.deepcopy(net).to(dtype) for name, net in pipe.components.items() if isinstance(net, torch.nn.Module)
    }
    converted = ScaGan(nets.get("pct_net"), nets["is_net"], pipe.content)
    converted.report, converted.domain = pipe.report, pipe.domain
    return converted
