"""The road from photo and pose to picture: what comes out, whatever way it is asked for."""

import json

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, make_pipe
from PIL import ImageOps

from scagan_hub import Pose, ScaGan
from scagan_hub.content import edge_image


def array(images) -> np.ndarray:
    return np.stack([np.asarray(image, np.float32) / 255 for image in images])


def test_one_picture(tiny_pipe, picture, pose, other_pose):
    out = tiny_pipe(picture, other_pose, source_pose=pose)
    assert [image.size for image in out.images] == [(WIDTH, HEIGHT)] and out.images[0].mode == "RGB"
    assert [edge.size for edge in out.edges] == [(WIDTH, HEIGHT)] and out.edges[0].mode == "L"
    assert out.target_poses == [other_pose]


@pytest.mark.parametrize("form", ["aligned", "paper"])
def test_every_input_counts(form, picture, pose, other_pose):
    pipe = make_pipe(form)
    expected = pipe(picture, other_pose, pose, output_type="np").images
    for image, target, source in [
        (ImageOps.mirror(picture), other_pose, pose),
        (picture, pose, pose),
        (picture, other_pose, other_pose),
    ]:
        assert np.abs(pipe(image, target, source, output_type="np").images - expected).max() > 0.01


def test_output_types_agree(tiny_pipe, picture, pose, other_pose):
    pil, np_, pt = (tiny_pipe(picture, other_pose, pose, output_type=kind) for kind in ("pil", "np", "pt"))
    assert np_.images.shape == (1, HEIGHT, WIDTH, 3) and np_.edges.shape == (1, HEIGHT, WIDTH, 1)
    assert pt.images.shape == (1, 3, HEIGHT, WIDTH) and pt.edges.shape == (1, 1, HEIGHT, WIDTH)
    assert np_.images.min() >= 0 and np_.images.max() <= 1
    np.testing.assert_array_equal(pt.images.permute(0, 2, 3, 1).numpy(), np_.images)
    np.testing.assert_allclose(array(pil.images), np_.images, atol=0.51 / 255)
    np.testing.assert_allclose(array(pil.edges), np_.edges[..., 0], atol=0.51 / 255)
    with pytest.raises(ValueError, match="output_type.*'jpeg'"):
        tiny_pipe(picture, other_pose, pose, output_type="jpeg")


@pytest.mark.parametrize("form", ["aligned", "paper"])
def test_a_batch_equals_its_pictures(form, picture, pose, other_pose):
    pipe = make_pipe(form)
    mirrored, mirrored_pose = ImageOps.mirror(picture), pose.mirror()
    sources, source_poses = [picture, mirrored, picture], [pose, mirrored_pose, pose]
    targets = [other_pose, pose, mirrored_pose]
    batch = pipe(sources, targets, source_poses, output_type="np").images
    alone = [pipe(*each, output_type="np").images for each in zip(sources, targets, source_poses, strict=True)]
    np.testing.assert_allclose(batch, np.concatenate(alone), atol=1e-4)


def test_one_source_meets_many_poses_and_one_pose_many_sources(tiny_pipe, picture, pose, other_pose):
    one, other = (tiny_pipe(picture, target, pose, output_type="np").images for target in (pose, other_pose))
    many = tiny_pipe(picture, [pose, other_pose], pose, output_type="np").images
    np.testing.assert_allclose(many, np.concatenate([one, other]), atol=1e-4)
    twice = tiny_pipe([picture, picture], other_pose, [pose, pose], output_type="np").images
    np.testing.assert_allclose(twice, np.concatenate([other, other]), atol=1e-4)


def test_animate_equals_calls(tiny_pipe, picture, pose, other_pose):
    frames = tiny_pipe.animate(picture, [pose, other_pose], source_pose=pose)
    calls = [tiny_pipe(picture, target, pose).images[0] for target in (pose, other_pose)]
    np.testing.assert_array_equal(array(frames), array(calls))
    with pytest.raises(ValueError, match="one source image"):
        tiny_pipe.animate([picture, picture], [pose], source_pose=[pose, pose])


def test_target_pose_from_json(tiny_pipe, picture, pose, other_pose, tmp_path):
    expected = array(tiny_pipe(picture, other_pose, pose).images)
    file = tmp_path / "pose.json"
    file.write_text(json.dumps(other_pose.to_dict()))
    for target in (other_pose.to_dict(), json.dumps(other_pose.to_dict()), file, str(file)):
        np.testing.assert_array_equal(array(tiny_pipe(picture, target, pose).images), expected)


def test_a_pose_from_elsewhere_is_fitted_to_the_source(tiny_pipe, picture, pose, other_pose):
    large = Pose(other_pose.keypoints * [7, 7, 1] + [300, 50, 0], (WIDTH * 20, HEIGHT * 20))
    placed = tiny_pipe(picture, large, pose).target_poses[0]
    assert placed == large.fit_to(pose).drop_outside()
    np.testing.assert_allclose(placed.keypoints[8], pose.keypoints[8], atol=0.5)
    unsized = {"people": [{"pose_keypoints_2d": large.keypoints.ravel().tolist()}]}
    assert tiny_pipe(picture, unsized, pose).target_poses[0] == placed


