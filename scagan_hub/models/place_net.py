"""Phase 1 by learned places: PlaceNet says where in the source every pixel of the target lies, whether the source shows
it, where the person is, and where the target's edges are.

The paper's phase 1 transfers the content in advance and means edges by it; rendered people know the rest of the
content exactly, and a net learns it from them. Each pixel is given in the frames of the ten limb boxes; every box maps
it into the source; the net chooses softly between these maps and adds what limbs cannot know. Heads, whose eyes lie a
few pixels apart, have a net and a window of their own.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

from ..content.alignment import HEAD_PART, body_size, inverse_frames, part_frames, part_maps, sample
from .unet import PoseUNet

STEP = 2  # pixels between places
CLOSER = 4.0  # how much likelier a part's map is for every half box that a pixel is closer to it
CHOICE, RESIDUAL = 5.0, 2.0  # of what the net says: logits of the parts, and body sizes
WINDOW, REACH = 48, 1.3  # places a side of the head's window; its half size in head boxes
BLEND = 1.0  # head boxes from which on the body's places come in; alone at REACH
FACE = (0, 14, 15, 16, 17)
POSE_SIZE = 2 * (18 * 3 + 2)
FAR_OUTSIDE = 128.0  # pixels


@dataclass
class Places:
    """What phase 1 knows of the target, B pictures.

    Args:
        position: (B,2,H,W) x, y in source pixels, pixel centres at integers; for what the source hides, the nearest
            cloth of the same kind that it shows.
        shown: (B,1,H,W) logits: the source shows it.
        person: (B,1,H,W) logits: the person is there.
        edge: (B,1,H,W) logits: an edge is there.
    """

    position: torch.Tensor
    shown: torch.Tensor
    person: torch.Tensor
    edge: torch.Tensor


class HeadNet(nn.Module):
    """Where each place of the target's head lies in the source's, in coordinates of the head's box: a quadratic map,
    what a turned ball does, from the poses, and a residual from the source's window."""

    def __init__(self, width: int):
        super().__init__()
        pose_size = POSE_SIZE + 2 * 3 * len(FACE)
        self.unet = PoseUNet(5, 4, (width, 2 * width, 4 * width, 4 * width), pose_size, 8 * width)
        self.turn = nn.Linear(8 * width, 12)
        nn.init.zeros_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)
        line = torch.linspace(-REACH, REACH, WINDOW)
        self.register_buffer("grid", torch.stack(torch.meshgrid(line, line, indexing="ij")), persistent=False)

    def forward(
        self,
        source_image: torch.Tensor,
        source_pose: torch.Tensor,
        target_pose: torch.Tensor,
        frames: list[torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """source_image (B,3,H,W) in [-1, 1], poses (B,18,3), frames: of the source's and the target's head (B,2,3)
        -> box coordinates in the source (B,2,48,48); logits of shown and of person (B,1,48,48)."""
        grid = self.grid.to(source_pose).expand(len(source_image), -1, -1, -1)
        window = sample(source_image.float(), self.pixels(frames[0]).permute(0, 2, 3, 1))
        faces = [_face(pose, frame) for pose, frame in zip((source_pose, target_pose), frames, strict=True)]
        pose = torch.cat([*faces, pose_vector(source_pose), pose_vector(target_pose)], 1)
        x = torch.cat([window, grid], 1).to(self.turn.weight.dtype)
        out, embedding = self.unet(x.contiguous(memory_format=torch.channels_last), pose.to(x.dtype))
        out, u, v = out.float(), grid[:, :1], grid[:, 1:]
        basis = torch.cat([torch.ones_like(u), u, v, u * u, u * v, v * v], 1)
        turn = self.turn(embedding).float().unflatten(1, (2, 6))[..., None, None]  # (B,2,6,1,1)
        turned = (turn * basis[:, None]).sum(2)
        return grid + turned + out[:, :2], out[:, 2:3], out[:, 3:]

    def pixels(self, frames: torch.Tensor) -> torch.Tensor:
        """Where the window of a head's frame (B,2,3) lies: x, y in pixels (B,2,48,48)."""
        return in_frame(frames, self.grid.to(frames).expand(len(frames), -1, -1, -1))


class PlaceNet(ModelMixin, ConfigMixin):
    """PCT-Net's part in a model with learned places.

    Args:
        image_size: (height, width) of the pictures.
        width: channels of the finest level of the whole picture's net, which works at a quarter of the size.
        head_width: of the head's net.
    """

    _keep_in_fp32_modules = ["unet", "head"]  # in bfloat16 places would be some tenths of a pixel off

    @register_to_config
    def __init__(self, image_size: tuple[int, int] = (256, 176), width: int = 48, head_width: int = 32):
        super().__init__()
        # places and weights of ten parts, whether one is there, the source moved by them
        self.unet = PoseUNet(
            20 + 10 + 1 + 3 * STEP**2, 14 * STEP**2 + 16, tuple(width * i for i in (1, 2, 3, 4)), POSE_SIZE, 4 * width
        )
        self.head = HeadNet(head_width)

    def forward(self, source_image: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor) -> Places:
        """
        Args:
            source_image: (B,3,H,W) in [-1, 1].
            source_pose, target_pose: (B,18,3) x, y, confidence in pixels.
        Raises:
            ValueError: for pictures of another size.
        """
        if tuple(source_image.shape[2:]) != tuple(self.config.image_size):
            raise ValueError(f"PlaceNet expects pictures of {self.config.image_size}, got {tuple(source_image.shape)}")
        frames, both = head_frames(source_pose, target_pose, source_image.shape[2])
        head = self.head(source_image, source_pose, target_pose, frames)
        return self.joined(self.body(source_image, source_pose, target_pose), head, frames, both)

    def silhouette(self, source_image: torch.Tensor, source_pose: torch.Tensor) -> torch.Tensor:
        """Where the source shows the person: (B,1,H,W), 1 or 0. Arguments as for `forward`."""
        return (self(source_image, source_pose, source_pose).person > 0).to(source_image.dtype)

    def body(self, source_image: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor) -> Places:
        """All but the head's own net, for every second row and column; edges (B,1,H,W)."""
        size = source_image.shape[2:]
        place, distance, position = part_maps(source_pose, target_pose, size, STEP)  # (B,10,...,H/2,W/2)
        score = -CLOSER * distance
        soft = torch.softmax(score, 1)
        moved = sample(source_image.float(), (position * soft[:, :, None]).sum(1).permute(0, 2, 3, 1))
        coarse = (slice(None),) * 2 + (slice(None, None, STEP),) * 2
        inside = (distance.amin(1, keepdim=True) < 1).float()
        maps = [(place / 2).flatten(1, 2)[coarse], soft[coarse], inside[coarse], F.pixel_unshuffle(moved, STEP)]
        x = torch.cat(maps, 1).to(self.unet.conv_in.weight.dtype)
        pose = torch.cat([pose_vector(source_pose), pose_vector(target_pose)], 1).to(x.dtype)
        out = self.unet(x.contiguous(memory_format=torch.channels_last), pose)[0].float()
        edge = F.pixel_shuffle(out[:, 14 * STEP**2 :], 4)
        out = F.pixel_shuffle(out[:, : 14 * STEP**2], STEP)  # (B,14,H/2,W/2)
        chosen = torch.softmax(score + CHOICE * out[:, 4:], 1)
        scale = RESIDUAL * body_size(source_pose)[:, :, None, None]
        position = (position * chosen[:, :, None]).sum(1) + scale * out[:, :2]
        limits = position.new_tensor([size[1], size[0]])[:, None, None]
        position = torch.minimum(position.clamp(min=-FAR_OUTSIDE), limits + FAR_OUTSIDE)
        return Places(position, out[:, 2:3], out[:, 3:4], edge)

    def joined(
        self,
        body: Places,
        head: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        frames: list[torch.Tensor],
        both: torch.Tensor,
    ) -> Places:
        """The places of the whole picture, those of the head's window softly among them, where both poses have a head.

        Args:
            body: of `body`.
            head: of `head`.
            frames, both: of `head_frames`.
        """
        whole = torch.cat([enlarged(x) for x in (body.position, body.shown, body.person)], 1)  # (B,4,H,W)
        place, shown, person = head
        y, x = torch.meshgrid(*(torch.arange(n, device=whole.device).to(whole) for n in whole.shape[2:]), indexing="ij")
        at = in_frame(inverse_frames(frames[1]), torch.stack([x, y]).expand(len(whole), -1, -1, -1))  # (B,2,H,W)
        of_head = torch.cat([in_frame(frames[0], place), shown, person], 1)
        # the grid's rows are u, along the box, its columns v
        grid = at.flip(1).permute(0, 2, 3, 1) / REACH
        of_head = F.grid_sample(of_head, grid, mode="bilinear", padding_mode="border", align_corners=True)
        distance = at.abs().amax(1, keepdim=True)
        share = ((REACH - distance) / (REACH - BLEND)).clamp(0, 1) * both[:, None, None, None]
        return Places(*torch.lerp(whole, of_head, share).split([2, 1, 1], 1), body.edge)


def head_frames(
    source_pose: torch.Tensor, target_pose: torch.Tensor, height: int
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Frames (B,2,3) of the source's and the target's head; whether there are both (B,)."""
    frames, there = zip(*(part_frames(pose, height) for pose in (source_pose, target_pose)), strict=True)
    return [frame[:, HEAD_PART] for frame in frames], (there[0] & there[1])[:, HEAD_PART]


def in_frame(frames: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Affine maps (B,2,3) of points (B,2,h,w)."""
    # no product of matrices, which autocast would take in half precision: that is half a pixel off
    x, y, one = frames[..., None, None].unbind(2)  # (B,2,1,1) each
    return x * points[:, :1] + y * points[:, 1:] + one


def enlarged(x: torch.Tensor) -> torch.Tensor:
    """(B,C,h,w) of every second pixel -> (B,C,2h,2w), the pixels between by halves."""
    height, width = x.shape[2:]
    x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    x = F.interpolate(x, size=(2 * height + 1, 2 * width + 1), mode="bilinear", align_corners=True)
    return x[:, :, :-1, :-1]


def pose_vector(pose: torch.Tensor) -> torch.Tensor:
    """What of a pose (B,18,3) doesn't depend on size and place: joints from the neck in body sizes, which are there,
    signed widths of shoulders and hips; (B,56)."""
    size = body_size(pose)
    relative = (pose[..., :2] - pose[:, 1:2, :2]) / size[:, None] * pose[..., 2:]
    widths = torch.stack([pose[:, 5, 0] - pose[:, 2, 0], pose[:, 11, 0] - pose[:, 8, 0]], 1) / size
    return torch.cat([torch.cat([relative, pose[..., 2:]], -1).flatten(1), widths], 1).clamp(-8, 8)


def _face(pose: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """The face's keypoints in the head's frame, and which are there; (B,15)."""
    seen = pose[:, FACE, 2:]
    points = in_frame(inverse_frames(frame), pose[:, FACE, :2].transpose(1, 2)[..., None])[..., 0].transpose(1, 2)
    return torch.cat([points.clamp(-4, 4) * seen, seen], -1).flatten(1)
