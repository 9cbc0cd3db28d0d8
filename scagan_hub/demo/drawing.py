"""From a source and a target to the picture, with all that the model saw on the way."""

import time
from dataclasses import dataclass

import torch
from PIL import Image

from ..content import edge_image, one_plane
from ..inputs import PLAIN
from ..pipeline import EncodedSource, ScaGan
from ..poses.pose import Pose
from .requests import Source, Target

LARGEST = 1280  # pixels of the longer side of a picture that is sent


@dataclass(frozen=True)
class Drawn:
    """A generated picture and the road to it: pictures of one size, and the poses in their pixels. Only the first may
    have the photo's shape, before the photo's own backdrop."""

    picture: Image.Image
    source: Image.Image
    source_edges: Image.Image
    prior: Image.Image
    edges: Image.Image
    source_pose: Pose
    pose: Pose
    seconds: float  # that the model took


def draw(pipe: ScaGan, source: Source, target: Target, seed: int = 0, backdrop=PLAIN) -> Drawn:
    """The picture of the source in the target's pose; errors as `ScaGan.__call__`."""
    started = time.perf_counter()
    encoded = pipe.encode(source.image, source.pose)
    out = pipe(encoded, target.pose, generator=torch.Generator().manual_seed(seed), backdrop=backdrop)
    out.images[0].thumbnail((LARGEST, LARGEST))
    seconds = time.perf_counter() - started
    (pose,) = out.target_poses
    return Drawn(
        picture=out.images[0],
        source=picture_of(encoded.image),
        source_edges=edge_image(one_plane(encoded.edge))[0],
        prior=_prior(pipe, encoded, pose),
        edges=out.edges[0],
        source_pose=encoded.poses[0],
        pose=pose,
        seconds=seconds,
    )


def picture_of(image: torch.Tensor) -> Image.Image:
    """The first of (B,3,H,W) in [-1, 1]."""
    pixels = ((image[0].float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


@torch.inference_mode()
def _prior(pipe: ScaGan, source: EncodedSource, pose: Pose) -> Image.Image:
    """The source's edges brought to the pose, dark lines on light; where each joint has its own, all of them."""
    source_pose, target_pose = (
        torch.tensor(p.keypoints, device=source.edge.device)[None] for p in (source.poses[0], pose)
    )
    prior = pipe.content.edge_prior(source.edge, source_pose, target_pose)
    return edge_image(one_plane(pipe.content.merged(prior)))[0]
