"""Limb alignment: where in the source each pixel of the target pose comes from, without learning.

The paper aligns edges in advance and leaves colour to a global style. With keypoints on both sides colour and
texture can be aligned in advance too: the body is ten parts (torso, head, upper and lower limbs), each a box
round its bone in either picture, and the source is sampled where the target's box maps into the source's box.
"""

import torch
import torch.nn.functional as F

# Rows of the joint table that `_body_joints` returns: 0-17 are the keypoints, then
HEAD, CROWN, CHEST, PELVIS = 18, 19, 20, 21
_FACE, _SHOULDERS, _HIPS = [0, 14, 15, 16, 17], [2, 5], [8, 11]
_NECK_TO_HEAD = 0.49  # all lengths are in body sizes: from neck level to hip level

# Joints that the picture's lower border may hide: joint, the joint it hangs from, distance.
_HANGING = [(8, 2, 1.0), (11, 5, 1.0), (9, 8, 0.84), (12, 11, 0.84), (10, 9, 0.85), (13, 12, 0.85)]

# Drawn in this order, later over earlier: from joint, to joint, half width.
_PARTS = [
    (8, 9, 0.16), (9, 10, 0.13), (11, 12, 0.16), (12, 13, 0.13), (CHEST, PELVIS, 0.22),
    (2, 3, 0.11), (3, 4, 0.08), (5, 6, 0.11), (6, 7, 0.08), (HEAD, CROWN, 0.30),
]  # fmt: skip
_FROM, _TO, _HALF_WIDTH = (list(column) for column in zip(*_PARTS, strict=True))
_TORSO, HEAD_PART = 4, 9
_BEFORE, _AFTER = 0.7, 0.9  # how far a limb's box goes beyond its bone, in half widths
_TORSO_LONGER, _TORSO_WIDER = 1.5, 1.22  # than its four joints
_HEAD_HALF_HEIGHT, _HEAD_UP = 0.42, 0.03

_BACKDROP_BANDS = 8

FAR, _REACH = 50.0, 3.0  # of `part_maps`, in half boxes


def part_frames(pose, height):
    """The box of each of the ten parts.

    Args:
        pose: (B,18,3) keypoints x, y, confidence in pixels; confidence 0 = missing.
        height: of the picture in pixels. A missing hip, knee or ankle that would hang below it is drawn as if
            it did; any other missing joint leaves its parts out.

    Returns:
        frames (B,10,2,3): columns are half the box along the bone, half the box across it, and its centre, in
        pixels, so that `frame @ (a, c, 1)` for a, c in [-1, 1] runs over the box; present (B,10) bool.
    """
    points, present, size = _body_joints(pose, height)
    start, end = points[:, _FROM], points[:, _TO]  # (B,10,2)
    length = (end - start).norm(dim=2, keepdim=True)
    along = (end - start) / length.clamp_min(1e-3)
    half = size[:, None] * points.new_tensor(_HALF_WIDTH)[:, None]  # (B,10,1)
    centre = (start + end) / 2 + along * half * (_AFTER - _BEFORE) / 2
    half_length = length / 2 + half * (_AFTER + _BEFORE) / 2
    frames = torch.stack([along * half_length, _turned(along) * half, centre], 3)
    frames[:, _TORSO] = _torso_frame(points, half[:, _TORSO])
    frames[:, HEAD_PART] = _head_frame(points, size)
    return frames, present[:, _FROM] & present[:, _TO]


def head_window(pose, height, reach, side):
    """A square of places round the head, upright.

    Args:
        pose: (B,18,3) keypoints x, y, confidence in pixels.
        height: of the picture in pixels.
        reach: half the window's size, in half sizes of the head's box.
        side: places a side.

    Returns:
        position (B,side,side,2): x, y in pixels, rows from the crown down; whether there is a head (B,) bool.
    """
    frames, there = part_frames(pose, height)
    line = torch.linspace(-reach, reach, side, device=frames.device)
    up, right = torch.meshgrid(-line, line, indexing="ij")
    along, across, centre = frames[:, HEAD_PART, None, None].unbind(-1)  # (B,1,1,2) each
    return along * up[..., None] + across * right[..., None] + centre, there[:, HEAD_PART]


