"""What a generated person is shown before: the net's own plain ground, the source's backdrop, a colour or a picture."""

import torch
from PIL import Image, ImageOps

from .inputs import KEEP, PLAIN, paired
from .outputs import Rendered, pictures, tensor
from .photos.cutout import Scene, person_colours, person_mask
from .poses.pose import Pose

FAINT = 0.02  # alpha up to which a net leaves a pixel to the backdrop; it never says 0


def shown_before(backdrop, rendered: Rendered, poses: list[Pose], scenes: list[Scene], output_type: str):
    """Pictures of one of `OUTPUT_TYPES`.

    Args:
        backdrop: as `read_backdrop` returns it.
        rendered: N pictures, made for N poses.
        scenes: of the 1 or N sources.

    Raises:
        ValueError: the source's person cannot be told from their backdrop, which shall be kept; or photos of several
            sizes in one array.
    """
    if backdrop == PLAIN:
        return pictures(rendered.image, output_type)
    people = [_person(rendered, i, pose) for i, pose in enumerate(poses)]
    shown = [composed(*person, backdrop, scene) for person, scene in paired(people, scenes)]
    if output_type == "pil":
        return shown
    sizes = sorted({picture.size for picture in shown})
    if len(sizes) > 1:
        raise ValueError(f'backdrop="keep": photos of several sizes {sizes} make no array; take output_type="pil"')
    return pictures(torch.cat([tensor(picture) for picture in shown]).to(rendered.image.device), output_type)


def composed(person: Image.Image, alpha: Image.Image, backdrop, scene: Scene) -> Image.Image:
    """A person before a backdrop.

    Args:
        person: RGB, a person's colours, where `alpha` is above 0.
        alpha: "L", 255 where the person is.
        backdrop: a colour; a picture, of which the middle is taken; or `KEEP`: the result has the photo's size then.
        scene: the source's.
    """
    if backdrop == KEEP:
        return scene.with_person(person, alpha)
    if isinstance(backdrop, tuple):
        return Image.composite(person, Image.new("RGB", person.size, backdrop), alpha)
    return Image.composite(person, ImageOps.fit(backdrop, person.size, Image.Resampling.LANCZOS), alpha)


def _person(rendered: Rendered, i: int, pose: Pose) -> tuple[Image.Image, Image.Image]:
    """Colours and "L" mask of the person in the i-th picture; looked for in it where the model doesn't say."""
    if rendered.alpha is None:
        (image,) = pictures(rendered.image[i : i + 1], "pil")
        alpha = person_mask(image, pose, sure=0)  # however odd they came out: there is nobody else to take
        return person_colours(image, alpha), alpha
    (person,) = pictures(rendered.person[i : i + 1], "pil")
    alpha = ((rendered.alpha[i, 0].float() - FAINT) / (1 - FAINT)).clamp(min=0)
    return person, Image.fromarray((alpha * 255).round().byte().cpu().numpy())
