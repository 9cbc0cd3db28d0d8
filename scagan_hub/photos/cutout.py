"""The person cut out of a photo: where they are, to the pixel, and their colours without the backdrop's.

The nets know people before plain studio backdrops, so what a photo shows behind its person only misleads them. The map
of BlazePose's landmark net says where the person is, on a grid of 256 x 256; a guided filter (He et al., 2013) moves
its edge to the photo's; the colours at the edge are parted in person and backdrop by blurred estimates (Forte and
Pitie, "Approximate Fast Foreground Colour Estimation", 2021).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from ..images.filters import box_mean, guided, reduced, within
from ..images.opening import open_image
from ..poses.blazepose import CENTRE, MIN_PRESENCE, TOP, Landmarks, Roi, landmarks_in
from ..poses.pose import Pose
from .crop import fit_photo, framing
from .filling import filled

logger = logging.getLogger(__name__)

# What a person who was cut out is laid before: the median over the bundled people of their backdrop's colour. It lies
# between "seamless" and "white" (`people/studio.py`), before which three of five training pictures are taken.
GROUND = (233, 232, 230)

# Turns (radians) and sizes of the square that the net looks at one after another; its maps' median is taken, since what
# it takes for a part of the person in one of them, a flag or a chair, it doesn't in most.
LOOKS = ((0, 1), (0.12, 1), (-0.12, 1), (0, 0.9), (0, 1.1))
WORK_SIDE = 512  # pixels of the longer side that edges are refined at: twice the height of a generated picture
EDGE_CELLS = 4  # cells of the map that its edge may lie beside the photo's
EDGE_CONTRAST = 1e-4  # squared, of colours in [0, 1]: a fainter edge of the photo moves none of the map's
CLEAR = (0.3, 0.85)  # of the filter's answer: what is below is backdrop, above is person
PARTING = 0.1, 0.03  # of the picture's height: radii that an edge's colours are estimated in
FADE = 0.03  # of the picture's height: how softly it ends inside a photo
REACH = 2.0  # body sizes from the hips that a person's circle has at least
NO_PERSON = (
    "the person cannot be told from the backdrop of the source: give source_mask (white where the person is), "
    'or take backdrop="plain"'
)


@dataclass(frozen=True)
class Scene:
    """Where a source stands in its photo.

    Args:
        photo: as it was given, upright.
        pose: in its pixels.
        mask: "L", of its size, 255 where the person is; None where nobody said or found out.
        size: (width, height) of the nets' pictures.
    """

    photo: Image.Image
    pose: Pose
    mask: Image.Image | None
    size: tuple[int, int]

    def fitted(self) -> tuple[Image.Image, Pose]:
        """Picture and pose as the nets take them: cropped by `fit_photo`, the person alone where there is a mask."""
        image, pose = fit_photo(self.photo, self.pose, self.size)
        return (image if self.mask is None else self.alone(person_colours(image, self._fitted_mask), GROUND)), pose

    def alone(self, image: Image.Image, ground) -> Image.Image:
        """What a picture of the nets' size shows where the person is, on a colour; all of it where no mask is known."""
        if self.mask is None:
            return image
        return Image.composite(image, Image.new("RGB", image.size, ground), self._fitted_mask)

    @cached_property
    def _fitted_mask(self) -> Image.Image:
        return fit_photo(self.mask.convert("RGB"), self.pose, self.size, beyond="black")[0].convert("L")

    @cached_property
    def empty(self) -> Image.Image:
        """The photo without the person.

        Raises:
            ValueError: they cannot be told from the backdrop.
        """
        mask = self.mask or person_mask(self.photo, self.pose)
        if mask is None:
            raise ValueError(NO_PERSON)
        return filled(self.photo, mask)

    def with_person(self, person: Image.Image, alpha: Image.Image) -> Image.Image:
        """The photo with another person, of the nets' size with an "L" mask, at this one's place and scale."""
        left, top, scale = framing(self.pose, self.size)
        start, size = np.array([left, top]), np.array(self.photo.size)
        end = start + np.array(self.size) / scale
        first = np.ceil(np.maximum(start, 0)).astype(int)
        last = np.floor(np.minimum(end, size) + 1e-6).astype(int)
        alpha = self._faded(alpha, start, end)
        low, high = ((corner - start) * scale for corner in (first, np.maximum(last, first + 1)))
        box = (*np.clip(low, 0, self.size), *np.clip(high, 0, self.size))
        person, alpha = (x.resize(tuple(last - first), Image.Resampling.BICUBIC, box) for x in (person, alpha))
        photo = self.empty.copy()
        photo.paste(person, tuple(first.tolist()), alpha)
        return photo

    def _faded(self, alpha: Image.Image, start: np.ndarray, end: np.ndarray) -> Image.Image:
        """An "L" mask that ends softly where the frame, from start to end in the photo, ends inside of it."""
        x, y = (np.arange(length) + 0.5 for length in self.size)
        inside = [*(start > 0.5), *(end < np.array(self.photo.size) - 0.5)]  # left, top, right, bottom
        places = (x, y[:, None], self.size[0] - x, self.size[1] - y[:, None])
        values = np.asarray(alpha, np.float64)
        for place in (place for place, ends in zip(places, inside, strict=True) if ends):
            values = values * np.minimum(place / (FADE * self.size[1]), 1)
        return Image.fromarray(np.rint(values).astype(np.uint8))