def test_a_large_photo_is_brought_to_size_with_its_pose_and_edges(tiny_pipe, picture, pose, other_pose):
    photo = picture.resize((WIDTH * 6, HEIGHT * 5))
    photo_pose = Pose(pose.keypoints * [6, 5, 1], photo.size)
    encoded = tiny_pipe.encode(photo, photo_pose)
    assert encoded.image.shape == (1, 3, HEIGHT, WIDTH) and encoded.poses[0].size == (WIDTH, HEIGHT)
    assert tiny_pipe(photo, other_pose, photo_pose).images[0].size == (WIDTH, HEIGHT)
    halved = Pose(pose.keypoints * [3, 2.5, 1], (WIDTH * 3, HEIGHT * 5 // 2))
    np.testing.assert_allclose(tiny_pipe.encode(photo, halved).image, encoded.image, atol=1e-6)
    with pytest.raises(ValueError, match="source_pose"):
        tiny_pipe(photo, other_pose, pose)


def test_own_edges_take_the_place_of_xdog(tiny_pipe, picture, pose, other_pose):
    edge = edge_image(tiny_pipe.encode(picture, pose).edge)[0]
    assert np.asarray(edge).mean() > 127  # light, with dark lines
    drawn = ImageOps.invert(edge)
    expected = tiny_pipe(picture, other_pose, pose, output_type="np")
    same = tiny_pipe(picture, other_pose, pose, source_edge=edge, output_type="np")
    np.testing.assert_allclose(same.edges, expected.edges, atol=0.01)
    other = tiny_pipe(picture, other_pose, pose, source_edge=drawn, output_type="np")
    assert np.abs(other.edges - expected.edges).max() > 0.01
    with pytest.raises(ValueError, match="source_edge"):
        tiny_pipe(picture, other_pose, pose, source_edge=drawn.resize((50, 64)))


def test_noise_decides_where_the_model_starts_from_it(picture, pose):
    pipe = make_pipe("noise")

    def generate(**options):
        return pipe(picture, [pose, pose], pose, output_type="np", **options).images

    seeded = [torch.Generator().manual_seed(seed) for seed in (1, 2, 1, 2)]
    first, again = generate(generator=seeded[:2]), generate(generator=seeded[2:])
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0.01
    given = generate(noise=torch.ones(2, 8))
    np.testing.assert_allclose(given[0], given[1], atol=1e-6)
    with pytest.raises(ValueError, match="noise: expected shape"):
        generate(noise=torch.ones(2, 7))


def test_a_model_without_noise_refuses_it(tiny_pipe, picture, pose):
    with pytest.raises(ValueError, match="starts from the pose"):
        tiny_pipe(picture, pose, pose, noise=torch.ones(1, 8))


def test_bfloat16_stays_close(picture, pose, other_pose, tiny_folder, tiny_pipe):
    pipe = ScaGan.from_pretrained(tiny_folder, dtype=torch.bfloat16)
    assert pipe.is_net.dtype == torch.bfloat16
    expected = tiny_pipe(picture, other_pose, pose, output_type="np").images
    np.testing.assert_allclose(pipe(picture, other_pose, pose, output_type="np").images, expected, atol=0.05)


@pytest.mark.parametrize(
    ("sources", "targets", "poses", "match"),
    [
        (2, 3, 2, "2 source images and 3 target poses"),
        (1, 0, 1, "1 source images and 0 target poses"),
        (0, 1, 0, "0 source images"),
        (2, 1, 1, "source_pose: expected one for each of 2"),
    ],
)
def test_lists_that_do_not_match(tiny_pipe, picture, pose, sources, targets, poses, match):
    with pytest.raises(ValueError, match=match):
        tiny_pipe([picture] * sources, [pose] * targets, source_pose=[pose] * poses)


def test_components_that_do_not_fit(tiny_pipe):
    other = make_pipe("paper")
    with pytest.raises(ValueError, match="prior_channels 18, the content gives 1"):
        ScaGan(other.pct_net, tiny_pipe.is_net, tiny_pipe.content)
    with pytest.raises(ValueError, match="aligned_channels 0, the content gives 4"):
        ScaGan(tiny_pipe.pct_net, other.is_net, tiny_pipe.content)


def test_a_photo_may_be_a_path(tiny_pipe, picture, pose, other_pose, tmp_path):
    picture.save(tmp_path / "photo.png")
    image = tiny_pipe(tmp_path / "photo.png", other_pose, pose).images
    np.testing.assert_array_equal(array(image), array(tiny_pipe(picture, other_pose, pose).images))


@pytest.mark.slow
def test_the_nets_compile(tiny_folder, tiny_pipe, picture, pose, other_pose):
    pipe = ScaGan.from_pretrained(tiny_folder)
    pipe.pct_net = torch.compile(pipe.pct_net, fullgraph=True)
    pipe.is_net.decode = torch.compile(pipe.is_net.decode, fullgraph=True)
    expected = tiny_pipe(picture, other_pose, pose, output_type="np").images
    np.testing.assert_allclose(pipe(picture, other_pose, pose, output_type="np").images, expected, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_cuda_gives_the_cpus_picture(tiny_folder, tiny_pipe, picture, pose, other_pose, dtype):
    pipe = ScaGan.from_pretrained(tiny_folder, dtype=dtype).to("cuda")
    expected = tiny_pipe(picture, [pose, other_pose], pose, output_type="np").images
    images = pipe(picture, [pose, other_pose], pose, output_type="np").images
    np.testing.assert_allclose(images, expected, atol=2e-3 if dtype == torch.float32 else 0.05)
