"""A photo's person is cut out and laid before a plain ground; what is generated, before a backdrop of one's choice."""

import sys

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH
from PIL import Image, ImageFilter

from scagan_hub import DEMO_MODEL, ScaGan, gallery
from scagan_hub.backdrop import shown_before
from scagan_hub.images.filters import box_mean
from scagan_hub.images.opening import open_image
from scagan_hub.outputs import Rendered, tensor
from scagan_hub.photos.crop import fit_photo, framing
from scagan_hub.photos.cutout import GROUND, Scene, person_colours, person_mask, scene_of
from scagan_hub.photos.filling import filled
from scagan_hub.poses import blazepose
from scagan_hub.poses.pose import Pose
from tests.test_photo import PHOTO

pytest.importorskip("ai_edge_litert")

NAMES = ["person01", "person05", "person09"]
SIZE = (700, 560)


def clutter() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (10, 14, 3), np.uint8)
    return Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)


def staged(*people: tuple[str, tuple[int, int]]) -> tuple[Image.Image, list[Pose], list[Image.Image]]:
    """Bundled people, twice as large, at places of a cluttered picture; their poses and true masks in it."""
    picture, poses, masks = clutter(), [], []
    for name, place in people:
        image, pose = gallery.person(name)
        (file, _) = gallery._views()[f"{name}-view1"]
        with Image.open(gallery.FOLDER / "test_parsing" / f"{file.stem}.png") as classes:
            there = Image.fromarray(np.uint8(255) * (np.asarray(classes) > 0))
        there, image = (x.resize((352, 512), Image.Resampling.BICUBIC) for x in (there, image))
        picture.paste(image, place, there)
        masks.append(Image.new("L", SIZE))
        masks[-1].paste(there, place)
        poses.append(pose.transform((2, 2), place, SIZE))
    return picture, poses, masks


def values(image) -> np.ndarray:
    return np.asarray(image).astype(int)


def at_joints(mask: Image.Image, pose: Pose) -> np.ndarray:
    x, y = pose.points[pose.present].round().astype(int).T
    return values(mask)[y, x]


@pytest.fixture(scope="module")
def photo() -> tuple[Image.Image, Pose, Image.Image]:
    """The committed photograph, the pose in it, and its mask."""
    image = open_image(PHOTO)
    pose = Pose.detect(image)
    return image, pose, person_mask(image, pose)


# The mask


@pytest.mark.parametrize("name", NAMES)
def test_the_mask_is_the_person(name):
    picture, (pose,), (truth,) = staged((name, (150, 30)))
    mask = person_mask(picture, pose)
    assert mask.mode == "L" and mask.size == picture.size
    found, true = values(mask) > 127, values(truth) > 127
    assert (found & true).sum() > 0.93 * (found | true).sum()
    assert (at_joints(mask, pose) > 127).mean() > 0.9


def test_the_mask_is_of_the_one_that_is_asked_for():
    picture, poses, truths = staged(("person01", (0, 30)), ("person05", (340, 30)))
    for own, other, truth in ((0, 1, 0), (1, 0, 1)):
        mask = values(person_mask(picture, poses[own])) > 127
        assert (at_joints(Image.fromarray(mask), poses[own]) > 0).mean() > 0.9
        assert (at_joints(Image.fromarray(mask), poses[other]) > 0).mean() < 0.1
        assert (mask & (values(truths[truth]) > 127)).sum() > 0.9 * mask.sum()


def test_the_photographs_mask(photo):
    image, pose, mask = photo
    assert (at_joints(mask, pose) > 127).all()
    assert values(mask)[:200, 330:].max() < 30  # the shuttle's model
    assert values(mask)[105:150, 200:240].min() > 225  # the face


def test_nobody_has_no_mask(caplog):
    noise = clutter()
    pose = gallery.pose("person05-view1").transform((2, 2), (150, 30), SIZE)
    assert person_mask(noise, pose) is None
    scene = scene_of(noise, pose, None, (176, 256))
    assert scene.mask is None and "source_mask" in caplog.text
    np.testing.assert_array_equal(values(scene.fitted()[0]), values(fit_photo(noise, pose)[0]))
    with pytest.raises(ValueError, match="give source_mask"):
        _ = scene.empty


