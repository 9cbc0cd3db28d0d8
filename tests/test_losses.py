"""The four terms against reference values of the authors' release, and what must hold for any input."""

from pathlib import Path

import numpy as np
import pytest
import torch
from plain import dense_contextual_loss
from recipe import recipe_tensor
from torch.utils._python_dispatch import TorchDispatchMode

from scagan_hub.features.vgg import VGG
from scagan_hub.training.losses import (
    adversarial_loss,
    appearance_loss,
    contextual_loss,
    flow_roughness,
    perceptual_loss,
)

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


@pytest.mark.parametrize("cells", [1, 2 * 96 * 40, 1 << 30])
def test_contextual_loss_in_chunks_equals_the_dense_form(cells):
    torch.manual_seed(0)
    target = torch.randn(2, 16, 12, 8, dtype=torch.float64)
    near, chunked = (target + 0.5 * torch.randn_like(target)).requires_grad_(), target.float()
    expected = dense_contextual_loss(near, target)
    (gradient,) = torch.autograd.grad(expected, near)
    generated = near.detach().float().requires_grad_()
    loss = contextual_loss(generated, chunked, cells=cells)
    loss.backward()
    torch.testing.assert_close(loss.double(), expected.detach(), rtol=1e-5, atol=0)
    assert (generated.grad - gradient).norm() / gradient.norm() < 1e-5


def test_contextual_loss_never_holds_the_whole_matrix():
    """No tensor, forward or backward, is larger than a chunk or the features."""
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            largest = max([largest] + [x.numel() for x in torch.utils._pytree.tree_leaves(out) if torch.is_tensor(x)])
            return out

    generated, target = torch.randn(2, 4, 24, 20, requires_grad=True), torch.randn(2, 4, 24, 20)
    with Watch():
        contextual_loss(generated, target, cells=10_000).backward()
    assert 0 < largest <= 10_000 < 2 * 480**2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", ["flat", "equal", "one position", "large"])
def test_contextual_loss_is_finite(case, dtype):
    noise = torch.randn(2, 8, 4, 3, generator=torch.Generator().manual_seed(0))
    feeds = {
        "flat": (torch.zeros(2, 8, 4, 3), torch.zeros(2, 8, 4, 3)),
        "equal": (noise, noise),
        "one position": (noise[..., :1, :1], noise[..., :1, :1]),
        "large": (3e4 * noise.clamp(-1, 1), -3e4 * noise.clamp(-1, 1)),
    }
    generated, target = (feed.to(dtype) for feed in feeds[case])
    generated = generated.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = contextual_loss(generated, target)
    loss.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss) and torch.isfinite(generated.grad).all()


def test_equal_features_have_the_least_contextual_loss():
    noise = torch.randn(2, 64, 6, 6, generator=torch.Generator().manual_seed(0))
    assert contextual_loss(noise, noise) < 1e-4 < contextual_loss(noise.roll(1, 1), noise)


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


def test_roughness_of_a_flow_is_its_strain():
    shift = torch.full((1, 2, 8, 6), 0.03)
    assert flow_roughness(shift) == 0
    rows = torch.arange(8.0)[:, None].expand(8, 6) / 8  # one row further a row: twice as long
    stretched = torch.stack([torch.zeros(8, 6), rows])[None]
    torch.testing.assert_close(flow_roughness(stretched), torch.tensor(1.0))
