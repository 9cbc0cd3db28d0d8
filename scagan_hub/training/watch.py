"""What ends a run early: a figure that is not finite, a signal, or the launcher's end; noticed by all processes at the
same step."""

import os
import signal

import torch
from accelerate.utils import gather_object


class Stopped(ValueError):
    """Ends the run on every process at once; one of them says why.

    Attributes:
        status: the exit status.
    """

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


class Watch:
    """Looks at every update without making the device wait.

    `look` tells the update on the device whether it may change weights; `settle` tells the host, one update later,
    when the answer has long arrived (at once on a CPU, where there is nothing to wait for).

    As a context it takes SIGTERM and SIGINT: the first asks for a stop after the current update, and `signal` is its
    number on every process then; a second one, of either kind, ends the process as always. The end of the launcher
    is taken for a SIGTERM.

    Args:
        launcher: the parent's process id, where this process is to end with it.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, accelerator, launcher: int | None = None):
        self.accelerator, self.launcher, self.signal = accelerator, launcher, 0
        self._received, self._handlers = 0, {}
        self._pending: list[tuple] = []

    def __enter__(self):
        self._handlers = {number: signal.signal(number, self._receive) for number in self.SIGNALS}
        return self

    def __exit__(self, *_):
        self._give_back()

    def _receive(self, number, _):
        self._received = number
        self._give_back()

    def _give_back(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def look(self, step: int, terms: dict, norms: dict, names: list[str]) -> torch.Tensor:
        """
        Args:
            step: the update's number.
            terms: of the losses of this process's part of the batch, scalars on the device.
            norms: of the gradients, which are the same on every process.
            names: the pairs of this process's part of the batch.
        Returns:
            scalar on the device: 1 where a figure of any process is not finite, else 0.
        """
        values = torch.stack([value.float() for value in (terms | norms).values()])
        mine = 1 - values.isfinite().float()
        if self.launcher not in (None, os.getppid()):
            self._received = self._received or signal.SIGTERM
        everywhere = torch.stack([mine.amax(), torch.full_like(mine[0], self._received)])  # bad, signal
        if self.accelerator.num_processes > 1:
            everywhere = self.accelerator.gather(everywhere[None]).amax(0)
        arriving = torch.cat([everywhere, mine]).to("cpu", non_blocking=True)
        event = torch.cuda.Event() if values.is_cuda else None
        if event is not None:
            event.record()
        self._pending.append((step, list(terms), list(norms), names, arriving, event))
        return everywhere[0]

    def settle(self, newest: bool = False) -> None:
        """Reads what `look` found for every update but the newest; with `newest`, and on a CPU, for that one too.

        Raises:
            Stopped: on every process, naming the step, the figures and the pairs, where a figure was not finite.
        """
        kept = 1 if self.accelerator.device.type == "cuda" and not newest else 0
        while len(self._pending) > kept:
            self._read(*self._pending.pop(0))

    def _read(self, step: int, terms: list[str], norms: list[str], names: list[str], arriving, event) -> None:
        if event is not None:
            event.synchronize()
        bad, received, *mine = arriving.tolist()
        self.signal = int(received)
        if not bad:
            return
        wrong = [name for name, is_wrong in zip(terms + norms, mine, strict=True) if is_wrong]
        found = gather_object([(wrong, names)])
        culprits = [entry for entry in found if set(entry[0]) - set(norms)]  # norms are wrong everywhere at once
        figures, pairs = (", ".join(dict.fromkeys(sum(part, []))) for part in zip(*(culprits or found), strict=True))
        raise Stopped(f"step {step}: not finite: {figures}; its batch, which changed no weight: {pairs}")
