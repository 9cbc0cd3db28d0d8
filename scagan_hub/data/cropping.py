"""The part of a photo that becomes an image of a data set: a frame round the person, all of it photo."""

from PIL import Image

from ..photos.crop import framing
from ..poses.pose import Pose

LEAST = 8  # joints in the frame, one of them of the trunk
_TRUNK = [1, 2, 5, 8, 11]  # neck, shoulders, hips


def crop_inside(image: Image.Image, pose: Pose, size=(176, 256)) -> tuple[Image.Image, Pose]:
    """The person cropped out of a photo into a picture of `size`, without bars beside it, and the pose there.

    Where the frame that `fit_photo` takes passes the photo's end, it is slid onto the photo; where it is larger than
    the photo, it is made smaller, and shows of the person what it can from the head down. A photo of `size` is kept.

    Args:
        image: RGB picture of pose.size.
        pose: the person to keep.
        size: (width, height) of the result.
    Raises:
        ValueError: the frame shows too little of the person, or the pose is of a photo of another size.
    """
    if image.size == pose.size == tuple(size):
        return image, pose
    if image.size != pose.size:
        raise ValueError(f"photo and pose: expected one size, got {image.size} and {pose.size}")
    left, top, scale = framing(pose, size)
    width, height = size[0] / scale, size[1] / scale
    smaller = min(1, image.width / width, image.height / height)
    left += (1 - smaller) * width / 2
    width, height, scale = width * smaller, height * smaller, scale / smaller
    left = min(max(0, left), image.width - width)
    top = min(max(0, top), image.height - height)
    box = (max(0, left), max(0, top), min(image.width, left + width), min(image.height, top + height))
    cropped = image.resize(tuple(size), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    found = pose.drop_outside().transform((scale, scale), (-left * scale, -top * scale), size).drop_outside()
    if found.present.sum() < LEAST or not found.present[_TRUNK].any():
        raise ValueError(
            f"a frame of {size[0]} x {size[1]} inside the photo shows only {found.present.sum()} joints of the person; "
            "take a photo with more room around them"
        )
    return cropped, found
