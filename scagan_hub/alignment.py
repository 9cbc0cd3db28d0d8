"""Limb alignment: where in the source each pixel of the target pose comes from, without learning.

The paper aligns edges in advance and leaves colour to a global style. With keypoints on both sides colour and
texture can be aligned in advance too: the body is ten parts (torso, head, upper and lower limbs), each a box
round its bone in either picture, and the source is sampled where the target's box maps into the source's box.
"""

import torch
import torch.nn.functional as F

# Rows of the joint table that `_body_joints` returns: 0-17 are the keypoints, then
HEAD, CROWN, CHEST, PELVIS = 18, 19, 20, 21
_FACE = [0, 14, 15, 16, 17]

# Drawn in this order, later over earlier: from joint, to joint, half width in body sizes.
_PARTS = [
    (8, 9, 0.16), (9, 10, 0.12), (11, 12, 0.16), (12, 13, 0.12), (CHEST, PELVIS, 0.22),
    (2, 3, 0.11), (3, 4, 0.09), (5, 6, 0.11), (6, 7, 0.09), (HEAD, CROWN, 0.30),
]  # fmt: skip
_FROM, _TO, _HALF_WIDTH = (list(column) for column in zip(*_PARTS, strict=True))
_TORSO, _HEAD = 4, 9
_BEFORE, _AFTER = 0.5, 0.9  # how far a limb's box goes beyond its bone, in half widths
_WIDEN = 1.22  # the torso is wider and longer than its four joints
_HEAD_UP, _HEAD_HALF_HEIGHT = 0.03, 0.42  # in body sizes


def _mean(points, present, joints):
    weight = present[:, joints, None].to(points.dtype)
    return (points[:, joints] * weight).sum(1) / weight.sum(1).clamp_min(1)  # (B, 2)


def _body_size(points, present):
    """Neck level to hip level in pixels (B,); else from the shoulders, else a person of usual size."""
    spine = (points[:, CHEST] - points[:, PELVIS]).norm(dim=1)
    shoulders = 1.5 * (points[:, 2] - points[:, 5]).norm(dim=1)
    size = torch.where(present[:, [2, 5]].all(1), shoulders, torch.full_like(shoulders, 60.0))
    return torch.where(present[:, [2, 5, 8, 11]].all(1), spine, size).clamp_min(1)


def _body_joints(pose):
    """(B,18,3) keypoints -> points (B,22,2), present (B,22), body size (B,)."""
    points, present = pose[..., :2].float(), pose[..., 2] > 0
    head, chest, pelvis = (_mean(points, present, joints) for joints in (_FACE, [2, 5], [8, 11]))
    points = torch.cat([points, torch.stack([head, head, chest, pelvis], 1)], 1)
    has_head = present[:, _FACE].any(1) & present[:, 1]
    has_torso = present[:, [2, 5, 8, 11]].all(1)
    present = torch.cat([present, torch.stack([has_head, has_head, has_torso, has_torso], 1)], 1)
    return points, present, _body_size(points, present)


def part_frames(pose):
    """The box of each of the ten parts.

    Args:
        pose: (B,18,3) keypoints x, y, confidence in pixels; confidence 0 = missing.

    Returns:
        frames (B,10,2,3): columns are half the box along the bone, half the box across it, and its centre, in
        pixels, so that `frame @ (a, c, 1)` for a, c in [-1, 1] runs over the box; present (B,10).
    """
    points, present, size = _body_joints(pose)
    start, end = points[:, _FROM], points[:, _TO]  # (B,10,2)
    length = (end - start).norm(dim=2, keepdim=True)
    along = (end - start) / length.clamp_min(1e-3)
    across = torch.stack([-along[..., 1], along[..., 0]], 2)
    half = size[:, None, None] * points.new_tensor(_HALF_WIDTH)[:, None]  # (B,10,1)
    centre = (start + end) / 2 + along * half * (_AFTER - _BEFORE) / 2
    along = along * (length / 2 + half * (_AFTER + _BEFORE) / 2)
    frames = torch.stack([along, across * half, centre], 3)

    spread = (points[:, 5] + points[:, 11] - points[:, 2] - points[:, 8]) / 4
    torso = torch.stack(
        [(end - start)[:, _TORSO] / 2 * _WIDEN, spread * _WIDEN, (start + end)[:, _TORSO] / 2], 2
    )
    frames[:, _TORSO] = _keep_wide(torso, half[:, _TORSO])

    up, right = points.new_tensor([0.0, -1.0]), points.new_tensor([1.0, 0.0])
    centre = points[:, HEAD] + up * _HEAD_UP * size[:, None]
    frames[:, _HEAD] = torch.stack(
        [up * _HEAD_HALF_HEIGHT * size[:, None], right * half[:, _HEAD], centre], 2
    )
    return frames, present[:, _FROM] & present[:, _TO]


