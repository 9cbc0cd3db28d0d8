"""The four terms against reference values of the authors' release, and what must hold for any input."""

from pathlib import Path

import numpy as np
import pytest
import torch
from recipe import recipe_tensor

from scagan_hub.losses import adversarial_loss, appearance_loss, contextual_loss, flow_roughness, perceptual_loss
from scagan_hub.models.features import VGG, load_features

REFERENCE = Path(__file__).parent / "fixtures" / "losses.npz"


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as values:
        return {name: torch.from_numpy(np.asarray(value)) for name, value in values.items()}


def recipe_vgg(names: dict[str, str], preprocessing: str) -> VGG:
    """VGG19 whose convolutions `names` are filled by the recipe under the names that they map to."""
    vgg = VGG(19, preprocessing)
    for ours, theirs in names.items():
        conv = vgg.get_submodule(ours)
        for part in ("weight", "bias"):
            value = recipe_tensor(f"{theirs}.{part}", list(getattr(conv, part).shape))
            getattr(conv, part).data.copy_(value)
    return vgg


def test_contextual_loss_and_gradient_match_the_release(reference):
    generated = reference["cx_generated"].clone().requires_grad_()
    loss = contextual_loss(generated, reference["cx_target"])
    loss.backward()
    torch.testing.assert_close(loss, reference["cx_loss"].to(loss), rtol=1e-4, atol=0)
    difference = (generated.grad - reference["cx_grad"]).norm() / reference["cx_grad"].norm()
    assert difference < 1e-4


def test_appearance_and_perceptual_losses_match_the_release(reference):
    a, b = reference["l1_a"], reference["l1_b"]
    vgg = recipe_vgg({"conv1_1": "features.0", "conv1_2": "features.2"}, "imagenet")
    torch.testing.assert_close(appearance_loss(a, b), reference["l1"].to(a), rtol=1e-4, atol=0)
    loss = perceptual_loss(vgg(a, ("relu1_2",)), vgg(b, ("relu1_2",)))
    torch.testing.assert_close(loss, reference["perceptual_relu1_2"].to(a), rtol=1e-4, atol=0)


def test_whole_contextual_term_matches_the_release(reference):
    vgg = VGG(19)
    names = [name for name, _ in vgg.named_children()]
    vgg = recipe_vgg({name: name for name in names[: names.index("conv4_2") + 1]}, "raw")
    layers = ("relu3_2", "relu4_2")
    generated, target = (vgg(reference[f"ctx_{role}"], layers) for role in ("generated", "target"))
    loss = sum(contextual_loss(generated[layer], target[layer]) for layer in layers)
    torch.testing.assert_close(loss, reference["contextual_r32_r42"].to(loss), rtol=1e-4, atol=0)


def test_contextual_loss_is_finite_on_flat_features():
    flat = torch.zeros(2, 8, 4, 3, requires_grad=True)
    loss = contextual_loss(flat, torch.zeros(2, 8, 4, 3))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(flat.grad).all()


def test_equal_pictures_cost_nothing():
    picture = torch.rand(1, 3, 8, 8)
    assert appearance_loss(picture, picture) == 0
    assert perceptual_loss({"relu1_2": picture}, {"relu1_2": picture}) == 0


def test_relative_perceptual_loss_ignores_the_features_scale():
    a, b = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    small = perceptual_loss({"x": a}, {"x": b}, relative=True)
    large = perceptual_loss({"x": 100 * a}, {"x": 100 * b}, relative=True)
    torch.testing.assert_close(small, large, rtol=1e-3, atol=0)


def test_targets_carry_no_gradient():
    a, b = torch.rand(1, 3, 8, 8, requires_grad=True), torch.rand(1, 3, 8, 8, requires_grad=True)
    (perceptual_loss({"x": a}, {"x": b}) + contextual_loss(a, b)).backward()
    assert a.grad is not None and b.grad is None


@pytest.mark.parametrize("form", ["least_squares", "log"])
def test_adversarial_loss_wants_what_it_says(form):
    high, low = torch.full((2, 1, 4, 4), 3.0), torch.full((2, 1, 4, 4), -3.0)
    assert adversarial_loss(torch.ones(2), True, "least_squares") == 0
    assert adversarial_loss(low, True, form) > adversarial_loss(torch.ones(1), True, form)
    assert adversarial_loss(high, False, form) > adversarial_loss(torch.zeros(1), False, form)


def test_vgg_runs_only_as_deep_as_asked(monkeypatch):
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


def test_missing_feature_weights_are_named(tmp_path):
    assert load_features("none") is None
    with pytest.raises(ValueError, match="nowhere"):
        load_features(str(tmp_path / "nowhere.h5"))
    (tmp_path / "vgg.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="vgg.pth"):
        load_features(str(tmp_path / "vgg.pth"))


def test_roughness_of_a_flow_is_its_strain():
    shift = torch.full((1, 2, 8, 6), 0.03)
    assert flow_roughness(shift) == 0
    rows = torch.arange(8.0)[:, None].expand(8, 6) / 8  # one row further a row: twice as long
    stretched = torch.stack([torch.zeros(8, 6), rows])[None]
    torch.testing.assert_close(flow_roughness(stretched), torch.tensor(1.0))
