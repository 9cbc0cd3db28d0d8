"""The ablations of Table 2: one option each; they train, save, load and generate, and are what they claim to be."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from overfit import write_pairs
from PIL import Image

from scagan_hub import Pose, ScaGan
from scagan_hub.data import PosePairs
from scagan_hub.models import ISNet, PCTNet
from scagan_hub.models.content_style import SpadeResidualBlock
from scagan_hub.training.command import parse
from scagan_hub.training.components import components
from scagan_hub.training.config import MODELS, VARIANTS, TrainConfig
from scagan_hub.training.loop import Trainer

SIZE = (64, 44)
NETS = {
    "content": {"image_size": SIZE, "prior_radius": 5},
    "pct_net": {"width": 4, "residual_blocks": 1},
    "is_net": {"image_size": SIZE, "width": 4, "modulation_width": 4},
}
ALIGNED = {
    "content": {"image_size": SIZE, "prior": "aligned", "alignment": "limbs"},
    "pct_net": {"width": 4, "residual_blocks": 1, "render": "blend"},
    "is_net": {"image_size": SIZE, "width": 4, "modulation_width": 4, "aligned_channels": 4, "render": "blend"},
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """Two pairs of the bundled people, 64 x 44, as the overfit benchmark writes them."""
    return write_pairs(tmp_path_factory.mktemp("pairs"), SIZE, 2)


@pytest.fixture(params=VARIANTS)
def variant(request, monkeypatch) -> str:
    monkeypatch.setitem(MODELS, "tiny", NETS)
    return request.param


def config(data: Path, output: Path, variant: str, **settings) -> TrainConfig:
    tiny = {"preset": "tiny", "steps": 2, "batch_size": 2, "workers": 0, "discriminator": "patch"}
    tiny |= {"discriminator_width": 4, "evaluate_pairs": 2, "init": "kaiming"}
    return TrainConfig(data, output, variant=variant, **tiny | settings)


def test_a_variant_trains_its_phases_and_generates_from_disk(variant, pairs, tmp_path):
    asked = config(pairs, tmp_path / "run", variant)
    Trainer(asked).run()
    pipe = ScaGan.from_pretrained(str(tmp_path / "run" / "model"))
    assert (pipe.pct_net is None) == (asked.phases == ("is",))
    data = PosePairs(pairs, "test", SIZE, parsing=True)
    item = data[0]
    picture = Image.fromarray(item["source_image"].permute(1, 2, 0).numpy())
    poses = [Pose(item[f"{role}_pose"].numpy(), SIZE[::-1]) for role in ("source", "target")]
    given = {"source_parsing": item["source_parsing"].numpy()} if variant == "semantic_content" else {}
    out = pipe(picture, poses[1], source_pose=poses[0], output_type="np", **given)
    assert out.images.shape == (1, *SIZE, 3) and out.edges.shape == (1, *SIZE, 1)
    assert np.isfinite(out.images).all() and out.images.std() > 0


@pytest.mark.parametrize("name", ["no_prior_transfer", "semantic_content", "spade_resblk"])
def test_a_variant_of_the_aligned_form_trains_too(name, pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", ALIGNED)
    Trainer(config(pairs, tmp_path / "run", name, steps=1)).run()
    assert ScaGan.from_pretrained(str(tmp_path / "run" / "model")).content.config.alignment == "limbs"


def test_predicted_classes_are_measured_before_pictures_are_trained(pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", NETS)
    asked = config(pairs, tmp_path / "run", "semantic_content", steps=1, phase="pct", trackers=())
    Trainer(asked).run()
    last = json.loads((asked.output / "log.jsonl").read_text().splitlines()[-1])
    assert 0 < last["held_out/edge_l1"] < 1 and "held_out/l1" not in last


def test_variants_are_what_the_documentation_says(monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", NETS)

    def built(variant) -> tuple[PCTNet | None, ISNet]:
        pct_net, is_net, content = components(config(Path("d"), Path("o"), variant))
        return pct_net, is_net, content

    pct_net, is_net, content = built("full")
    assert set(is_net.blocks[0].paths) == {"edge", "pose"} and (content.prior_channels, content.edge_channels) == (
        18,
        1,
    )
    pct_net, is_net, content = built("semantic_content")
    assert pct_net.config.edge_channels == is_net.config.edge_channels == content.edge_channels == 8
    assert pct_net.config.prior_channels == 8 * 18
    pct_net, is_net, content = built("no_prior_transfer")
    assert pct_net is None and is_net.config.edge_channels == 1
    pct_net, is_net, content = built("no_content_branch")
    assert pct_net is None and set(is_net.blocks[0].paths) == {"pose"}
    assert all(isinstance(block, SpadeResidualBlock) for block in built("spade_resblk")[1].blocks)
    for name, norm in (("batch_norm", torch.nn.BatchNorm2d), ("instance_norm", torch.nn.InstanceNorm2d)):
        assert all(isinstance(block.norm_1, norm) for block in built(name)[1].encoder)


def test_options_that_a_variant_cannot_have_are_refused():
    for wrong in ({"phase": "pct"}, {"pct_net": Path("model")}, {"phase": "is", "pct_net": Path("model")}):
        with pytest.raises(ValueError, match="no_prior_transfer has no PCT-Net"):
            config(Path("d"), Path("o"), "no_prior_transfer", **wrong)


def test_phase_2_of_a_variant_without_pct_net_needs_none(pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "demo", NETS)
    options = f"--data {pairs} --output {tmp_path} --phase is --variant no_content_branch --steps 1 --features none"
    options += " --workers 0 --evaluate-pairs 2 --discriminator-width 4 --mixed-precision no"
    Trainer(parse(options.split(), "")).run()
    report = ScaGan.from_pretrained(str(tmp_path / "model")).report
    assert "--phase is --variant no_content_branch" in report["training"]["command"]


def test_source_parsing_is_asked_for_and_checked(pairs, monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", NETS)
    semantic = ScaGan(*components(config(pairs, Path("o"), "semantic_content")))
    edges = ScaGan(*components(config(pairs, Path("o"), "full")))
    data = PosePairs(pairs, "test", SIZE, parsing=True)
    name = data.pairs[0][0]
    image, keypoints = data.view(name)
    picture, pose = Image.fromarray(image.permute(1, 2, 0).numpy()), Pose(keypoints.numpy(), SIZE[::-1])
    classes = data.parsing_map(name).numpy()
    given = {"source_pose": pose, "source_parsing": classes}
    encoded = semantic.encode(picture, **given)
    torch.testing.assert_close(encoded.edge, semantic.content.parsing(torch.from_numpy(classes)[None]))
    for wrong, says in [
        ({"source_parsing": None}, "give source_parsing"),
        ({"source_edge": picture}, "no source_edge"),
        ({"source_parsing": classes + 1}, "classes 0 to 7"),
        ({"source_parsing": classes[1:]}, "source image's size"),
    ]:
        with pytest.raises(ValueError, match=says):
            semantic.encode(picture, **given | wrong)
    with pytest.raises(ValueError, match="takes none"):
        edges.encode(picture, **given)


def test_parsing_maps_follow_their_photo_when_it_is_cropped(pairs, monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", NETS)
    semantic = ScaGan(*components(config(pairs, Path("o"), "semantic_content")))
    data = PosePairs(pairs, "test", SIZE, parsing=True)
    image, keypoints = data.view(data.pairs[0][0])
    classes = Image.fromarray(data.parsing_map(data.pairs[0][0]).numpy())
    picture, pose = Image.fromarray(image.permute(1, 2, 0).numpy()), Pose(keypoints.numpy(), SIZE[::-1])
    double = (2 * SIZE[1], 2 * SIZE[0])
    large = semantic.encode(
        picture.resize(double), pose.resize(double), source_parsing=classes.resize(double, Image.Resampling.NEAREST)
    )
    found = large.edge.argmax(1).unique()
    assert set(large.edge.unique().tolist()) == {-1.0, 1.0} and (large.edge.sum(1) == -6).all()
    assert set(found.tolist()) == set(np.unique(classes).tolist())


def test_merged_prior_is_the_union_of_its_plates():
    _, _, content = components(TrainConfig(Path("d"), Path("o"), preset="release"))
    plates = torch.full((1, 18, *content.config.image_size), -1.0)
    plates[0, 3, 10, 20], plates[0, 7, 30, 40] = 1.0, 0.5
    merged = content.merged(plates)
    assert merged.shape == (1, 1, *content.config.image_size)
    assert merged[0, 0, 10, 20] == 1 and merged[0, 0, 30, 40] == 0.5 and merged.sum() == 2.5 - (merged.numel() - 2) - 1