# What the nets see


def test_the_nets_see_the_person_before_a_plain_ground(photo):
    image, pose, mask = photo
    fitted, fitted_pose = Scene(image, pose, mask, (176, 256)).fitted()
    raw, raw_pose = fit_photo(image, pose)
    assert fitted_pose == raw_pose
    alpha = values(fit_photo(mask.convert("RGB"), pose, beyond="black")[0])[..., 0]
    assert (values(fitted)[alpha == 0] == GROUND).all() and (alpha == 0).mean() > 0.2
    np.testing.assert_array_equal(values(fitted)[alpha == 255], values(raw)[alpha == 255])


def test_studio_pictures_are_taken_as_they_are(tiny_pipe, picture, pose, other_pose, monkeypatch):
    monkeypatch.setattr(blazepose, "_run", None)  # nobody is looked for
    encoded = tiny_pipe.encode(picture, pose)
    np.testing.assert_array_equal(encoded.image[0].permute(1, 2, 0), np.asarray(picture, np.float32) / 127.5 - 1)
    made = tiny_pipe.render(encoded, [other_pose]).image
    for options in ({}, {"backdrop": "plain"}):
        image = tiny_pipe(picture, other_pose, pose, output_type="pt", **options).images
        assert torch.equal(image, (made.float() / 2 + 0.5).clamp(0, 1))


def test_ones_own_mask_is_taken(tiny_pipe, picture, pose, monkeypatch):
    monkeypatch.setattr(blazepose, "_run", None)
    mask = Image.new("L", picture.size)
    mask.paste(255, (10, 4, 34, 60))
    for scale in (1, 5):
        size = (WIDTH * scale, HEIGHT * scale)
        large = picture.resize(size, Image.Resampling.BICUBIC)
        encoded = tiny_pipe.encode(large, pose.resize(size), source_mask=mask.resize(size))
        pixels = encoded.image[0].permute(1, 2, 0) * 127.5 + 127.5
        ground = (pixels - torch.tensor(GROUND)).abs().amax(2) < 0.01
        assert 0.3 < ground.float().mean() < 0.7
    np.testing.assert_array_equal(values(pixels)[30, 22], values(pixels.round())[30, 22])
    for wrong, word in ((mask.resize((50, 64)), "(50, 64)"), (Image.new("L", picture.size), "no white")):
        with pytest.raises(ValueError, match="source_mask") as error:
            tiny_pipe.encode(picture, pose, source_mask=wrong)
        assert word in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="encoded source"):
        tiny_pipe.encode(encoded, source_mask=mask)


def test_without_litert_a_mask_is_asked_for(monkeypatch, tiny_pipe, photo):
    image, pose, mask = photo
    blazepose._interpreter.cache_clear()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match="source_mask"):
        tiny_pipe.encode(image, pose)
    assert tiny_pipe.encode(image, pose, source_mask=mask).scenes[0].mask is not None


# Colours


def test_box_means():
    x = np.random.default_rng(0).random((9, 7, 2))
    for radius in (1, 3, 20):
        y, z = 4, 5
        inside = x[max(0, y - radius) : y + radius + 1, max(0, z - radius) : z + radius + 1]
        np.testing.assert_allclose(box_mean(x, radius)[y, z], inside.mean((0, 1)))


def test_a_soft_edge_loses_the_backdrops_colour():
    alpha = Image.new("L", (120, 160))
    alpha.paste(255, (30, 20, 90, 160))
    alpha = alpha.filter(ImageFilter.GaussianBlur(2))
    person, behind = (Image.new("RGB", alpha.size, colour) for colour in ((200, 60, 40), (20, 90, 160)))
    mixed = Image.composite(person, behind, alpha)
    seen = values(alpha) > 25
    assert np.abs(values(mixed) - values(person))[seen].max() > 100
    assert np.abs(values(person_colours(mixed, alpha)) - values(person))[seen].max() < 20


