"""Edge prior: how the source's pose enters the PCT-Net. Patches of its edges, at the target's joints."""

import torch

JOINTS = 18
NO_EDGE = -1.0  # the edge maps' background, as the nets see it


def patch_prior(edge: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor, radius: int) -> torch.Tensor:
    """Patches of the source's edges around its joints, at the target's joints: (B,18,H,W) in [-1, 1].

    Both windows are clipped at the borders together, so that a patch stays aligned on its joint.
    """
    height, width = edge.shape[-2:]
    source, target, present = _joint_pixels(source_pose, target_pose)
    offset = torch.arange(-radius, radius, device=edge.device)
    window = torch.stack(torch.meshgrid(offset, offset, indexing="xy"), -1)  # (2r,2r,2) x, y
    source, target = (joint[:, :, None, None] + window for joint in (source, target))  # (B,18,2r,2r,2)
    limit = window.new_tensor([width, height])
    inside = ((source >= 0) & (source < limit) & (target >= 0) & (target < limit)).all(-1)
    return _paste(edge, source, target, inside & present[:, :, None, None], NO_EDGE)


def release_prior(
    edge: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor, radius: int
) -> torch.Tensor:
    """The authors' form of `patch_prior`: (B,18,H,W) of bytes, inverted again, lines dark.

    The source window is clipped at the borders alone; the target window begins half its height and width
    before the joint, is clipped too, and takes the crop's values in reading order; the canvas starts at 1.
    """
    limit = source_pose.new_tensor([edge.shape[-1], edge.shape[-2]], dtype=torch.int64)
    source, target, present = _joint_pixels(source_pose, target_pose)
    source, target = source.clamp(min=0).minimum(limit - 1), target.clamp(min=0).minimum(limit - 1)
    source_start = (source - radius).clamp(min=0)
    source_size = (source + radius).minimum(limit) - source_start  # (B,18,2) width, height
    target_start = (target - source_size // 2).clamp(min=0)
    target_size = (target_start + source_size).minimum(limit) - target_start

    step = torch.arange(2 * radius, device=edge.device)
    window = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)  # (2r,2r,2) x, y
    source_start, source_size, target_start, target_size = (
        corner[:, :, None, None] for corner in (source_start, source_size, target_start, target_size)
    )
    inside = (window < target_size).all(-1) & present[:, :, None, None]
    place = window[..., 1] * target_size[..., 0] + window[..., 0]  # in reading order
    crop = torch.stack([place % source_size[..., 0], place // source_size[..., 0]], -1)
    edge = ((edge.float() + 1) * 127.5).round()
    return 255 - _paste(edge, source_start + crop, target_start + window, inside, 1.0)


def _joint_pixels(
    source_pose: torch.Tensor, target_pose: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The pixels (B,18,2) at which the heatmaps of both poses peak, and the joints (B,18) present in both."""
    source, target = (torch.ceil(pose[..., :2] - 0.5).long() for pose in (source_pose, target_pose))
    return source, target, (source_pose[..., 2] > 0) & (target_pose[..., 2] > 0)


def _paste(
    edge: torch.Tensor, source: torch.Tensor, target: torch.Tensor, inside: torch.Tensor, background: float
) -> torch.Tensor:
    """Copies edge (B,1,H,W) at pixels `source` to pixels `target` (B,18,h,w,2) of a canvas (B,18,H,W)."""
    batch, _, height, width = edge.shape
    plate = torch.arange(batch * JOINTS, device=edge.device).view(batch, JOINTS, 1, 1)
    nowhere = batch * JOINTS * height * width  # one cell more, for what falls outside
    take = (plate // JOINTS) * height * width + source[..., 1] * width + source[..., 0]
    put = plate * height * width + target[..., 1] * width + target[..., 0]
    canvas = edge.new_full((nowhere + 1,), background)
    canvas[torch.where(inside, put, nowhere)] = edge.flatten()[torch.where(inside, take, 0)]
    return canvas[:-1].view(batch, JOINTS, height, width)
