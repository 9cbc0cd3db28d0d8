"""Joins body, clothes and hair into one mesh, with the fields that shading and parsing read."""

from dataclasses import dataclass

import numpy as np

from ..data import PARSING
from .body import Assets, Skeleton

CLASS = {name: i for i, name in enumerate(PARSING)}
FOLDING = [f"{part}.{side}" for part in ("lowerarm01", "lowerleg01", "upperleg01") for side in "LR"]
ARM_BONES = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
CHEST, HIPS = 1, 2  # skin that clothes must cover


@dataclass
class Piece:
    """A part of the mesh before all are joined: quads and their uv, on the shaped body and on the base mesh."""

    kind: str  # skin, hair, brow, eye, top, bottom, shoes, socks
    vertices: np.ndarray
    rest: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    material: np.void
    texture: np.ndarray  # (512,512,4) float
    normal_map: np.ndarray | None = None
    cut: np.ndarray | None = None
    hanging: float = 0.0  # depth of hanging folds
    flared: bool = False  # a skirt, that goes round both legs


@dataclass
class Mesh:
    """Arrays over N vertices, T triangles and M materials; lengths in dm."""

    vertices: np.ndarray  # (N,3) float32
    weights: np.ndarray  # (N,bones)
    cut: np.ndarray  # (N,) cloth where positive
    bias: np.ndarray  # (N,) depth bias of inner layers
    folds: np.ndarray  # (N,2) depth of folds across and along at rest
    bends: np.ndarray  # (N,6) how much a bend of each of FOLDING adds to the folds across
    triangles: np.ndarray  # (T,3)
    uv: np.ndarray  # (T,3,2)
    weave: np.ndarray  # (T,3,2) round and along the limb
    label: np.ndarray  # (T,) parsing class
    bare: np.ndarray  # (T,) CHEST or HIPS where that skin is, else 0
    material: np.ndarray  # (T,)
    materials: np.ndarray  # (M,) of shading.MATERIAL
    textures: np.ndarray  # (M,512,512,4) uint8
    normal_maps: np.ndarray  # (K,512,512,4) uint8
    shown: np.ndarray  # (N,) whether a triangle has the vertex
    landmarks: dict[str, np.ndarray]  # vertices of the face's points, as in `Assets.landmarks`


def join(assets: Assets, pieces: list[Piece]) -> Mesh:
    """One mesh of `pieces`, the skin the last; triangles that the cut leaves nothing of are dropped."""
    counts = np.cumsum([0] + [len(p.vertices) for p in pieces])
    parts = [_triangles(p, start) for p, start in zip(pieces, counts[:-1], strict=True)]
    triangles, uv = (np.concatenate(x) for x in zip(*parts, strict=True))
    material = np.repeat(np.arange(len(pieces)), [len(t) for t, _ in parts])
    rest = np.concatenate([p.rest for p in pieces]).astype(np.float64)
    weights = np.concatenate([p.weights for p in pieces]).astype(np.float32)
    cut = np.concatenate([np.ones(len(p.vertices)) if p.cut is None else p.cut for p in pieces]).astype(np.float32)
    hanging = np.concatenate([np.full(len(p.vertices), p.hanging) for p in pieces])
    inner = np.concatenate([np.full(len(p.vertices), p.kind in ("bottom", "skin")) for p in pieces])
    whole = (cut[triangles] > 0).any(1)
    triangles, uv, material = triangles[whole], uv[whole], material[whole]
    limbs = Limbs(assets)
    part, along = limbs.locate(rest, weights)
    part[np.repeat([p.flared for p in pieces], [len(p.vertices) for p in pieces])] = Limbs.SKIRT
    maps = [p.normal_map for p in pieces if p.normal_map is not None]
    materials = np.array([p.material for p in pieces])
    materials["normal_map"] = np.cumsum([p.normal_map is not None for p in pieces]) - 1
    materials["normal_map"][[p.normal_map is None for p in pieces]] = -1
    label, bare = _labels([p.kind for p in pieces], material, rest[triangles].mean(1), weights, triangles, limbs)
    bias = inner * 0.3 * _ramp(rest[:, 1], -1, -0.2) * (np.abs(rest[:, 0]) < 2.4) * (rest[:, 1] < 2.6)
    shown = np.zeros(len(rest), bool)
    shown[triangles] = True
    kept = shown.copy()
    for index in assets.landmarks.values():
        kept[counts[-2] + index] = True
    number = np.cumsum(kept) - 1  # of the vertices that are kept
    return Mesh(
        vertices=np.concatenate([p.vertices for p in pieces])[kept].astype(np.float32),
        weights=weights[kept],
        cut=cut[kept],
        bias=bias[kept].astype(np.float32),
        folds=_resting_folds(rest, along, part, hanging)[kept],
        bends=limbs.bends(rest[kept]),
        triangles=number[triangles].astype(np.int32),
        uv=uv.astype(np.float32),
        weave=limbs.weave(rest, triangles, part),
        label=label,
        bare=bare,
        material=material.astype(np.int32),
        materials=materials,
        textures=np.stack([_bytes(p.texture) for p in pieces]),
        normal_maps=np.stack([_bytes(m) for m in maps]) if maps else np.zeros((1, 1, 1, 4), np.uint8),
        shown=shown[kept],
        landmarks={name: number[counts[-2] + index] for name, index in assets.landmarks.items()},
    )