def scene_of(photo: Image.Image, pose: Pose, mask, size: tuple[int, int]) -> Scene:
    """The scene of a source.

    Args:
        photo: RGB, of pose.size. One of the nets' size is a studio picture, of which nobody is cut out uncalled.
        pose: the person's.
        mask: picture of the photo's size, white where the person is (all that `open_image` takes); None: found.
        size: of the nets' pictures.

    Raises:
        ValueError: a mask of another size, or one that is black all over.
        ImportError: a mask is to be found and LiteRT is not installed.
    """
    if mask is not None:
        mask = open_image(mask).convert("L")
        if mask.size != photo.size or mask.getbbox() is None:
            got = "no white" if mask.size == photo.size else mask.size
            raise ValueError(f"source_mask: expected white where the person is in {photo.size} pixels, got {got}")
    elif photo.size != tuple(size):
        mask = person_mask(photo, pose)
        if mask is None:
            logger.warning("The person cannot be told from the backdrop, which stays; source_mask cuts them out.")
    return Scene(photo, pose, mask, tuple(size))


def person_mask(image: Image.Image, pose: Pose, sure: float = MIN_PRESENCE) -> Image.Image | None:
    """Where the person of this pose is: "L" of the picture's size, 255 where they are, soft at the edge.

    Args:
        image: RGB, of pose.size.
        pose: whose mask; other people beside them are left out as far as the net tells them apart.
        sure: how sure the net must be, in [0, 1], that it sees a person there at all; else None is returned.

    Raises:
        ImportError: LiteRT is not installed.
    """
    roi = _circle(pose)
    found = landmarks_in(image, roi)
    if found.presence >= MIN_PRESENCE:
        roi = Roi.spanned(found.points[CENTRE], found.points[TOP])
    looks = [landmarks_in(image, Roi(roi.centre, roi.side * larger, roi.angle + turn)) for turn, larger in LOOKS]
    return _matte(image, looks) if looks[0].presence >= sure else None


def person_colours(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """What an RGB picture would show were the person everywhere: at soft edges the backdrop's share is taken out."""
    a = np.asarray(alpha, np.float64)[..., None] / 255
    pixels = np.asarray(image, np.float64)
    person = behind = pixels
    for radius in (max(1, round(share * image.height)) for share in PARTING):
        shares = box_mean(np.concatenate([person * a, behind * (1 - a), a], 2), radius)
        person = shares[..., :3] / np.maximum(shares[..., 6:], 1e-4)
        behind = shares[..., 3:6] / np.maximum(1 - shares[..., 6:], 1e-4)
        person = np.clip(person + a * (pixels - a * person - (1 - a) * behind), 0, 255)
    return Image.fromarray(np.rint(np.where(a == 1, pixels, person)).astype(np.uint8))


def _circle(pose: Pose) -> Roi:
    """The square round a person whose pose is known: a circle round the hips, upright as the trunk is."""
    points, present = pose.points, pose.present
    size = pose.body_size or max(np.ptp(points[present], 0).max(), 1)
    hips, neck = [joint for joint in (8, 11) if present[joint]], present[1]
    up = np.array([0.0, -1.0])
    if hips and neck:
        trunk = points[1] - points[hips].mean(0)
        up = trunk / max(np.hypot(*trunk), 1e-6)
    middle = points[hips].mean(0) if hips else points[1] - size * up if neck else points[present].mean(0)
    farthest = np.linalg.norm(points[present] - middle, axis=1).max()
    return Roi.spanned(middle, middle + max(REACH * size, farthest) * up)


def _matte(image: Image.Image, looks: list[Landmarks]) -> Image.Image:
    """The median of the net's maps, laid on the picture, its edge moved to the picture's."""
    window, side = looks[0].window, len(looks[0].person)
    corners = window @ np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]).T
    mask, box = Image.new("L", image.size), within((*corners.min(1), *corners.max(1)), image.size)
    if box[0] >= box[2] or box[1] >= box[3]:
        return mask
    work = reduced(box, WORK_SIDE)
    scale = (box[2] - box[0]) / work[0]
    coarse = np.median([_laid(look, box, work, scale) for look in looks], 0)
    guide = np.asarray(image.resize(work, Image.Resampling.BOX, box), np.float64) / 255
    cell = np.sqrt(abs(np.linalg.det(window[:, :2]))) / scale
    alpha = guided(guide, coarse, max(2, round(EDGE_CELLS * cell)), EDGE_CONTRAST)
    alpha = np.clip((alpha - CLEAR[0]) / (CLEAR[1] - CLEAR[0]), 0, 1)
    alpha = Image.fromarray(np.rint(255 * alpha).astype(np.uint8))
    mask.paste(alpha.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR), box[:2])
    return mask


def _laid(look: Landmarks, box, size: tuple[int, int], scale: float) -> np.ndarray:
    """A map in the picture's box, shrunk by `scale` to `size`."""
    inverse = np.linalg.inv(look.window[:, :2])
    affine = np.column_stack([inverse * scale, inverse @ (np.array(box[:2]) - look.window[:, 2])]).ravel().tolist()
    person = Image.fromarray(look.person.astype(np.float32))
    return np.asarray(person.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR), np.float64)