def test_a_backdrop_is_filled_in_from_around():
    y, x = np.mgrid[:240, :320]
    smooth = Image.fromarray(np.stack([x * 0.5 + 40, y * 0.5 + 60, 0 * x + 90], 2).astype(np.uint8))
    there = Image.new("L", smooth.size)
    there.paste(255, (130, 60, 190, 200))
    photo = smooth.copy()
    photo.paste((255, 0, 0), (130, 60, 190, 200))
    empty = values(filled(photo, there))
    assert np.abs(empty - values(smooth)).max() < 30
    far = np.ones((240, 320), bool)
    far[45:215, 115:205] = False
    np.testing.assert_array_equal(empty[far], values(photo)[far])
    assert filled(photo, Image.new("L", photo.size)) is photo


def test_a_pattern_goes_on_behind_the_person():
    y, x = np.mgrid[:240, :480]
    striped = Image.fromarray(np.stack([60 + 140 * (y // 12 % 2), 40 + x // 4, 0 * x + 90], 2).astype(np.uint8))
    there = Image.new("L", striped.size)
    there.paste(255, (210, 60, 260, 210))
    photo = striped.copy()
    photo.paste((255, 0, 0), (210, 60, 260, 210))
    error = np.abs(values(filled(photo, there)) - values(striped))[70:200, 220:250]
    assert error.mean() < 8  # of stripes that are 140 apart


# Backdrops


def test_keep_puts_the_person_back_where_they_were(photo):
    image, pose, mask = photo
    scene = Scene(image, pose, mask, (176, 256))
    person, _ = fit_photo(image, pose)
    alpha, _ = fit_photo(mask.convert("RGB"), pose, beyond="black")
    again = values(scene.with_person(person, alpha.convert("L")))
    left, _, scale = framing(pose)
    inside = values(mask) == 255
    sides = np.arange(image.width)
    inside &= (sides > left + 30) & (sides < left + 176 / scale - 30)  # the frame ends softly
    assert np.abs(again - values(image))[inside].mean() < 8  # of a picture that was shrunk to 256 pixels and back


@pytest.mark.parametrize("form", ["older", "mend_pipe"])
def test_keep_leaves_the_photo_far_from_the_person(form, photo, tiny_pipe, request):
    image, pose, mask = photo
    pipe = tiny_pipe if form == "older" else request.getfixturevalue(form)
    out = pipe(image, pose, pose, backdrop="keep", source_mask=mask)
    (shown,) = out.images
    assert shown.size == image.size and out.target_poses[0].size == pipe.picture_size
    left, top, scale = framing(pose, pipe.picture_size)
    box = [round(v) for v in (left, top, left + pipe.picture_size[0] / scale, top + pipe.picture_size[1] / scale)]
    far = box_mean((values(mask) > 12)[..., None], 40)[..., 0] == 0
    far[max(box[1], 0) : box[3], max(box[0], 0) : box[2]] = False
    assert far.mean() > 0.05
    np.testing.assert_array_equal(values(shown)[far], values(image)[far])


def test_keep_before_a_studio_has_the_models_size():
    image, pose = gallery.person("person05")
    scene = scene_of(image, pose, None, image.size)
    assert scene.mask is None
    shown = scene.with_person(image, person_mask(image, pose))
    assert shown.size == image.size and np.abs(values(shown) - values(image)).mean() < 4


def test_colours_and_pictures(mend_pipe):
    image, pose = gallery.person("person05")
    encoded = mend_pipe.encode(image, pose)
    rendered = mend_pipe.render(encoded, [pose])
    assert rendered.alpha.shape == (1, 1, 256, 176) and rendered.person.shape == rendered.image.shape
    blue = mend_pipe(encoded, pose, backdrop="#2266aa", output_type="np").images
    expected = torch.lerp(torch.tensor([34, 102, 170])[:, None, None] / 127.5 - 1, rendered.person, rendered.alpha)
    expected = (expected / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
    np.testing.assert_allclose(blue[0], expected, atol=0.03)
    for same in ((34, 102, 170), [34, 102, 170], np.array([34, 102, 170]).tolist(), "rgb(34, 102, 170)"):
        np.testing.assert_array_equal(mend_pipe(encoded, pose, backdrop=same, output_type="np").images, blue)
    wide = Image.new("RGB", (900, 300), (34, 102, 170))
    np.testing.assert_array_equal(mend_pipe(encoded, pose, backdrop=wide, output_type="np").images, blue)
    named = mend_pipe(encoded, pose, backdrop="black").images[0]
    assert named.size == (176, 256) and values(named).mean() < 255 * blue.mean()


def test_the_bundled_model_puts_its_person_on_black():
    pipe = ScaGan.from_pretrained(DEMO_MODEL)
    image, pose = gallery.person("person05")
    target = gallery.pose("person05-view2")
    plain, black = (pipe(image, target, pose, backdrop=backdrop).images[0] for backdrop in ("plain", "black"))
    x, y = target.points[1].round().astype(int)
    assert np.abs(values(plain)[y, x] - values(black)[y, x]).max() < 3
    assert (values(black)[:20, :20] == 0).all() and (values(plain)[:20, :20] > 150).all()


def test_the_older_form_finds_its_person_in_the_picture():
    image, pose = gallery.person("person05")
    rendered = Rendered(tensor(image), torch.zeros(1, 1, 256, 176))
    (black,) = shown_before((0, 0, 0), rendered, [pose], [scene_of(image, pose, None, image.size)], "pil")
    x, y = pose.points[1].round().astype(int)
    assert np.abs(values(image)[y, x] - values(black)[y, x]).max() < 3
    assert (values(black)[:20, :20] == 0).all()


def test_output_types_and_films_agree(tiny_pipe, picture, pose, other_pose, photo):
    mask = Image.new("L", picture.size, 255)
    given = {"source_pose": pose, "source_mask": mask, "backdrop": "white"}
    pil, np_, pt = (tiny_pipe(picture, other_pose, output_type=kind, **given).images for kind in ("pil", "np", "pt"))
    np.testing.assert_allclose(values(pil[0]) / 255, np_[0], atol=1e-6)
    np.testing.assert_array_equal(pt.permute(0, 2, 3, 1).numpy(), np_)
    (frame,) = tiny_pipe.animate(picture, [other_pose], **given)
    np.testing.assert_array_equal(values(frame), values(pil[0]))
    image, photo_pose, photo_mask = photo
    several = {"source_pose": [pose, photo_pose], "source_mask": [mask, photo_mask], "backdrop": "keep"}
    shown = tiny_pipe([picture, image], other_pose, **several).images
    assert [one.size for one in shown] == [picture.size, image.size]
    with pytest.raises(ValueError, match="several sizes"):
        tiny_pipe([picture, image], other_pose, output_type="np", **several)


@pytest.mark.parametrize("backdrop", ["meadow", "#12345", "", (1, 2), (1, 2, 300), (0.5, 0.5, 0.5), 7, None])
def test_what_is_no_backdrop_is_one_clear_line(tiny_pipe, picture, pose, backdrop):
    with pytest.raises(ValueError, match="^backdrop: ") as error:
        tiny_pipe(picture, pose, pose, backdrop=backdrop)
    assert "\n" not in str(error.value)


def test_a_backdrop_may_be_a_path(tiny_pipe, picture, pose, tmp_path):
    clutter().save(tmp_path / "clutter.png")
    given = {"source_pose": pose, "output_type": "np"}
    of_path = tiny_pipe(picture, pose, backdrop=str(tmp_path / "clutter.png"), **given).images
    np.testing.assert_array_equal(of_path, tiny_pipe(picture, pose, backdrop=clutter(), **given).images)