def _triangles(piece: Piece, start: int) -> tuple[np.ndarray, np.ndarray]:
    corners, uv = halves(piece.faces), halves(piece.face_uv)
    real = (corners[:, 0] != corners[:, 2]) & (corners[:, 1] != corners[:, 2])
    return corners[real] + start, piece.uv[uv[real]]


def _bytes(texture: np.ndarray) -> np.ndarray:
    return (np.clip(texture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _ramp(x, low: float, high: float):
    return np.clip((x - low) / (high - low), 0, 1)


def _bump(x, centre: float, width: float):
    return np.exp(-(((x - centre) / width) ** 2))


def _resting_folds(rest, along, part, hanging) -> np.ndarray:
    """(N,2): cloth bunches above its cuffs and at the waist, and hangs more freely the lower it is."""
    y = rest[:, 1]
    across = np.where(part == Limbs.ARM, 0.016 + 0.018 * _ramp(along, 2.0, 3.6), 0.014 + 0.026 * _bump(y, 1.3, 1.1))
    across = np.where(part == Limbs.LEG, 0.010 + 0.028 * _ramp(-y, 5.2, 7.2), across)
    down = np.where((part == Limbs.TORSO) | (part == Limbs.SKIRT), 0.35 + 0.65 * _ramp(-y, -3.8, 3.0), 0.3)
    return np.stack([across, hanging * down], 1).astype(np.float32)


def _labels(kinds, material, centre, weights, triangles, limbs) -> tuple[np.ndarray, np.ndarray]:
    """(T,) parsing class, and (T,) CHEST or HIPS for the skin that must be covered."""
    classes = dict(hair="hair", brow="face", eye="face", top="top", bottom="bottom", shoes="shoes", socks="shoes")
    label = np.array([CLASS[classes.get(kind, "legs")] for kind in kinds], np.uint8)[material]
    skin = np.array([kind == "skin" for kind in kinds])[material]
    on_arm = limbs.arm_share(weights)[triangles].mean(1) > 0.5
    face = (centre[:, 1] > 5.8) & (np.abs(centre[:, 0]) < 1.6)
    label[skin & face] = CLASS["face"]
    label[skin & on_arm & (np.abs(centre[:, 0]) > 1.7)] = CLASS["arms"]
    return label, np.where(skin, private_parts(centre), 0).astype(np.uint8)


def private_parts(centre: np.ndarray) -> np.ndarray:
    """(T,) CHEST, HIPS or 0 of triangles of the skin by their centres on the base mesh."""
    x, y, _ = centre.T
    chest, hips = (y > 3.3) & (y < 4.3), (y > -0.7) & (y < 0.6)
    return np.where(np.abs(x) < 1.7, CHEST * chest + HIPS * hips, 0)


def halves(quads: np.ndarray) -> np.ndarray:
    """(2F,3) triangles of (F,4) quads."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


class Limbs:
    """Where on torso, arms and legs a point of the base mesh is: cloth folds and is patterned along limbs."""

    TORSO, ARM, LEG, SKIRT = range(4)
    ROUND = np.array([1.75, 0.5, 0.8, 1.6])  # dm a radian round each

    def __init__(self, assets: Assets):
        self.joints, self.bones = assets.rest_joints, assets.bones

    def arm_share(self, weights) -> np.ndarray:
        return weights[:, [i for name, i in self.bones.items() if name.startswith(ARM_BONES)]].sum(1)

    def locate(self, rest, weights) -> tuple[np.ndarray, np.ndarray]:
        """(N,) TORSO, ARM or LEG, and (N,) dm along: down the arm from the shoulder, height elsewhere."""
        part = np.where(self.arm_share(weights) > 0.5, self.ARM, self.TORSO)
        legs = weights[:, [i for n, i in self.bones.items() if n.startswith(("upperleg", "lowerleg", "foot"))]].sum(1)
        part = np.where((legs > 0.6) & (rest[:, 1] < 0) & (np.abs(rest[:, 0]) > 0.1), self.LEG, part)
        axis, _ = self._axes(rest, np.full(len(rest), self.ARM))
        along = ((rest - self._start(rest, "upperarm01")) * axis).sum(1)
        return part, np.where(part == self.ARM, along, rest[:, 1])

    def _start(self, rest, bone: str) -> np.ndarray:
        left = (rest[:, 0] > 0)[:, None]
        return np.where(left, self.joints[f"{bone}.L"], self.joints[f"{bone}.R"])

    def _axes(self, rest, part) -> tuple[np.ndarray, np.ndarray]:
        """(N,3) direction of the limb's axis and (N,3) a point on it."""
        axis, start = np.zeros_like(rest), np.zeros_like(rest)
        axis[:, 1] = -1
        for kind, first, last in ((self.ARM, "upperarm01", "wrist"), (self.LEG, "upperleg01", "foot")):
            here = part == kind
            start[here] = self._start(rest[here], first)
            way = self._start(rest[here], last) - start[here]
            axis[here] = way / np.linalg.norm(way, axis=1, keepdims=True)
        return axis, start

    def weave(self, rest, triangles, part) -> np.ndarray:
        """(T,3,2) dm round the limb, from its outer side (torso: from the middle of front and back panel), and along
        it; sleeves go on from the shoulder's height. Panels meet in seams, as sewn ones do."""
        kind = np.sort(part[triangles], axis=1)[:, 1]
        corner = rest[triangles]
        centre = corner.mean(1)
        axis, start = self._axes(centre, kind)
        out = corner - start[:, None]
        outward = np.where((kind == self.ARM) | (kind == self.LEG), np.sign(centre[:, 0]), 0.0)
        first = np.stack([outward, 1.0 * (kind == self.ARM), 1.0 * (outward == 0)], 1)
        first -= axis * (first * axis).sum(1, keepdims=True)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second = np.cross(first, axis)
        angle = np.arctan2((out * second[:, None]).sum(2), (out * first[:, None]).sum(2))
        angle = np.where((outward == 0)[:, None] & (centre[:, 2:] < 0), angle % (2 * np.pi) - np.pi, angle)
        angle = angle[:, :1] + (angle - angle[:, :1] + np.pi) % (2 * np.pi) - np.pi
        flat = np.arcsin(np.clip(corner[..., 0] / self.ROUND[self.TORSO], -0.999, 0.999))  # warp threads hang straight
        angle = np.where((kind == self.TORSO)[:, None], flat, angle) + 7.0 * (centre[:, 2:] < 0)
        sleeve = 5.3 - ((corner - start[:, None]) * axis[:, None]).sum(2)
        height = np.where((kind == self.ARM)[:, None], sleeve, corner[..., 1])
        return np.stack([angle * self.ROUND[kind][:, None], height], 2).astype(np.float32)

    def bends(self, rest) -> np.ndarray:
        """(N,6) near each joint of FOLDING, fading along the limb."""
        fields = []
        for joint in FOLDING:
            near = np.linalg.norm(rest - self.joints[joint], axis=1)
            fields.append(_bump(near, 0, 1.0 if joint.startswith("lowerarm") else 1.5))
        return np.stack(fields, 1).astype(np.float32)


def bend_angles(skeleton: Skeleton, places: np.ndarray) -> np.ndarray:
    """(6,) how far each joint of FOLDING is bent, 0 straight to 1 a right angle and more."""
    at = dict(zip(skeleton.assets.bones, places, strict=True))
    bent = []
    for joint in FOLDING:
        part, side = joint[:-4], joint[-1]
        before, after = {
            "lowerarm": (f"upperarm01.{side}", f"wrist.{side}"),
            "lowerleg": (f"upperleg01.{side}", f"foot.{side}"),
            "upperleg": ("spine03", f"lowerleg01.{side}"),
        }[part]
        a, b = at[joint] - at[before], at[after] - at[joint]
        cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        bent.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))) / 90)
    return np.clip(np.array(bent), 0, 1)
