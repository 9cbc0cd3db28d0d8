"""What the nets are fed: against values of the authors' release, and by properties."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from scagan_hub.content import Content, edge_image, edge_tensor
from scagan_hub.content.alignment import backdrop, sample, sampling_map
from scagan_hub.content.prior import patch_prior, release_prior

SIZE = (256, 176)
STANDING = [
    (88, 40), (88, 62), (70, 62), (64, 94), (60, 122), (106, 62), (112, 94), (116, 122), (77, 126),
    (75, 176), (74, 226), (99, 126), (101, 176), (102, 226), (83, 36), (93, 36), (78, 38), (98, 38),
]  # fmt: skip


@pytest.fixture(scope="module")
def release():
    with np.load(Path(__file__).parent / "fixtures" / "pipeline.npz") as data:
        return {name: data[name] for name in ("source_edge", "source_keypoints", "target_keypoints", "prior",
                                              "target_heatmap_rows")}  # fmt: skip


def pose_of(keypoints_yx):
    keypoints = np.concatenate([keypoints_yx[:, ::-1], keypoints_yx[:, :1] >= 0], 1)
    return torch.from_numpy(keypoints.astype(np.float32))[None]


def standing(*missing, shift=(0.0, 0.0)):
    pose = torch.ones(1, 18, 3)
    pose[0, :, :2] = torch.tensor(STANDING) + torch.tensor(shift)
    pose[0, list(missing)] = 0
    return pose


def poses(count, seed=0):
    """Standing people with scattered joints, some of them out of the picture, some missing."""
    generator = torch.Generator().manual_seed(seed)
    pose = standing().repeat(count, 1, 1)
    pose[..., :2] += 25 * torch.randn(count, 18, 2, generator=generator)
    pose[..., 2] = (torch.rand(count, 18, generator=generator) > 0.1).float()
    return pose


def picture(count=1, channels=3, seed=0):
    return torch.rand(count, channels, *SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_release_prior_equals_the_authors(release):
    edge = edge_tensor(Image.fromarray(release["source_edge"]))
    source, target = pose_of(release["source_keypoints"]), pose_of(release["target_keypoints"])
    np.testing.assert_array_equal(release_prior(edge, source, target, radius=20)[0].numpy(), release["prior"])
    fed = Content(prior="patches_release").edge_prior(edge, source, target)
    np.testing.assert_array_equal(fed[0].numpy(), (release["prior"] - 0.5) / 0.5)


def test_heatmaps_equal_the_authors(release):
    target = pose_of(release["target_keypoints"])
    heatmaps = Content(heatmap_sigma=12.0).heatmaps(target)[0]
    np.testing.assert_allclose(heatmaps[:, ::32, ::16].numpy(), release["target_heatmap_rows"], atol=1e-6)


def test_heatmap_is_one_at_the_joint_and_zero_without_it():
    heatmaps = Content().heatmaps(standing(4))
    assert heatmaps.shape == (1, 18, *SIZE)
    assert heatmaps[0, 0, 40, 88] == 1 and heatmaps.amax() == 1
    assert heatmaps[0, 4].amax() == 0
    assert heatmaps[0, 0, 40, 94] == pytest.approx(np.exp(-0.5))


def test_edges_are_dark_on_flat_ground_and_light_on_the_dark_side_of_a_step():
    image = torch.full((1, 3, *SIZE), 0.6)
    image[..., 88:] = -0.6
    edge = Content().edges(image)
    assert edge.shape == (1, 1, *SIZE)
    assert (edge[..., :80] == -1).all() and (edge[..., 96:] == -1).all()
    assert (edge[..., 88] == 1).all()


def test_edges_of_a_constant_picture_are_none():
    for value in (-1.0, -0.3, 0.0, 1.0):
        assert (Content().edges(torch.full((1, 3, *SIZE), value)) == -1).all()


def test_edge_image_and_edge_tensor_undo_each_other():
    dark_lines = Image.fromarray(np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8))
    edge = edge_tensor(dark_lines)
    assert edge.shape == (1, 1, *SIZE) and edge.min() == -1 and edge.max() == 1
    (back,) = edge_image(edge)
    assert back.mode == "L"
    np.testing.assert_array_equal(np.asarray(back), np.asarray(dark_lines))


def test_patch_stays_aligned_on_its_joint_at_the_borders():
    edge = picture(channels=1)
    source, target = standing(), standing()
    source[0, 0, :2], target[0, 0, :2] = torch.tensor([3.0, 250.0]), torch.tensor([170.0, 5.0])
    prior = patch_prior(edge, source, target, radius=20)[0]
    assert prior[0, 5, 170] == edge[0, 0, 250, 3]
    assert prior[0, 10, 175] == edge[0, 0, 255, 8]
    assert (prior[0, 11:] == -1).all() and (prior[0, :, :167] == -1).all()  # beyond the source's borders
    assert (prior[1, 42:82, 68:108] == edge[0, 0, 42:82, 68:108]).all()


def test_patch_of_a_joint_missing_in_either_pose_is_background():
    prior = patch_prior(picture(channels=1), standing(4), standing(7), radius=20)[0]
    assert (prior[4] == -1).all() and (prior[7] == -1).all() and (prior[3] != -1).any()


def test_identity_gives_back_the_source_inside_the_mask():
    image, edge, pose = picture(), picture(channels=1, seed=1), standing()
    content = Content(prior="aligned", alignment="limbs")
    prior, aligned = content.transfer(image, edge, pose, pose)
    inside = aligned[:, 3:] == 1
    assert 0.1 < inside.float().mean() < 0.5
    assert ((aligned[:, :3] - image).abs() * inside).max() < 1e-3
    assert ((prior - edge).abs() * inside).max() < 1e-3
    assert (prior[~inside] == -1).all()


def test_sampling_at_integers_gives_the_pixels_themselves():
    image = picture()
    rows, columns = torch.meshgrid(torch.arange(256.0), torch.arange(176.0), indexing="ij")
    torch.testing.assert_close(sample(image, torch.stack([columns, rows], -1)[None]), image, atol=1e-4, rtol=0)


def test_moved_person_is_moved_with_its_pixels():
    image = picture()
    position, mask = sampling_map(standing(), standing(shift=(7.0, -11.0)), SIZE)
    y, x = mask[0].nonzero().unbind(1)
    torch.testing.assert_close(position[0, y, x], torch.stack([x - 7.0, y + 11.0], 1), atol=1e-3, rtol=0)
    aligned = Content(alignment="limbs").align(image, standing(), standing(shift=(7.0, -11.0)))
    assert aligned[0, 0, 100, 88].item() == pytest.approx(image[0, 0, 111, 81].item(), abs=1e-3)


def test_part_with_a_missing_joint_is_left_out():
    content = Content(alignment="limbs")
    whole = content.align(picture(), standing(), standing())[0, 3]
    without = content.align(picture(), standing(10), standing())[0, 3]
    assert whole[215, 74] == 1 and without[215, 74] == 0
    assert without[215, 102] == 1 and without[90, 88] == 1


def test_leg_below_the_picture_hangs_there_and_the_callers_pose_is_untouched():
    lower = standing(9, 10, 12, 13, shift=(0.0, 100.0))  # hips at 226, knees would be at 276
    kept = lower.clone()
    aligned = Content(alignment="limbs").align(picture(), standing(), lower)
    assert aligned[0, 3, 250, 76] == 1 and aligned[0, 3, 250, 100] == 1
    assert torch.equal(lower, kept)
    inside = Content(alignment="limbs").align(picture(), standing(), standing(9, 10, 12, 13))
    assert inside[0, 3, 200].amax() == 0  # there they would be seen, so they are unknown


def test_head_seen_from_behind_needs_no_face():
    aligned = Content(alignment="limbs").align(picture(), standing(), standing(0, 14, 15, 16, 17))
    assert aligned[0, 3, 35, 88] > 0


def test_backdrop_follows_the_rows_and_not_a_limb_at_the_border():
    image = torch.linspace(-0.5, 0.5, 256)[:, None].expand(1, 3, 256, 176).clone()
    clean = backdrop(image)
    assert clean.shape == (1, 3, 256, 1)
    assert (clean - image[..., :1]).abs()[:, :, 48:-48].max() < 0.02
    image[:, :, 100:160, :40] = image[:, :, 100:160, -40:] = 1.0
    assert (backdrop(image) - clean).abs().max() < 0.3


def test_outside_the_mask_stands_the_backdrop():
    image = picture()
    image[:, :, :10], image[..., :10], image[..., -10:] = 0.5, 0.5, 0.5
    aligned = Content(alignment="limbs").align(image, standing(), standing())
    assert (aligned[:, :3][(aligned[:, 3:] == 0).expand(-1, 3, -1, -1)] == 0.5).all()


def test_poses_with_no_joint_at_all_give_backdrop_only():
    nobody = torch.zeros(2, 18, 3)
    prior, aligned = Content(prior="aligned", alignment="limbs").transfer(
        picture(2), picture(2, 1), nobody, standing().repeat(2, 1, 1)
    )
    assert (prior == -1).all() and (aligned[:, 3] == 0).all() and aligned.isfinite().all()


@pytest.mark.parametrize("prior", ["patches", "patches_release", "aligned"])
def test_a_batch_is_its_pictures_one_by_one(prior):
    content = Content(prior=prior, alignment="limbs")
    image, source, target = picture(3), poses(3, seed=1), poses(3, seed=2)
    edge = content.edges(image)
    together = (edge, content.heatmaps(target), *content.transfer(image, edge, source, target))
    for index in range(3):
        one = slice(index, index + 1)
        edge_alone = content.edges(image[one])
        pair = content.transfer(image[one], edge_alone, source[one], target[one])
        alone = (edge_alone, content.heatmaps(target[one]), *pair)
        for batched, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batched[one], single, atol=1e-4, rtol=0)


@pytest.mark.parametrize("prior", ["patches", "patches_release", "aligned"])
@pytest.mark.parametrize("alignment", ["none", "limbs"])
def test_transfer_is_edge_prior_and_align(prior, alignment):
    content = Content(prior=prior, alignment=alignment)
    image, edge, source, target = picture(2), picture(2, 1), poses(2, seed=1), poses(2, seed=2)
    fed, aligned = content.transfer(image, edge, source, target)
    assert fed.shape == (2, content.prior_channels, *SIZE)
    torch.testing.assert_close(fed, content.edge_prior(edge, source, target))
    if alignment == "none":
        assert aligned is None
    else:
        torch.testing.assert_close(aligned, content.align(image, source, target))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_dtype_and_its_geometry(dtype):
    content = Content(prior="aligned", alignment="limbs")
    image, source, target = picture(), poses(1, seed=1), poses(1, seed=2)
    edge = content.edges(image)
    fed, aligned = content.transfer(image.to(dtype), edge.to(dtype), source, target)
    assert fed.dtype == aligned.dtype == content.edges(image.to(dtype)).dtype == dtype
    whole, expected = content.transfer(image, edge, source, target)
    torch.testing.assert_close(aligned[:, 3].float(), expected[:, 3], atol=4e-3, rtol=0)
    torch.testing.assert_close(aligned.float(), expected, atol=0.02, rtol=0)
    torch.testing.assert_close(fed.float(), whole, atol=0.02, rtol=0)


def test_autocast_changes_nothing():
    content = Content(prior="aligned", alignment="limbs")
    image, source, target = picture(), poses(1, seed=1), poses(1, seed=2)
    plain = content.edges(image), *content.transfer(image, content.edges(image), source, target)
    with torch.autocast("cpu", torch.bfloat16):
        cast = content.edges(image), *content.transfer(image, content.edges(image), source, target)
    for ours, theirs in zip(plain, cast, strict=True):
        assert torch.equal(ours, theirs)


class ContentOnlyPipeline(DiffusionPipeline):
    def __init__(self, content):
        super().__init__()
        self.register_modules(content=content)


def test_settings_are_saved_with_the_pipeline(tmp_path):
    content = Content(image_size=(128, 88), prior="aligned", alignment="limbs", heatmap_sigma=3.0)
    content.save_pretrained(tmp_path / "alone")
    assert Content.from_pretrained(tmp_path / "alone").prior_channels == 1
    ContentOnlyPipeline(content).save_pretrained(tmp_path / "pipeline")
    assert (tmp_path / "pipeline" / "content" / "content_config.json").is_file()
    loaded = ContentOnlyPipeline.from_pretrained(tmp_path / "pipeline").content
    assert isinstance(loaded, Content)
    image, source, target = picture()[..., :128, :88], standing(), standing(shift=(-40.0, -30.0))
    for ours, theirs in zip(
        *(c.transfer(image, c.edges(image), source, target) for c in (content, loaded)), strict=True
    ):
        assert torch.equal(ours, theirs)
    assert torch.equal(content.heatmaps(target), loaded.heatmaps(target))


def test_wrong_settings_and_shapes_are_refused_with_what_was_got():
    with pytest.raises(ValueError, match="prior must be .*'patch'"):
        Content(prior="patch")
    with pytest.raises(ValueError, match="alignment must be .*'limb'"):
        Content(alignment="limb")
    content = Content()
    with pytest.raises(ValueError, match=r"image: expected \(B, 3, 256, 176\), got \(1, 3, 128, 88\)"):
        content.edges(torch.zeros(1, 3, 128, 88))
    with pytest.raises(ValueError, match=r"pose: expected \(B, 18, 3\).*got \(1, 17, 3\)"):
        content.heatmaps(torch.zeros(1, 17, 3))
    with pytest.raises(ValueError, match="1 pictures, 2 source poses and 1 target poses"):
        content.align(picture(), poses(2), poses(1))


def test_the_mask_says_how_far_a_part_is_to_be_trusted():
    pose = standing()
    turned = pose.clone()
    turned[..., 0] = SIZE[1] - 1 - turned[..., 0]  # the same joints from behind
    turned[:, [0, 14, 15], 2] = 0
    image = torch.zeros(1, 3, *SIZE)
    content = Content(image_size=SIZE, alignment="limbs")
    assert content.align(image, pose, pose)[:, 3].unique().tolist() == [0, 1]
    from_behind = content.align(image, pose, turned)[:, 3].unique()
    assert torch.allclose(from_behind, torch.tensor([0, 0.5, 0.7, 1]))
