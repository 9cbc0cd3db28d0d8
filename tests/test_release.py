"""The release's weights, converted, compute what the release computes (numbers in tests/fixtures/)."""

import numpy as np
import pytest
import torch
from PIL import Image
from recipe import FIXTURES, recipe_tensor, release_state

from scagan_hub import Pose, ScaGan
from scagan_hub.content import Content, edge_tensor
from scagan_hub.release import convert, read, translate

FLOAT_NOISE = 2e-3  # of the range [-1, 1]


@pytest.fixture(scope="module")
def reference():
    with np.load(FIXTURES / "pipeline.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def release():
    return release_state("isnet_noise")


@pytest.fixture(scope="module")
def pct_only():
    return release_state("pctnet")


@pytest.fixture(scope="module")
def nets(release):
    return translate(release)


@pytest.fixture(scope="module")
def fed(reference):
    """What the nets are fed: source_image, source_edge, pose_map, prior."""
    content = Content(heatmap_sigma=12.0, prior="patches_release")
    source_pose, target_pose = (pose_tensor(reference[f"{which}_keypoints"]) for which in ("source", "target"))
    source_edge = edge_tensor(Image.fromarray(reference["source_edge"]))
    prior = content.edge_prior(source_edge, source_pose, target_pose)
    source_image = torch.from_numpy(reference["source"]).permute(2, 0, 1)[None] / 127.5 - 1
    return source_image, source_edge, content.heatmaps(target_pose), prior


def pose_tensor(keypoints):
    """(18,2) y, x with -1 for missing -> (1,18,3) x, y, confidence."""
    present = (keypoints >= 0).all(1, keepdims=True)
    return torch.tensor(np.concatenate([keypoints[:, ::-1], present], 1), dtype=torch.float32)[None]


def difference(x, expected):
    return np.abs(np.asarray(x, dtype=np.float64) - expected).max()


def test_content(fed, reference):
    *_, pose_map, prior = fed
    assert difference(pose_map[0, :, ::32, ::16], reference["target_heatmap_rows"]) < 1e-6
    assert np.array_equal((prior[0] * 0.5 + 0.5).numpy(), reference["prior"])


@torch.inference_mode()
def test_target_edge_style_and_image_from_noise(nets, fed, reference):
    pct_net, is_net = nets
    source_image, source_edge, pose_map, prior = fed
    target_edge = pct_net(source_edge, pose_map, prior)
    style = is_net.encode(source_image)
    noise = torch.from_numpy(reference["noise"])
    image = is_net.decode(is_net.style_modulations(style), target_edge, pose_map, noise=noise)
    assert difference(target_edge[0], reference["edge_target"]) < FLOAT_NOISE
    assert difference(style[0], reference["style"]) < FLOAT_NOISE
    assert difference(image[0], reference["image_noise"]) < FLOAT_NOISE


@torch.inference_mode()
def test_image_from_pose(release, fed, reference):
    first = {
        "fc.weight": recipe_tensor("fc.weight", (512, 18, 3, 3)),
        "fc.bias": recipe_tensor("fc.bias", (512,)),
    }
    pct_net, is_net = translate(release | first)
    source_image, source_edge, pose_map, prior = fed
    image = is_net(source_image, pct_net(source_edge, pose_map, prior), pose_map)
    assert is_net.config.start == "pose"
    assert difference(image[0], reference["image_pose"]) < FLOAT_NOISE


def test_data_parallel_file_makes_the_same_pictures(release, reference, tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in release.items()}, tmp_path / "latest_netG.pth")
    pipe = ScaGan.from_pretrained(convert(tmp_path / "latest_netG.pth", tmp_path / "model"))
    pipe.set_progress_bar_config(disable=True)
    poses = [Pose(pose_tensor(reference[f"{who}_keypoints"])[0].numpy(), (176, 256)) for who in ("source", "target")]
    out = pipe(
        Image.fromarray(reference["source"]),
        poses[1],
        source_pose=poses[0],
        source_edge=Image.fromarray(reference["source_edge"]),
        noise=torch.from_numpy(reference["noise"]),
        output_type="pt",
    )
    assert difference(out.images[0] * 2 - 1, reference["image_noise"]) < FLOAT_NOISE
    assert difference(1 - out.edges[0] * 2, reference["edge_target"]) < FLOAT_NOISE


def test_faults_are_named(release):
    name = "up_3.norm_e2.mlp_gamma.weight"
    missing = {k: v for k, v in release.items() if k != name}
    with pytest.raises(ValueError, match=f"missing: {name}"):
        translate(missing)
    with pytest.raises(ValueError, match="extra: up_4.conv_s1.weight"):
        translate(release | {"up_4.conv_s1.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=rf"misshapen: {name} is \(64, 128, 1, 1\) where \(64, 128, 3, 3\)"):
        translate(release | {name: release[name][:, :, :1, :1]})
    copy = "enc_style.model.3.skip.conv.bias"
    with pytest.raises(ValueError, match=f"different from its copy: {copy}"):
        translate(release | {copy: release[copy] + 1})
    with pytest.raises(ValueError, match=r"missing: fc.weight, fc.bias"):
        translate({k: v for k, v in release.items() if not k.startswith("fc.")})


def test_other_files_are_told_apart(pct_only):
    with pytest.raises(ValueError, match="PCT-Net of phase 1 alone.*expected the generator of phase 2"):
        translate(pct_only)
    for state in ({}, {"model.0.weight": torch.zeros(3)}):
        with pytest.raises(ValueError, match="no generator of the release"):
            translate(state)


@pytest.mark.parametrize("zipped", [True, False])
def test_read_strips_the_prefix_of_data_parallel(tmp_path, zipped):
    state = {"module.fc.bias": torch.ones(2), "module.module.fc.bias": torch.zeros(2)}
    torch.save(state, tmp_path / "g.pth", _use_new_zipfile_serialization=zipped)
    assert list(read(tmp_path / "g.pth")) == ["fc.bias", "module.fc.bias"]


@pytest.mark.parametrize("value", [[torch.ones(2)], {"state_dict": {"a": torch.ones(2)}}, {1: torch.ones(2)}])
def test_read_wants_a_state_dict(tmp_path, value):
    torch.save(value, tmp_path / "g.pth")
    with pytest.raises(ValueError, match="not a generator's state dict"):
        read(tmp_path / "g.pth")


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return type(self.target).touch, (self.target,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(tmp_path, zipped):
    torch.save({"a": Malicious(tmp_path / "owned")}, tmp_path / "g.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="cannot be read as PyTorch weights"):
        convert(tmp_path / "g.pth", tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.pth"]


def test_damaged_files(tmp_path):
    path = tmp_path / "g.pth"
    with pytest.raises(ValueError, match="no such file"):
        read(path)
    torch.save({"fc.bias": torch.arange(1000.0)}, path)
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"not weights at all",
        whole[: len(whole) // 2],
        whole[:100] + b"\xff" * 40 + whole[140:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as PyTorch weights") as caught:
            read(path)
        assert "\n" not in str(caught.value)
