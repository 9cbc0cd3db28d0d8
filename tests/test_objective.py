"""The whole objective: equal to the release's, and each gradient reaches just the nets that it should."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import training
from conftest import HEIGHT, WIDTH
from recipe import recipe_tensor

from scagan_hub.features.efficientnet import EfficientNetLite0
from scagan_hub.features.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG
from scagan_hub.training import config as presets
from scagan_hub.training import nets as nets_module
from scagan_hub.training.config import TrainConfig
from scagan_hub.training.launch import start
from scagan_hub.training.nets import Nets
from scagan_hub.training.objective import Objective, discriminators

TINY = {
    "content": {"image_size": (HEIGHT, WIDTH), "prior_radius": 5},
    "pct_net": {"width": 4, "residual_blocks": 1},
    "is_net": {"image_size": (HEIGHT, WIDTH), "width": 4, "modulation_width": 4},
}
DEPTH = "conv4_2"  # as far as the release's losses look


@pytest.fixture(scope="module")
def reference() -> dict[str, torch.Tensor]:
    with np.load(Path(__file__).parent / "fixtures" / "losses.npz") as values:
        return {name: torch.from_numpy(np.asarray(value)) for name, value in values.items()}


@pytest.fixture(scope="module")
def vgg() -> VGG:
    net = VGG(19)
    for name, conv in net.named_children():
        for part, value in conv.named_parameters():
            value.data.copy_(recipe_tensor(f"{name}.{part}", list(value.shape)))
        if name == DEPTH:
            return net


def test_objective_of_phase_2_is_the_release_s(reference, vgg):
    """Its contextual term from the release itself; the others written down once more."""
    torch.manual_seed(0)
    config = TrainConfig(Path("d"), Path("o"), discriminator_width=4, raw_contextual=True)
    judges = discriminators(3, config).eval()
    generated, target = reference["ctx_generated"].clone().requires_grad_(), reference["ctx_target"]
    source, pose = torch.rand_like(target), torch.rand(len(target), 18, *target.shape[2:])
    terms = Objective(config, judges, vgg, "is").generator(generated, target, source, pose, 0)

    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    deep = [F.relu(vgg.conv1_2(F.relu(vgg.conv1_1((x / 2 + 0.5 - mean) / std)))) for x in (generated, target)]
    scores = [judges["style"](generated, source), judges["content"](generated, pose)]
    expected = {
        "appearance": (generated - target).abs().mean(),
        "perceptual_vgg19": (deep[0] - deep[1]).abs().mean(),
        "contextual_vgg19": 0.1 * reference["contextual_r32_r42"],
        "adversarial": 5 * sum((s - 1).square().mean() for s in scores) / 2,
    }
    assert terms.keys() == {*expected, "total"}
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value.to(terms[name]), rtol=1e-4, atol=0)
    torch.testing.assert_close(terms["total"], sum(expected.values()).to(terms["total"]), rtol=1e-4, atol=0)

    judged = Objective(config, judges, vgg, "is").discriminator(generated, target, source, pose, 0)
    real, fake = ([judges["style"](x, source), judges["content"](x, pose)] for x in (target, generated))
    loss = sum((r - 1).square().mean() + f.square().mean() for r, f in zip(real, fake, strict=True))
    torch.testing.assert_close(judged["discriminator"], 5 * loss / 2, rtol=1e-4, atol=0)


def test_contextual_features_are_shared_unless_raw(vgg):
    """One pass for both terms; `raw_contextual` takes a second one, and gives another figure."""
    passes, figures = [], {}
    hook = vgg.conv1_1.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    generated, target = torch.rand(1, 3, 32, 24).requires_grad_(), torch.rand(1, 3, 32, 24)
    for raw in (False, True):
        config = TrainConfig(Path("d"), Path("o"), discriminator_width=4, raw_contextual=raw, adversarial_from=1)
        passes.clear()
        figures[raw] = Objective(config, discriminators(3, config), vgg, "is").generator(
            generated, target, target, torch.rand(1, 18, 32, 24), 0
        )["contextual_vgg19"]
        assert passes == [True, False] * (1 + raw)  # the generated picture with a graph, the true one without
    hook.remove()
    assert (figures[True] - figures[False]).abs() > 1e-5


def test_edge_maps_are_seen_as_grey_pictures_one_a_class(vgg):
    config = TrainConfig(Path("d"), Path("o"), discriminator_width=4, adversarial_from=1)
    generated, target = torch.rand(2, 8, 32, 24), torch.rand(2, 8, 32, 24)
    pose = torch.rand(2, 18, 32, 24)
    made = Objective(config, discriminators(8, config), vgg, "pct").generator(generated, target, target, pose, 0)
    each = [
        Objective(config, discriminators(1, config), vgg, "pct").generator(g, t, t, pose, 0)["perceptual_vgg19"]
        for g, t in zip(generated.split(1, 1), target.split(1, 1), strict=True)
    ]
    assert made.keys() == {"appearance", "perceptual_vgg19", "total"}
    torch.testing.assert_close(made["perceptual_vgg19"], torch.stack(each).mean(), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("phase", "adversarial_from"), [("both", 0), ("is", 0), ("both", 1)])
def test_each_backward_pass_reaches_just_its_own_net(phase, adversarial_from, monkeypatch, people, tmp_path):
    """Of a real step: the generator's loss the generator alone, the discriminators' loss these alone."""
    monkeypatch.setitem(presets.MODELS, "tiny", TINY)
    torch.manual_seed(0)
    features = EfficientNetLite0()
    monkeypatch.setattr(nets_module, "load_features", lambda name: features)
    if phase == "is":
        config = TrainConfig(people, tmp_path, preset="tiny", phase="both", discriminator_width=4)
        Nets(config, start(config)).averaged().save_pretrained(tmp_path / "model")
    config = TrainConfig(
        *(people, tmp_path), preset="tiny", phase=phase, discriminator_width=4, adversarial_from=adversarial_from,
        trackers=(), pct_net=tmp_path / "model" if phase == "is" else None,
    )  # fmt: skip
    nets = Nets(config, start(config))
    members = {"pct_net": nets.pct_net, "is_net": nets.is_net, "features": features}
    members |= {f"{name}_judges": part.discriminators for name, part in nets.phases.items()}
    reached = []

    def backward(loss):
        loss.backward()
        found = {}
        for name, net in members.items():
            found[name] = [parameter.grad is not None for parameter in net.parameters()]
            net.zero_grad()
        assert all(any(grads) == all(grads) for grads in found.values())  # a net wholly, or not at all
        reached.append({name for name, grads in found.items() if any(grads)})

    monkeypatch.setattr(nets.accelerator, "backward", backward)
    batch = torch.utils.data.default_collate([_item(i) for i in range(2)])
    terms = nets.backward([batch], step=0)
    per_phase = {"pct": [{"pct_net"}, {"pct_judges"}], "is": [{"is_net"}, {"is_judges"}]}
    expected = [nets for name in config.phases for nets in per_phase[name][: 1 if adversarial_from else 2]]
    assert reached == expected
    assert "is/contextual_efficientnet-lite0" in terms and not terms["is/total"].requires_grad


@pytest.mark.skipif(torch.cuda.is_available(), reason="compares float32 on the CPU")
def test_the_shipped_step_is_the_straightforward_one():
    """Of `benchmarks/training.py`: the same losses from the same weights, and the same gradients of the generator."""
    forms = {name: form((32, 22), 2, "cpu", width=4, modulation_width=6) for name, form in training.FORMS.items()}
    assert training.largest_difference(forms) < 1e-5
    gradients = []
    for form in forms.values():
        form.judges.eval()
        form.losses()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in form.generator.parameters()]))
    assert (gradients[0] - gradients[1]).norm() / gradients[0].norm() < 1e-4


def _item(seed: int) -> dict:
    draw = torch.Generator().manual_seed(seed)
    item = {"names": str(seed)}
    for role in ("source", "target"):
        item[f"{role}_image"] = torch.randint(256, (3, HEIGHT, WIDTH), generator=draw, dtype=torch.uint8)
        points = torch.rand(18, 2, generator=draw) * torch.tensor([WIDTH, HEIGHT])
        item[f"{role}_pose"] = torch.cat([points, torch.ones(18, 1)], dim=1)
    return item
