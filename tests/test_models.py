"""The nets: the cheap forms equal the plain ones, every configuration works, wrong shapes are refused."""

import pytest
import torch
import torch.nn.functional as F
from plain import PlainISNet
from torch.utils.flop_counter import FlopCounterMode

from scagan_hub.models import ISNet, PatchDiscriminator, PCTNet, ResNetDiscriminator
from scagan_hub.models.content_style import StyleModulation, _Pick, kept_cells, standardise
from scagan_hub.models.is_net import level_sizes
from scagan_hub.models.layout import layout_of, training_layout

SIZE = (64, 44)
TINY = {"image_size": SIZE, "width": 4, "modulation_width": 6}
FLOAT_NOISE = 2e-5
OPTIONS = {
    "pose": {},
    "noise": {"start": "noise", "noise_size": 5},
    "batch norm": {"encoder_norm": "batch"},
    "instance norm": {"encoder_norm": "instance"},
    "spade residual": {"block": "spade_residual"},
    "no edge path": {"edge_channels": 0},
    "no edge path, spade residual": {"edge_channels": 0, "block": "spade_residual"},
    "parsing map": {"edge_channels": 8},
    "aligned": {"aligned_channels": 4, "content_resize": "area", "patch_size": 2, "render": "blend"},
    "aligned without edges": {"edge_channels": 0, "aligned_channels": 4, "render": "blend"},
}


def inputs(net: ISNet, batch: int, seed: int = 0) -> dict[str, torch.Tensor | None]:
    generator = torch.Generator().manual_seed(seed)

    def picture(channels):
        return torch.rand(batch, channels, *SIZE, generator=generator) * 2 - 1 if channels else None

    config = net.config
    noise = torch.randn(batch, config.noise_size, generator=generator) if config.start == "noise" else None
    return {
        "source_image": picture(3),
        "target_edge": picture(config.edge_channels),
        "pose_map": picture(18).abs(),
        "aligned": picture(config.aligned_channels),
        "noise": noise,
    }


@pytest.fixture(params=OPTIONS.values(), ids=OPTIONS.keys())
def net(request):
    torch.manual_seed(0)
    return ISNet(**TINY | request.param).eval()


def test_forward_of_every_option(net):
    out = net(**inputs(net, 2))
    assert out.shape == (2, 3, *SIZE)
    assert out.abs().max() <= 1
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@torch.inference_mode()
def test_pictures_of_a_batch_are_independent(net):
    together = inputs(net, 3)
    alone = {name: None if value is None else value[1:2] for name, value in together.items()}
    torch.testing.assert_close(net(**together)[1:2], net(**alone), atol=FLOAT_NOISE, rtol=0)


@torch.inference_mode()
def test_one_source_meets_a_batch_of_poses(net):
    feed = inputs(net, 3)
    feed["source_image"] = feed["source_image"][:1].expand(3, -1, -1, -1)
    style = net.encode(feed["source_image"][:1])
    contents = {name: value for name, value in feed.items() if name != "source_image"}
    assert style.shape[2:] == net.sizes[0]
    torch.testing.assert_close(
        net.decode(net.style_modulations(style), **contents), net(**feed), atol=FLOAT_NOISE, rtol=0
    )


@pytest.mark.parametrize("option", ["pose", "noise"])
@torch.inference_mode()
def test_plain_yardstick_of_the_benchmark_makes_the_same_pictures(option):
    net = ISNet(**TINY | OPTIONS[option]).eval()
    yardstick = PlainISNet(**TINY | OPTIONS[option]).eval()
    yardstick.load_state_dict(net.state_dict())
    feed = inputs(net, 2)
    torch.testing.assert_close(yardstick(**feed), net(**feed), atol=FLOAT_NOISE, rtol=0)


@pytest.mark.slow
def test_compiled_nets_make_the_same_pictures():
    torch.manual_seed(0)
    net = ISNet(**TINY | {"image_size": (16, 11)}).eval()
    source, pose_map = torch.rand(1, 3, 16, 11), torch.rand(1, 18, 16, 11)
    with torch.no_grad():
        expected = net(source, source[:, :1], pose_map)
        net.compile(fullgraph=True)
        torch.testing.assert_close(net(source, source[:, :1], pose_map), expected, atol=FLOAT_NOISE, rtol=0)