def sampling_map(source_pose, target_pose, size):
    """Where in the source each target pixel is taken from.

    Args:
        source_pose, target_pose: (B,18,3) keypoints x, y, confidence in pixels.
        size: (H, W) of the picture.

    Returns:
        position (B,H,W,2): x, y in source pixels, pixel centres at integers; mask (B,H,W): 0 where no part is
        drawn (the position means nothing there), else from .5, a guess, to 1, shown by the source, see `trust`.
    """
    height, width = size
    source, in_source = part_frames(source_pose, height)
    target, in_target = part_frames(target_pose, height)
    with torch.autocast(source.device.type, enabled=False):  # half precision is a pixel or two off
        to_box = inverse_frames(target)  # (B,10,2,3): pixel -> [-1, 1] along and across the box
        to_source = _compose(source, to_box)
    drawn = (in_source & in_target & _spanned(source) & _spanned(target))[..., None]
    to_box[..., 2] = torch.where(drawn, to_box[..., 2], 1e9)  # far from its own box, a part is drawn nowhere

    columns = torch.arange(width, device=source.device, dtype=source.dtype)
    rows = torch.arange(height, device=source.device, dtype=source.dtype)[:, None]
    part = torch.full((len(source), height, width), -1, dtype=torch.int32, device=source.device)
    for index in range(len(_PARTS)):
        x, y, one = to_box[:, index, :, None, None].unbind(-1)  # each (B,2,1,1)
        along, across = (x * columns + (y * rows + one)).unbind(1)  # (B,H,W)
        distance = along * along + across * across if index == HEAD_PART else torch.maximum(along.abs(), across.abs())
        part = part.masked_fill(distance < 1, index)

    first = torch.arange(len(part), dtype=torch.int32, device=part.device)[:, None, None] * len(_PARTS)
    maps = F.embedding(first + part.clamp(min=0), to_source.flatten(0, 1).flatten(1))  # (B,H,W,6)
    x, y, one = maps.unflatten(-1, (2, 3)).unbind(-1)  # each (B,H,W,2)
    trusted = F.embedding(first + part.clamp(min=0), trust(source_pose, target_pose).view(-1, 1))[..., 0]
    return x * columns[:, None] + y * rows[..., None] + one, trusted * (part >= 0)


def part_maps(source_pose, target_pose, size, step):
    """What each part's box alone says of every `step`-th pixel of the target, for a net that chooses between them.

    Args:
        source_pose, target_pose: (B,18,3) keypoints x, y, confidence in pixels.
        size: (H, W) of the picture.
        step: pixels between rows and columns of the grid, which begins at pixel 0.

    Returns:
        place (B,10,2,h,w): along and across each box, -1 to 1 inside it, at most 3 to either side, 0 for parts that
        are not in both poses; distance (B,10,h,w) from the box's middle in the same units, `FAR` for parts that are
        not; position (B,10,2,h,w): x, y in source pixels, pixel centres at integers.
    """
    with torch.autocast(source_pose.device.type, enabled=False):
        source, in_source = part_frames(source_pose, size[0])
        target, in_target = part_frames(target_pose, size[0])
        known = in_source & in_target & _spanned(target) & _spanned(source)
        to_box = inverse_frames(target)[..., None, None]  # (B,10,2,3,1,1)
        columns = torch.arange(0, size[1], step, device=source.device, dtype=source.dtype)
        rows = torch.arange(0, size[0], step, device=source.device, dtype=source.dtype)[:, None]
        place = to_box[:, :, :, 0] * columns + to_box[:, :, :, 1] * rows + to_box[:, :, :, 2]  # (B,10,2,h,w)
        place = place.clamp(-_REACH, _REACH) * known[..., None, None, None]
        source = source[..., None, None]
        position = source[:, :, :, 0] * place[:, :, :1] + source[:, :, :, 1] * place[:, :, 1:] + source[:, :, :, 2]
        distance = place.abs().amax(2)
        distance[:, HEAD_PART] = place[:, HEAD_PART].norm(dim=1)
        return place, torch.where(known[..., None, None], distance, FAR), position


def _spanned(frames):
    """Whether boxes have an area: (B,10) of frames (B,10,2,3). A bone of no length, joint on joint, has none."""
    a, b, c, d = frames[..., 0, 0], frames[..., 0, 1], frames[..., 1, 0], frames[..., 1, 1]
    return (a * d - b * c).abs() > 1


def trust(source_pose, target_pose):
    """How far the source shows what the target needs of each part: (B,10), from .5 (a guess) to 1.

    A limb is a guess where the source's border hides one of its joints, the torso where one pose faces us and the
    other shows its back; the head's trust grows with the share of face points that both poses show or both hide.
    """
    seen, wanted = source_pose[..., 2] > 0, target_pose[..., 2] > 0
    shown = F.pad(seen, (0, 4), value=True)  # the head's and torso's own joints
    known = (shown[:, _FROM] & shown[:, _TO]).float()
    faces_us = [pose[:, 5, 0] > pose[:, 2, 0] for pose in (source_pose, target_pose)]
    known[:, _TORSO] = (faces_us[0] == faces_us[1]).float()
    known[:, HEAD_PART] = (seen[:, _FACE] == wanted[:, _FACE]).float().mean(1)
    return 0.5 + 0.5 * known


def sample(image, position, mode="bilinear"):
    """Sampling of image (B,C,H,W) at position (B,H,W,2) in pixels, "bilinear" or "bicubic"; borders are repeated."""
    height, width = image.shape[-2:]
    scale = position.new_tensor([2 / width, 2 / height])
    grid = position * scale + (scale / 2 - 1)
    return F.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=False)


