"""What nets of learned places learn by: zero at the truth, finite whatever a batch lacks, exact under autocast."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import HEIGHT, STANDING, WIDTH
from tiny_training import TINY_PLACES, Blurred

from scagan_hub.content.alignment import head_window
from scagan_hub.evaluation.held_out_places import place_error
from scagan_hub.models.mend_net import Layers, MendNet
from scagan_hub.models.place_net import PlaceNet, Places, head_frames, in_frame, inverse_frames
from scagan_hub.training import place_phases
from scagan_hub.training.config import PlaceWeights
from scagan_hub.training.place_losses import Truth, alpha_loss, body_terms, head_terms, painted_alone
from scagan_hub.training.place_phases import Apart, MendTerms

SIZE = (HEIGHT, WIDTH)
TERMS = {"place", "shown", "person", "edge", "head_place", "head_shown", "head_person"}


def person(batch: int = 1) -> torch.Tensor:
    pose = torch.tensor([(x, y, 1.0) for x, y in STANDING])
    return pose.expand(batch, -1, -1).clone()


@pytest.fixture
def made():
    """What a PlaceNet says of two poses, and a truth with all states."""
    torch.manual_seed(0)
    net = PlaceNet(**TINY_PLACES["pct_net"])
    source, target = person(2), person(2)
    target[..., 0] += 3
    apart = Apart(net)(torch.rand(2, 3, *SIZE) * 2 - 1, source, target)
    state = torch.randint(4, (2, 1, *SIZE))
    truth = Truth(torch.rand(2, 2, *SIZE) * 40, state, (state > 0) * 2, torch.rand(2, 1, *SIZE))
    return net, apart, truth, (source, target)


def test_places_at_the_truth_cost_nothing(made):
    net, (body, head, frames, both), truth, _ = made
    shift = torch.tensor([4.0, -2.0])[:, None, None]
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in SIZE), indexing="ij")
    places = (torch.stack([columns, rows]) + shift).expand(2, -1, -1, -1)
    state = torch.full((2, 1, *SIZE), 3)
    truth = replace(truth, places=places, state=state)
    right = replace(body, position=places[:, :, ::2, ::2])
    assert body_terms(right, truth)["place"] == 0
    off = replace(body, position=places[:, :, ::2, ::2] + 10)
    assert body_terms(off, truth)["place"] == 18  # smooth L1 of 10 pixels, twice
    goal = in_frame(inverse_frames(frames[0]), net.head.pixels(frames[1]) + shift)
    right = head_terms((goal, *head[1:]), net.head, frames, both, truth)
    assert right["head_place"] < 1e-8
    assert head_terms((goal + 1, *head[1:]), net.head, frames, both, truth)["head_place"] > 1


@pytest.mark.parametrize("lacking", ["nothing", "state", "person", "head", "joints"])
def test_losses_are_finite_whatever_a_batch_lacks(made, lacking):
    net, _, truth, (source, target) = made
    if lacking == "state":
        truth = replace(truth, state=torch.ones_like(truth.state))  # the source shows nothing of it
    elif lacking == "person":
        truth = replace(truth, state=torch.zeros_like(truth.state), classes=torch.zeros_like(truth.classes))
    elif lacking in ("head", "joints"):
        target[:, [0, 1, 2, 5, 14, 15, 16, 17] if lacking == "head" else slice(None)] = 0
    apart = Apart(net)(torch.rand(2, 3, *SIZE) * 2 - 1, source, target)
    terms = body_terms(apart[0], truth) | head_terms(apart[1], net.head, *apart[2:], truth)
    assert terms.keys() == TERMS and all(value.isfinite() for value in terms.values())
    sum(terms.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_picture_without_heads_has_a_finite_loss_in_its_window(monkeypatch):
    monkeypatch.setattr(place_phases, "Lpips", Blurred)
    terms = MendTerms(PlaceWeights(), torch.device("cpu"))
    pose, net = person(2), MendNet(**TINY_PLACES["is_net"])
    places = Places(*(torch.zeros(2, count, *SIZE) for count in (2, 1, 1, 1)))
    target = torch.rand(2, 3, *SIZE) * 2 - 1
    pose[1] = 0
    layers = net(target, person(2), pose, places)
    first = terms(layers, target, pose)["head_lpips"]
    alone = terms.lpips["VGG16"]
    at, there = head_window(pose, HEIGHT, 1.2, 64)
    assert there.tolist() == [True, False] and first > 0
    pose[0] = 0
    none = terms(layers, target, pose)["head_lpips"]
    none.backward()
    assert none == 0 and all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert alone.features(torch.zeros(1, 3, 64, 64))[0].shape == (1, 3, 16, 16) and at.shape == (2, 64, 64, 2)


def test_alpha_wants_the_softened_silhouette():
    there = torch.zeros(1, 1, 8, 8)
    there[..., 4:] = 1
    soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(there, (1,) * 4, mode="replicate"), 3, 1)
    best = alpha_loss(soft, there)
    assert best < alpha_loss(there, there) and best < alpha_loss(torch.full_like(there, 0.5), there)
    assert alpha_loss(1 - there, there).isfinite()
    painted, target = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    assert torch.equal(painted_alone(painted, target, there), 1 - there.expand(-1, 3, -1, -1))


def test_place_error_is_the_median_of_what_is_shown():
    position, places = torch.zeros(2, 2, 1, 3), torch.zeros(2, 2, 1, 3)
    places[0, 0, 0] = torch.tensor([1.0, 2.0, 50.0])
    state = torch.tensor([[[3, 3, 2]], [[2, 1, 0]]])
    np.testing.assert_array_equal(place_error(position, places, state), [1.0, np.nan])


def test_places_are_the_same_under_autocast():
    torch.manual_seed(0)
    net, source, target = PlaceNet(**TINY_PLACES["pct_net"]).eval(), person(), person()
    target[..., 0] += 2.7
    picture = torch.rand(1, 3, *SIZE) * 2 - 1
    with torch.no_grad():  # untrained, its places are those of the poses alone
        exact = net(picture, source, target).position
        with torch.autocast("cpu", torch.bfloat16):
            half = net(picture, source, target).position
    assert (exact - half).abs().max() < 1e-3
    frames, _ = head_frames(source, target, HEIGHT)
    assert in_frame(frames[0], net.head.grid.expand(1, -1, -1, -1)).shape == (1, 2, 48, 48)


@pytest.mark.parametrize(
    ("weights", "nets", "terms"),
    [
        ({}, {"AlexNet", "VGG16"}, {"lpips", "painted", "head_lpips"}),
        ({"lpips": 0}, {"AlexNet", "VGG16"}, {"painted", "head_lpips"}),
        ({"painted": 0, "head_lpips": 0}, {"AlexNet"}, {"lpips"}),
        ({"lpips": 0, "painted": 0, "head_lpips": 0}, set(), set()),
    ],
)
def test_a_term_that_weighs_nothing_needs_no_net(monkeypatch, weights, nets, terms):
    monkeypatch.setattr(place_phases, "Lpips", Blurred)
    mend_terms, picture = MendTerms(PlaceWeights(**weights), torch.device("cpu")), torch.rand(1, 3, *SIZE)
    layers = Layers(picture, picture, picture, *[torch.full((1, 1, *SIZE), 0.5)] * 2)
    assert mend_terms.lpips.keys() == nets
    assert mend_terms(layers, 1 - picture, person(), torch.ones(1, 1, *SIZE)).keys() == terms | {"alpha"}
    assert mend_terms(layers, 1 - picture, person()).keys() == terms - {"painted"}