def test_bf16_autocast_is_close_to_float32(net):
    feed = inputs(net, 2)
    with torch.autocast("cpu", torch.bfloat16):
        rough = net(**feed)
    rough.float().mean().backward()
    assert (rough.float() - net(**feed)).abs().mean() < 0.05


@torch.inference_mode()
def test_memory_format_changes_nothing(net):
    feed = inputs(net, 2)
    expected = net(**feed)
    out = net.to(memory_format=torch.channels_last)(**feed)
    torch.testing.assert_close(out, expected, atol=FLOAT_NOISE, rtol=0)


@torch.inference_mode()
def test_saved_and_loaded_net_is_the_same(net, tmp_path):
    net.save_pretrained(tmp_path)
    loaded = ISNet.from_pretrained(tmp_path).eval()
    feed = inputs(net, 1)
    torch.testing.assert_close(loaded(**feed), net(**feed), atol=FLOAT_NOISE, rtol=0)


@pytest.mark.parametrize("size", [(8, 6), (16, 11), (32, 22), (256, 176), (40, 61), (9, 6)])
def test_shrunk_style_modulation_equals_the_plain_form(size):
    torch.manual_seed(0)
    modulation = StyleModulation(5, 7, 6, (8, 6), size)
    style = torch.randn(2, 5, 8, 6)
    shrunk = torch.cat(modulation.spread(modulation(style)), dim=1)
    torch.testing.assert_close(shrunk, modulation.plain(style), atol=1e-6, rtol=0)
    assert modulation(style).shape[2] <= 5 * 8


