"""The people in a photo as poses: what `blazepose` finds, the largest first."""

from ..images.opening import open_image
from .blazepose import find_people
from .pose import Pose


def detect_people(image) -> list[Pose]:
    """Poses of the people in a picture, the largest first; an empty list when there is nobody.

    Args:
        image: anything that `open_image` takes.

    Returns:
        Poses in pixels of the upright picture; a joint's confidence, in (0, 1], is how sure it is to be seen.
        Joints out of the picture are missing, and so are those of the face that the head hides; joints hidden
        behind the body are guessed. The detector is made for one person or a few of like size: it may pass over
        those who stand close beside a more prominent one.

    Raises:
        ValueError: the picture cannot be read.
        ImportError: LiteRT is not installed.
    """
    image = open_image(image)
    poses = [Pose(keypoints, image.size) for keypoints in find_people(image)]
    return sorted(poses, key=lambda pose: -pose.body_size)