def backdrop(image):
    """The colour behind the person, row by row (B,C,H,1), from the side columns of image (B,C,H,W).

    Medians of eight bands, and of five neighbouring bands against limbs that reach the border, interpolated.
    """
    sides = torch.cat([image[..., :3], image[..., -3:]], 3).float()  # (B,C,H,6)
    bands = [band.flatten(2).median(2).values for band in sides.tensor_split(_BACKDROP_BANDS, dim=2)]
    bands = F.pad(torch.stack(bands, 2), (2, 2), mode="replicate").unfold(2, 5, 1).median(3).values  # (B,C,8)
    return F.interpolate(bands, size=image.shape[2], mode="linear")[..., None].to(image.dtype)


def _body_joints(pose, height):
    """(B,18,3) keypoints -> points (B,22,2), present (B,22), body size (B,1)."""
    points, present = pose[..., :2].float().clone(), pose[..., 2] > 0
    size = _body_size(points, present)
    for joint, parent, distance in _HANGING:
        hanging = points[:, parent] + size * points.new_tensor([0.0, distance])
        hidden = ~present[:, joint] & present[:, parent] & (hanging[:, 1] > height - 1)
        points[:, joint] = torch.where(hidden[:, None], hanging, points[:, joint])
        present[:, joint] |= hidden

    chest, has_chest = points[:, _SHOULDERS].mean(1), present[:, _SHOULDERS].all(1)
    pelvis, has_pelvis = points[:, _HIPS].mean(1), present[:, _HIPS].all(1)
    head = chest + size * points.new_tensor([0.0, -_NECK_TO_HEAD])
    face, has_face = _mean(points, present, _FACE)
    head = torch.where(has_face[:, None], (head + face) / 2, head)
    points = torch.cat([points, torch.stack([head, head, chest, pelvis], 1)], 1)
    return points, torch.cat([present, torch.stack([has_chest, has_chest, has_chest, has_pelvis], 1)], 1), size


def body_size(pose):
    """Neck level to hip level in pixels (B,1) of a pose (B,18,3); see `_body_size`."""
    return _body_size(pose[..., :2].float(), pose[..., 2] > 0)


def _body_size(points, present):
    """Neck level to hip level in pixels (B,1); else from head and shoulders; else of a person in full view."""
    chest, pelvis = points[:, _SHOULDERS].mean(1), points[:, _HIPS].mean(1)
    spine = (chest - pelvis).norm(dim=1)
    shoulders = 1.5 * (points[:, 2] - points[:, 5]).norm(dim=1)
    face, has_face = _mean(points, present, _FACE)
    head = torch.where(has_face, (face - chest).norm(dim=1) / _NECK_TO_HEAD, 0.0)
    has_chest, has_pelvis = present[:, _SHOULDERS].all(1), present[:, _HIPS].all(1)
    size = torch.where(has_chest, torch.maximum(shoulders, head), 60.0)
    return torch.where(has_chest & has_pelvis, spine, size).clamp_min(1)[:, None]


def _mean(points, present, joints):
    """The mean (B,2) of those of `joints` that are present, and whether one is (B,)."""
    weight = present[:, joints, None].to(points.dtype)
    return (points[:, joints] * weight).sum(1) / weight.sum(1).clamp_min(1), present[:, joints].any(1)


def _torso_frame(points, half):
    """The least-squares parallelogram of shoulders and hips, seen from the side still as thick as a body."""
    along = (points[:, PELVIS] - points[:, CHEST]) / 2
    across = (points[:, 5] + points[:, 11] - points[:, 2] - points[:, 8]) / 4 * _TORSO_WIDER
    normal = F.normalize(_turned(-along), dim=1)
    width = (across * normal).sum(1, keepdim=True)  # negative in a view from behind
    wide = torch.where(width < 0, -1.0, 1.0) * width.abs().maximum(half)
    centre = (points[:, PELVIS] + points[:, CHEST]) / 2
    return torch.stack([along * _TORSO_LONGER, across + normal * (wide - width), centre], 2)


def _head_frame(points, size):
    """An upright ellipse."""
    up, right = points.new_tensor([0.0, -1.0]), points.new_tensor([1.0, 0.0])
    centre = points[:, HEAD] + up * _HEAD_UP * size
    return torch.stack([up * _HEAD_HALF_HEIGHT * size, right * _HALF_WIDTH[HEAD_PART] * size, centre], 2)


def _turned(vector):
    return torch.stack([-vector[..., 1], vector[..., 0]], -1)


def inverse_frames(frames):
    """The affine maps (…,2,3) that undo `frames`."""
    a, b, c, d = frames[..., 0, 0], frames[..., 0, 1], frames[..., 1, 0], frames[..., 1, 1]
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-6, 1e-6, determinant)
    linear = torch.stack([d, -b, -c, a], -1).unflatten(-1, (2, 2)) / determinant[..., None, None]
    with torch.autocast(frames.device.type, enabled=False):  # half precision is a pixel or two off
        return torch.cat([linear, -linear @ frames[..., 2:]], -1)


def _compose(outer, inner):
    """outer after inner, both (…,2,3)."""
    linear = outer[..., :2]
    return torch.cat([linear @ inner[..., :2], linear @ inner[..., 2:] + outer[..., 2:]], -1)