def test_gradients_of_the_shrunk_form_equal_those_of_the_plain_form():
    torch.manual_seed(0)
    modulation = StyleModulation(5, 7, 6, (8, 6), (64, 44)).double()
    style = torch.randn(2, 5, 8, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 14, 64, 44, dtype=torch.float64)
    of = [style, *modulation.parameters()]
    shrunk = torch.autograd.grad((torch.cat(modulation.spread(modulation(style)), 1) * weight).sum(), of)
    plain = torch.autograd.grad((modulation.plain(style) * weight).sum(), of)
    for a, b in zip(shrunk, plain, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_picking_cells(layout):
    x = torch.randn(2, 3, 4, 3, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    rows, columns = torch.tensor([0, 0, 2, 3, 3, 3]), torch.tensor([2, 1, 1, 1])
    picked = _Pick.apply(x, rows, columns)
    assert torch.equal(picked, x[:, :, rows][:, :, :, columns]) and layout_of(picked) == layout
    assert torch.autograd.gradcheck(lambda x: _Pick.apply(x, rows, columns), x)


def test_kept_cells_of_long_and_short_runs():
    assert kept_cells(9, 2, reach=2) == ([0] * 5 + [1] * 4, [0, 1, 2, 3, 4, 5, 6, 7, 8])
    assert kept_cells(14, 2, reach=2) == ([0] * 5 + [1] * 5, [0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 7, 7, 8, 9])
    assert kept_cells(9, 2, reach=1) == ([0] * 3 + [1] * 3, [0, 1, 1, 1, 2, 3, 4, 4, 5])


@pytest.mark.parametrize("offset", [0, 100])
def test_standardise_is_instance_norm(offset):
    f = (torch.randn(3, 5, 16, 11) + offset).to(memory_format=torch.channels_last)
    expected = F.instance_norm(f.double())
    torch.testing.assert_close(standardise(f).double(), expected, atol=1e-3 if offset else 1e-5, rtol=0)
    assert standardise(f).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["source_image", "target_edge", "pose_map", "aligned"])
def test_wrong_shapes_are_refused(name):
    net = ISNet(**TINY, aligned_channels=4)
    feed = inputs(net, 1)
    for wrong in (feed[name][..., :-4], feed[name][:, :-1], None):
        if wrong is None and name == "source_image":
            continue
        with pytest.raises(ValueError, match=f"ISNet expects {name} of shape"):
            net(**feed | {name: wrong})


@pytest.mark.parametrize("size", [(60, 44), (8, 6), (250, 176)])
def test_impossible_picture_sizes_are_refused(size):
    with pytest.raises(ValueError, match="height must be 16, 32, 64"):
        level_sizes(size)


def test_level_sizes_of_the_release():
    assert level_sizes((256, 176)) == [(8, 6), (16, 11), (32, 22), (64, 44), (128, 88), (256, 176)]


@pytest.mark.parametrize(("prior_channels", "patch_size"), [(18, 1), (1, 1), (1, 2), (18, 2)])
def test_pct_net(prior_channels, patch_size):
    torch.manual_seed(0)
    net = PCTNet(width=4, prior_channels=prior_channels, residual_blocks=1, patch_size=patch_size)
    edge, pose_map, prior = torch.rand(2, 1, *SIZE), torch.rand(2, 18, *SIZE), torch.rand(2, prior_channels, *SIZE)
    if patch_size == 2:
        edge, pose_map, prior = (F.pad(x, (0, 4)) for x in (edge, pose_map, prior))  # to a multiple of 8
    out = net(edge, pose_map, prior)
    assert out.shape == edge.shape and out.abs().max() <= 1
    net.eval()
    torch.testing.assert_close(
        net(edge, pose_map, prior)[:1], net(edge[:1], pose_map[:1], prior[:1]), atol=FLOAT_NOISE, rtol=0
    )
    with pytest.raises(ValueError, match=f"prior of {prior_channels} channels"):
        net(edge, pose_map, prior[:, :0])
    with pytest.raises(ValueError, match="multiples of"):
        net(edge[..., :-1], pose_map[..., :-1], prior[..., :-1])


def test_nets_are_trained_in_the_layout_that_is_fast_on_the_processor(monkeypatch):
    for capability, layout in {"AVX2": torch.contiguous_format, "AVX512": torch.channels_last}.items():
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        assert training_layout(torch.device("cpu")) == layout
        assert training_layout(torch.device("cuda")) == torch.channels_last


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_stays_in_its_layout(layout):
    """Of the IS-Net and a discriminator: no convolution is fed, or gives, another layout than its weights have."""
    torch.manual_seed(0)
    net = ISNet(**TINY).to(memory_format=layout)
    judge = ResNetDiscriminator(21, width=4, residual_blocks=1).to(memory_format=layout)
    found = []
    for module in (*net.modules(), *judge.modules()):
        if isinstance(module, torch.nn.Conv2d) and module.padding_mode == "zeros" and module.in_channels > 1:
            module.register_forward_hook(lambda _, fed, made: found.extend(map(layout_of, (fed[0], made))))
    feed = {key: value if value is None else value.to(memory_format=layout) for key, value in inputs(net, 2).items()}
    judge(net(**feed), feed["pose_map"])
    assert len(found) > 40 and set(found) == {layout}


def test_discriminators():
    image, condition = torch.rand(2, 3, *SIZE), torch.rand(2, 18, *SIZE)
    resnet = ResNetDiscriminator(21, width=4, residual_blocks=1)(image, condition)
    patch = PatchDiscriminator(21, width=4, levels=3)(image, condition)
    assert resnet.shape == (2, 16, 16, 11)
    assert patch.shape == (2, 1, 8, 5)


def test_sizes_of_the_release_configuration():
    """142.7 M parameters, 7.94 M of them the PCT-Net's; shrunk, a picture is 325 GFLOP in place of 546."""
    with torch.device("meta"):
        pct_net, is_net, paper = PCTNet().eval(), ISNet(start="noise").eval(), ISNet()
        feed = [torch.empty(1, channels, 256, 176) for channels in (3, 1, 18, 18)]
        noise = torch.empty(1, 256)
    source_image, edge, pose_map, prior = feed
    assert round(millions(pct_net), 2) == 7.94
    assert round(millions(pct_net) + millions(is_net), 1) == 142.7
    assert millions(paper) < millions(is_net)
    with FlopCounterMode(display=False) as counter:
        is_net(source_image, pct_net(edge, pose_map, prior), pose_map, noise=noise)
    assert round(counter.get_total_flops() / 1e9) == 325


def millions(net) -> float:
    return sum(parameter.numel() for parameter in net.parameters()) / 1e6
