"""Inception-2015, the net behind IS and FID (Szegedy et al. 2016, TensorFlow's graph of 2015-12-05).

Written out here because every package that has it needs torchvision or torch-fidelity. Modules are named as in
torchvision, so that the file which all FID packages share (`weights.WEIGHTS`) loads.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..features.weights import read_state

SIZE, CLASSES, FEATURES = 299, 1008, 2048


class Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel, stride: int = 1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Block(nn.Module):
    """Branches side by side, their results joined along the channels.

    Args:
        inputs: channels.
        branches: by name, the steps of each: (name, outputs, kernel), with a stride of 2 as a fourth entry where the
            block halves the size (unpadded there, as is its pooling); a list of steps forks.
        pool: "average" or "max" before the branch `branch_pool`, or "stride" for a max pooling that halves the size.
    """

    def __init__(self, inputs: int, branches: list[list], pool: str):
        super().__init__()
        self.pool, self.branches = pool, []
        for steps in branches:
            channels, names = inputs, []
            for step in steps:
                forks = step if isinstance(step, list) else [step]
                for name, outputs, kernel, *stride in forks:
                    padding = 0 if stride else tuple(k // 2 for k in _pair(kernel))
                    self.add_module(name, Conv(channels, outputs, kernel, *stride, padding=padding))
                names.append([fork[0] for fork in forks])
                channels = forks[-1][1]
            self.branches.append(names)

    def forward(self, x):
        return torch.cat([self._run(names, x) for names in self.branches] + self._pooled(x), 1)

    def _run(self, names, x):
        if names[0] == ["branch_pool"]:
            x = (
                F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
                if self.pool == "average"
                else F.max_pool2d(x, 3, 1, 1)
            )
        for forks in names:
            x = torch.cat([getattr(self, name)(x) for name in forks], 1)
        return x

    def _pooled(self, x):
        return [F.max_pool2d(x, 3, 2)] if self.pool == "stride" else []


def _pair(kernel) -> tuple[int, int]:
    return kernel if isinstance(kernel, tuple) else (kernel, kernel)


def _chain(name: str, *steps) -> list:
    """Steps (outputs, kernel, ...) named name_1, name_2, ..."""
    return [(f"{name}_{i}", *step) for i, step in enumerate(steps, start=1)]


def _block_a(inputs: int, pooled: int) -> Block:
    return Block(
        inputs,
        [
            [("branch1x1", 64, 1)],
            _chain("branch5x5", (48, 1), (64, 5)),
            _chain("branch3x3dbl", (64, 1), (96, 3), (96, 3)),
            [("branch_pool", pooled, 1)],
        ],
        "average",
    )


def _block_b(inputs: int) -> Block:
    return Block(inputs, [[("branch3x3", 384, 3, 2)], _chain("branch3x3dbl", (64, 1), (96, 3), (96, 3, 2))], "stride")


def _block_c(width: int) -> Block:
    row, column = (1, 7), (7, 1)
    return Block(
        768,
        [
            [("branch1x1", 192, 1)],
            _chain("branch7x7", (width, 1), (width, row), (192, column)),
            _chain("branch7x7dbl", (width, 1), (width, column), (width, row), (width, column), (192, row)),
            [("branch_pool", 192, 1)],
        ],
        "average",
    )


def _block_d() -> Block:
    return Block(
        768,
        [
            _chain("branch3x3", (192, 1), (320, 3, 2)),
            _chain("branch7x7x3", (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)),
        ],
        "stride",
    )


def _block_e(inputs: int, pool: str) -> Block:
    def fork(name: str) -> list:
        return [(f"{name}a", 384, (1, 3)), (f"{name}b", 384, (3, 1))]

    return Block(
        inputs,
        [
            [("branch1x1", 320, 1)],
            [("branch3x3_1", 384, 1), fork("branch3x3_2")],
            [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), fork("branch3x3dbl_3")],
            [("branch_pool", 192, 1)],
        ],
        pool,
    )


class Inception2015(nn.Module):
    """The whole net; `features` is what FID compares, `probabilities` what IS needs."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Conv(3, 32, 3, 2), Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Conv(64, 80, 1), Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _block_a(192, 32), _block_a(256, 64), _block_a(288, 64)
        self.Mixed_6a, self.Mixed_6b, self.Mixed_6c = _block_b(288), _block_c(128), _block_c(160)
        self.Mixed_6d, self.Mixed_6e, self.Mixed_7a = _block_c(160), _block_c(192), _block_d()
        self.Mixed_7b, self.Mixed_7c = _block_e(1280, "average"), _block_e(2048, "max")
        self.fc = nn.Linear(FEATURES, CLASSES)
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls, path: Path) -> "Inception2015":
        """The net with the weights in `path`.

        Raises:
            ValueError: the file cannot be read, or holds another net.
        """
        net, state = cls(), read_state(path)
        counters = {name for name in net.state_dict() if name.endswith("num_batches_tracked")}
        try:
            net.load_state_dict({name: state.get(name, torch.tensor(0)) for name in counters} | state)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:150]
            raise ValueError(f"{path} does not hold Inception-2015: {reason}") from error
        return net.to(memory_format=torch.channels_last)

    def forward(self, x):
        """x (N,3,299,299) in [-1, 1] -> pool3 (N,2048)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (N,64,147,147)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))  # (N,192,71,71)
        x = F.max_pool2d(x, 3, 2)  # (N,192,35,35)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))  # (N,768,17,17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (N,2048,8,8)
        return x.mean((2, 3))

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """uint8 (N,H,W,3) -> pool3 (N,2048), scaled as pytorch-fid does, which the release's FID is."""
        x = pictures.permute(0, 3, 1, 2).float() / 255
        return self(2 * F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False) - 1)

    def probabilities(self, pictures: torch.Tensor) -> torch.Tensor:
        """uint8 (N,H,W,3) -> (N,1008): scaled as TensorFlow's graph does, logits without bias, softmax."""
        x = pictures.permute(0, 3, 1, 2).float()
        rows, columns = (_tensorflow_resize(size, x) for size in x.shape[2:])
        return F.linear(self((rows @ x @ columns.mT - 128) / 128), self.fc.weight).softmax(1)


def _tensorflow_resize(size: int, like: torch.Tensor) -> torch.Tensor:
    """The (299,size) matrix of TensorFlow 1's bilinear resizing, which puts pixel i at i size / 299."""
    position = torch.arange(SIZE, dtype=torch.float64) * size / SIZE
    low = position.floor().long()
    rows, matrix = torch.arange(SIZE), torch.zeros(SIZE, size, dtype=torch.float64)
    matrix[rows, low] = 1 - (position - low)
    matrix[rows, (low + 1).clamp(max=size - 1)] += position - low
    return matrix.to(like)