def _keep_wide(torso, half):
    """A torso seen from the side is as thick as a body, not as narrow as its joints."""
    along, across, centre = torso.unbind(2)
    normal = F.normalize(torch.stack([along[:, 1], -along[:, 0]], 1), dim=1)
    wide = (across * normal).sum(1, keepdim=True)
    missing = torch.where(wide < 0, -half, half) - wide
    across = across + normal * torch.where(wide.abs() < half, missing, torch.zeros_like(missing))
    return torch.stack([along, across, centre], 2)


def _inverse(frames):
    """The affine maps (…,2,3) that undo `frames`."""
    a, b, c, d = frames[..., 0, 0], frames[..., 0, 1], frames[..., 1, 0], frames[..., 1, 1]
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-6, torch.full_like(determinant, 1e-6), determinant)
    linear = torch.stack([d, -b, -c, a], -1).unflatten(-1, (2, 2)) / determinant[..., None, None]
    return torch.cat([linear, -linear @ frames[..., 2:]], -1)


def _compose(outer, inner):
    """outer after inner, both (…,2,3)."""
    linear = outer[..., :2]
    return torch.cat([linear @ inner[..., :2], linear @ inner[..., 2:] + outer[..., 2:]], -1)


def sampling_map(source_pose, target_pose, size):
    """Where in the source each target pixel is taken from.

    Args:
        source_pose, target_pose: (B,18,3) keypoints x, y, confidence in pixels.
        size: (H, W) of the picture.

    Returns:
        position (B,H,W,2): x, y in source pixels, pixel centres at integers; mask (B,H,W) bool: where a
        part is drawn. Outside the mask the position means nothing.
    """
    height, width = size
    source, in_source = part_frames(source_pose)
    target, in_target = part_frames(target_pose)
    to_box = _inverse(target)  # (B,10,2,3)
    to_source = _compose(source, to_box)
    drawn = in_source & in_target
    # A part that is not drawn is moved out of its own box.
    to_box = torch.cat([to_box[..., :2], torch.where(drawn[..., None, None], to_box[..., 2:], 1e9)], -1)

    columns = torch.arange(width, device=source.device, dtype=source.dtype)
    rows = torch.arange(height, device=source.device, dtype=source.dtype)[:, None]
    part = torch.zeros(source.shape[0], height, width, dtype=torch.int64, device=source.device)
    for index in range(len(_PARTS)):
        x, y, one = to_box[:, index, :, None, None].unbind(-1)  # each (B,2,1,1)
        along, across = (x * columns + (y * rows + one)).unbind(1)  # (B,H,W)
        if index == _HEAD:
            inside = along.square() + across.square() < 1
        else:
            inside = torch.maximum(along.abs(), across.abs()) < 1
        part = torch.where(inside, index + 1, part)

    batch = torch.arange(part.shape[0], device=part.device)[:, None, None] * len(_PARTS)
    table = to_source.flatten(0, 1).flatten(1)  # (B*10, 6)
    a, b, c, d, e, f = F.embedding(batch + (part - 1).clamp_min(0), table).unbind(-1)  # (B,H,W)
    position = torch.stack([a * columns + b * rows + c, d * columns + e * rows + f], -1)
    return position, part > 0


def sample(image, position):
    """Bilinear sampling of image (B,C,H,W) at position (B,H,W,2) in pixels; borders are repeated."""
    height, width = image.shape[-2:]
    scale = position.new_tensor([2 / width, 2 / height])
    grid = position * scale + (scale / 2 - 1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
