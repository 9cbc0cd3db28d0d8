"""A small net in Inception's place, so that IS and FID run through everything but its convolutions.

As a script, one process of an evaluation: python tests/tiny_inception.py WEIGHTS GENERATED REFERENCE OUTPUT
"""

import hashlib
import sys
from pathlib import Path

import torch
from torch import nn

from scagan_hub.evaluation import inception
from scagan_hub.features import weights

FEATURES, CLASSES = 16, 10


class TinyInception(nn.Module):
    """Features of 4 x 4 cells, mixed; the interface of `Inception2015`."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mixing = torch.randn(48, FEATURES, generator=generator)
        self.classes = torch.randn(FEATURES, CLASSES, generator=generator)

    @classmethod
    def load(cls, path):
        return cls()

    def features(self, pictures):
        cells = nn.functional.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2).double() / 255, 4)
        return cells.flatten(1) @ self.mixing.double()

    def probabilities(self, pictures):
        return (self.features(pictures) @ self.classes.double()).softmax(1)


def install(folder: Path, replace=setattr) -> None:
    """Put it in place, with a file of weights in `folder`; `replace` sets an attribute, as monkeypatch does."""
    content = b"tiny"
    (folder / "tiny.pth").write_bytes(content)
    replace(inception, "Inception2015", TinyInception)
    replace(inception, "FEATURES", FEATURES)
    replace(inception, "CLASSES", CLASSES)
    tiny = weights.Weights("tiny.pth", "nowhere", hashlib.sha256(content).hexdigest(), megabytes=0)
    replace(weights, "WEIGHTS", weights.WEIGHTS | {"Inception-2015": tiny})


if __name__ == "__main__":
    from scagan_hub.cli import main
    from scagan_hub.evaluation.run import processes

    folder, generated, reference, output = sys.argv[1:]
    install(Path(folder))
    argv = ["evaluate", "--generated", generated, "--reference", reference, "--output", output]
    status = main([*argv, "--weights", folder, "--batch-size", "5"])
    print(f"{processes().num_processes} processes", flush=True)
    sys.exit(status)
