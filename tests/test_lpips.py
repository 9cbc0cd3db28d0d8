"""LPIPS against torchmetrics, with seeded weights and with the real ones where they are cached; gradients and types."""

import hashlib
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from scagan_hub import gallery
from scagan_hub.cli import main
from scagan_hub.demo import measures
from scagan_hub.evaluation import evaluate, report
from scagan_hub.evaluation import lpips as of_bytes
from scagan_hub.evaluation.sources import PictureFolders
from scagan_hub.features import lpips, lpips_package, weights
from scagan_hub.features.loading import load_features
from scagan_hub.features.lpips import Lpips

NETS = ["AlexNet", "VGG16"]
KNOWN = {"AlexNet": 0.32072, "VGG16": 0.27439}  # of two bundled pictures, as another forward pass gives it in float64


@pytest.fixture(scope="module")
def pictures():
    """Two batches of bytes."""
    return torch.from_numpy(np.random.RandomState(0).randint(0, 256, (2, 2, 64, 44, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def images(pictures):
    """The same, (N,3,H,W) in [-1, 1]."""
    return pictures.permute(0, 1, 4, 2, 3) / 127.5 - 1


def torchvision_layers(net: str, convs) -> nn.Sequential:
    """The convolutions as torchvision lays them out, with pooling and ReLU as layers of their own."""
    last = {"AlexNet": (0, 1), "VGG16": (1, 3, 6, 9)}[net]  # pooling follows
    layers = []
    for i, conv in enumerate(convs):
        layers += [conv, nn.ReLU()]
        if i in last:
            layers.append(nn.MaxPool2d(3, 2) if net == "AlexNet" else nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.MaxPool2d(2))


@pytest.fixture(scope="module", params=NETS)
def drawn(request, tmp_path_factory):
    """A net's name, its layers with seeded weights, and torchvision's file of them."""
    torch.manual_seed(0)
    layers = torchvision_layers(request.param, lpips.NETS[request.param][0]().convs)
    path = tmp_path_factory.mktemp("weights") / f"{request.param.lower()}.pth"
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    return request.param, layers, path


def torchmetrics_distance(net: str, layers: nn.Sequential, images, monkeypatch):
    from torchmetrics.functional.image import lpips as theirs

    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda *_: layers)  # it would need torchvision
    return theirs._LPIPS(net=lpips.NETS[net][1], pnet_rand=True)(*images).flatten()


@torch.inference_mode()
def test_lpips_is_torchmetrics(drawn, pictures, images, monkeypatch, tmp_path):
    net, layers, path = drawn
    expected = torchmetrics_distance(net, layers, images, monkeypatch)
    own = of_bytes.Lpips(net, path)
    torch.testing.assert_close(own(*pictures), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(Lpips(net, path)(*images), expected, atol=1e-5, rtol=1e-4)
    assert (own(pictures[0], pictures[0]) == 0).all()
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "net.pth")
    with pytest.raises(ValueError, match="does not hold the .*that is needed"):
        Lpips(net, tmp_path / "net.pth")


def test_gradients_go_to_the_pictures_alone_and_a_target_is_looked_at_once(drawn, images):
    net, _, path = drawn
    own, (target, start) = Lpips(net, path), images
    with torch.no_grad():
        wanted = own.features(target)
    assert all(layer.dtype == torch.float32 for layer in wanted) and len(wanted) == 5
    image = start.clone().requires_grad_()
    found = own.distance(own.features(image), wanted)
    torch.testing.assert_close(found, own(image, target))
    (slope,) = torch.autograd.grad(found.sum(), image)
    assert not any(parameter.requires_grad for parameter in own.parameters())
    downhill = start - slope * 0.1 * found.sum().detach() / slope.square().sum()  # a tenth of the way, were it straight
    assert own(downhill, target).sum() < found.sum()

    equal = target.clone().requires_grad_()
    own.distance(own.features(equal), wanted).sum().backward()
    assert (equal.grad == 0).all()
    own(torch.zeros_like(target, requires_grad=True), target).sum().backward()  # features of zeros have no direction


def test_autocast_runs_the_convolutions_and_not_the_distances(drawn, images):
    net, _, path = drawn
    own, types = Lpips(net, path), []
    own.trunk.convs[1].register_forward_hook(lambda _, __, output: types.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        half = own(images[0].bfloat16(), images[1])
    assert half.dtype == torch.float32 and set(types) == {torch.bfloat16}
    torch.testing.assert_close(half, own(*images), rtol=0.05, atol=1e-3)


def test_what_cannot_be_measured_is_refused(drawn, images):
    net, _, path = drawn
    own, least = Lpips(net, path), lpips.NETS[net][0].smallest
    assert own(*images[..., :least, :least]).shape == (2,)
    with pytest.raises(ValueError, match=f"needs pictures of at least {least} x {least}, got {least - 1} x 44"):
        own(*images[..., : least - 1, :])
    with pytest.raises(ValueError, match="unknown net of LPIPS 'SqueezeNet'; expected one of AlexNet, VGG16"):
        Lpips("SqueezeNet")


@pytest.fixture
def installed(drawn, tmp_path, monkeypatch):
    """The seeded net's file where torch.hub would have left it, and its name and hash."""
    net, _, path = drawn
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, net, weights.Weights(path.name, "nowhere", digest, 1))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    shutil.copy(path, tmp_path / "hub" / "checkpoints")
    return net, digest


@torch.inference_mode()
def test_every_report_has_it(drawn, installed, pictures, tmp_path):
    net, digest = installed
    for folder, batch in zip(("generated", "reference"), pictures, strict=True):
        (tmp_path / folder).mkdir()
        for i, picture in enumerate(batch):
            Image.fromarray(picture.numpy()).save(tmp_path / folder / f"{i}.png")
    source = PictureFolders(tmp_path / "generated", tmp_path / "reference")
    found = evaluate(source, batch_size=1)
    name, other = ("LPIPS", "LPIPS-VGG16") if net == "AlexNet" else ("LPIPS-VGG16", "LPIPS")
    expected = of_bytes.Lpips(net, drawn[2])(*pictures)
    np.testing.assert_allclose(found["per_pair"]["values"][name], expected, rtol=1e-5)
    assert found["metrics"][name]["better"] == "lower" and found["weights"] == {net: digest}
    assert "SCAGAN_OFFLINE" in found["metrics"][other]["not_available"]
    assert f"| {name} (lower is better) |" in report.markdown(found)
    with pytest.raises(ValueError, match="unknown metric to leave out 'SSIM'; expected some of LPIPS, LPIPS-VGG16"):
        evaluate(source, without=["SSIM"])
    options = ["--generated", str(tmp_path / "generated"), "--reference", str(tmp_path / "reference")]
    assert main(["evaluate", *options, "--without", name, "--output", str(tmp_path / "report.json")]) == 0
    found = report.read(tmp_path / "report.json")
    assert found["metrics"][name] == {"not_available": "was left out"} and found["weights"] == {}


def test_the_demo_has_it_where_the_weights_are_here(drawn, installed, pictures):
    net, _ = installed
    pair = [Image.fromarray(batch[0].numpy()) for batch in pictures]
    measures.lpips.cache_clear()
    try:
        found, said = measures.measured(*pair), measures.sentence(*pair)
    finally:
        measures.lpips.cache_clear()
    assert list(found) == ["SSIM", "L1", "PSNR"] + ["LPIPS"] * (net == "AlexNet")
    if net == "AlexNet":
        expected = of_bytes.Lpips(net, drawn[2])(*pictures[:, :1]).item()
        assert found["LPIPS"] == pytest.approx(expected, rel=1e-5) and f"LPIPS **{expected:.3f}**" in said


@pytest.mark.parametrize("net", NETS)
@torch.inference_mode()
def test_the_real_nets_measure_as_torchmetrics(net, users_cache, images, monkeypatch):
    path = lpips_package.cached(net)
    if path is None:
        pytest.skip("LPIPS' nets are not in the user's cache; the first `scagan evaluate` fetches them")
    own = Lpips(net, path)
    expected = torchmetrics_distance(net, torchvision_layers(net, own.trunk.convs), images, monkeypatch)
    torch.testing.assert_close(own(*images), expected, atol=1e-5, rtol=1e-4)
    pair = gallery.person("person03")[0], gallery.truth("person03", "person03-view2")
    found = of_bytes.Lpips(net, path)(*(torch.from_numpy(np.array(picture)[None]) for picture in pair))
    assert found.item() == pytest.approx(KNOWN[net], abs=1e-4)
    if net == "VGG16":
        vgg = load_features("vgg16")
        bias = vgg.conv1_1.bias[:3]
        assert vgg.preprocessing == "imagenet" and vgg.name == "vgg16"
        torch.testing.assert_close(bias, torch.tensor([0.4034, 0.3778, 0.4644]), atol=1e-4, rtol=0)  # torchvision's
