"""Photos of every kind come in upright and RGB, bad ones are refused, and a person is framed without squashing."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scagan_hub.images.opening import MAX_PIXELS, open_image
from scagan_hub.photos.crop import fit_photo
from scagan_hub.poses.pose import Pose
from tests.test_pose import LOWER_BODY, make_pose

PHOTO = Path(__file__).parents[1] / "examples" / "photo.jpg"
TEAL = (10, 120, 130)


def gradient(width=60, height=80) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, 0 * x + 90], -1).astype(np.uint8))


def saved(image: Image.Image, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, **options)
    file.seek(0)
    return file


def difference(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_formats_are_known_by_content(form, tmp_path):
    path = tmp_path / "picture.txt"
    path.write_bytes(saved(gradient(), format=form).getvalue())
    image = open_image(path)
    assert image.mode == "RGB" and difference(image, gradient()) < 12


def test_modes():
    picture = gradient()
    grey = picture.convert("L").convert("RGB")
    assert difference(open_image(picture.convert("L")), grey) < 1
    assert difference(open_image(saved(picture.convert("CMYK"), format="JPEG", quality=95)), picture) < 3
    assert difference(open_image(saved(picture.quantize(256), format="PNG")), picture) < 4
    sixteen = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    assert sixteen.mode == "I;16"
    assert difference(open_image(saved(sixteen, format="PNG")), grey) < 1
    assert difference(open_image(sixteen.convert("I")), grey) < 1
    assert difference(open_image(Image.fromarray(np.asarray(picture.convert("L")) / np.float32(255))), grey) < 1
    assert open_image(picture.convert("1")).mode == "RGB"


@pytest.mark.parametrize("form", ["RGBA", "LA", "P"])
def test_transparent_is_white(form):
    image = gradient().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 30, 80))
    pixels = np.asarray(open_image(saved(image.convert(form), format="PNG")))
    assert (pixels[:, :30] == 255).all() and (pixels[:, 30:] < 255).any(-1).all()


def test_exif_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to view
    image = open_image(saved(gradient(), format="JPEG", exif=exif, quality=95))
    assert image.size == (80, 60)
    assert difference(image, gradient().transpose(Image.Transpose.ROTATE_270)) < 3


def bomb() -> bytes:
    """A PNG of 200 bytes whose header promises 30,000 x 30,000 pixels."""
    data = bytearray(saved(Image.new("1", (8, 8)), format="PNG").getvalue())
    header = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + bytes(data[24:29])
    import zlib

    data[12:33] = header + zlib.crc32(header).to_bytes(4, "big")
    return bytes(data)


BAD = {
    "text": (b"I am no picture", "not a picture"),
    "empty": (b"", "not a picture"),
    "truncated JPEG": (saved(gradient(400, 400), format="JPEG").getvalue()[:2000], "damaged"),
    "truncated PNG": (saved(gradient(400, 400), format="PNG").getvalue()[:900], "damaged"),
    "1 x 1": (saved(Image.new("RGB", (1, 1)), format="PNG").getvalue(), "at least 16 x 16"),
    "bomb": (bomb(), "megapixels"),
    "above the limit": (saved(Image.new("1", (MAX_PIXELS // 1000 + 1, 1000)), format="PNG").getvalue(), "megapixels"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "not a picture"),
}


@pytest.mark.parametrize("data, message", BAD.values(), ids=BAD.keys())
def test_bad_pictures_are_one_clear_line(data, message, tmp_path, recwarn):
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    for source in (path, str(path), io.BytesIO(data)):
        with pytest.raises(ValueError, match=message) as error:
            open_image(source)
        assert "\n" not in str(error.value)
    assert not recwarn.list


def test_no_picture_at_all(tmp_path):
    for source, message in (
        ("nowhere.jpg", "no such file"),
        (tmp_path, "no such file"),
        (3, "int"),
        (None, "NoneType"),
    ):
        with pytest.raises(ValueError, match=message):
            open_image(source)


def scene(pose: Pose, size) -> Image.Image:
    """A teal picture with the pose drawn in it."""
    backdrop, skeleton = Image.new("RGB", size, TEAL), pose.draw()
    return Image.composite(skeleton, backdrop, skeleton.convert("L").point(lambda value: 255 * (value > 0)))


def test_the_nets_size_comes_back_unchanged():
    pose = make_pose()
    image = scene(pose, (176, 256))
    assert fit_photo(image, pose)[0] is image and fit_photo(image, pose)[1] is pose


@pytest.mark.parametrize("scale, shift, size", [(3, (900, 100), (1600, 1200)), (0.7, (20, 10), (300, 220))])
def test_a_person_is_framed_as_in_training(scale, shift, size):
    pose = make_pose(scale=scale, shift=shift, size=size)
    image, fitted = fit_photo(scene(pose, size), pose)
    assert image.size == fitted.size == (176, 256) and fitted.present.all()
    height = np.ptp(fitted.points[:, 1])
    assert 0.75 * 256 < height < 0.9 * 256
    assert abs(fitted.points[:, 0].mean() - 88) < 8
    # Not squashed: one scale for x and y; and the picture went where the pose went.
    np.testing.assert_allclose(np.ptp(fitted.points, 0) / np.ptp(pose.points, 0), height / np.ptp(pose.points[:, 1]))
    pixels = np.asarray(image).astype(int)
    for x, y in fitted.points[[4, 7, 10, 13]]:
        assert np.abs(pixels[round(y), round(x)] - TEAL).max() > 60
    assert difference(image.crop((0, 0, 176, 4)), Image.new("RGB", (176, 4), TEAL)) < 2


def test_half_a_body_fills_the_picture():
    pose = make_pose(LOWER_BODY, scale=4, shift=(-50, 20), size=(500, 420)).drop_outside()
    image, fitted = fit_photo(scene(pose, (500, 420)), pose)
    scale = np.ptp(fitted.points[pose.present, 1]) / np.ptp(pose.points[pose.present, 1])
    offset = fitted.points[1, 1] - scale * pose.points[1, 1]
    assert scale * 420 + offset == pytest.approx(256, abs=0.5)  # the photo's lower end is the frame's
    assert np.ptp(fitted.points[pose.present, 1]) > 0.4 * 256


def test_beyond_the_photo_is_the_borders_colour():
    pose = make_pose(scale=2, shift=(-60, -40), size=(240, 430))
    image, fitted = fit_photo(scene(pose, (240, 430)), pose)
    assert fitted.present.all()
    assert difference(image.crop((0, 0, 8, 256)), Image.new("RGB", (8, 256), TEAL)) < 6


@pytest.mark.parametrize("size", [(16, 5000), (5000, 16)])
def test_extreme_shapes(size):
    keypoints = np.ones((18, 3))
    keypoints[:, :2] = np.linspace([1, 1], np.array(size) - 2, 18)
    image, pose = fit_photo(Image.new("RGB", size, TEAL), Pose(keypoints, size))
    assert image.size == pose.size == (176, 256)


def test_single_joint():
    pose = make_pose(list(range(1, 18)), scale=4, size=(800, 1100))
    image, fitted = fit_photo(Image.new("RGB", (800, 1100), TEAL), pose)
    assert image.size == (176, 256) and fitted.present.sum() == 1


def test_pose_of_another_picture_is_refused():
    with pytest.raises(ValueError, match="one size"):
        fit_photo(Image.new("RGB", (300, 400)), make_pose())
    with pytest.raises(ValueError, match="none there"):
        fit_photo(Image.new("RGB", (300, 400)), make_pose(shift=(900, 0), size=(300, 400)))


def test_example_photo_opens():
    assert open_image(PHOTO).size == (512, 512)
