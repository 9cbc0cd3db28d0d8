"""What people wear: which garments go together, and garments cut from the base mesh's own helper geometry.

A cut garment is a part of `helper-tights` or `helper-skirt`: cloth where a field over the vertices is positive. The
edge is decided per sample, so hems are smooth whatever the mesh's resolution. Loose ones hang from what sticks out.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .body import Skeleton

TOPS = {
    "male": ["male_casualsuit02", "male_casualsuit03", "male_casualsuit04", "male_casualsuit05"],
    "female": ["female_casualsuit01", "female_casualsuit02", "female_elegantsuit01"],
}
BOTTOMS = {
    "male": ["male_casualsuit02", "male_casualsuit03", "male_casualsuit04", "male_casualsuit05"],
    "female": ["female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01"],
}
WHOLE = {"male": ["male_casualsuit01", "male_elegantsuit01"], "female": []}
SHOES = ["shoes01", "shoes02", "shoes04", "shoes05", "shoes06"]
WITH_SHIRT = ("male_elegantsuit01",)  # a white shirt under it, in the same texture
# Worn only in the split "test-garments": each of its people wears one of these tops or outfits, and these shoes.
HELD_OUT = ["male_worksuit01", "male_casualsuit06"]
HELD_OUT_SHOES = ["shoes03"]
HAIR = {
    "male": ["short01", "short02", "short03", "short04", "afro01"],
    "female": ["bob01", "bob02", "braid01", "long01", "ponytail01", "short04", "afro01"],
}
SHORT_LEGS = ("female_casualsuit02", "female_elegantsuit01")  # their bottoms end above the ankle
# Tops whose texture has a pattern, or whose make wants none.
PATTERNED = ("female_elegantsuit01", "male_casualsuit04", "male_casualsuit01", "male_elegantsuit01")


@dataclass
class Cut:
    """A garment cut from the base mesh: the part `group`, cloth where `edge` > 0, pushed out by `push` dm."""

    name: str
    kind: str  # top, bottom
    group: str
    edge: np.ndarray
    push: float
    hem: float  # height (dm above the pelvis) of its lower end
    loose: float = 0.0  # 0 hugs the body, 1 hangs straight from what sticks out above


@dataclass
class Worn:
    """A garment of the inventory, or its "top" or "bottom" alone."""

    name: str
    kind: str  # top, bottom, all


@dataclass
class Outfit:
    """Garments from the inner to the outer."""

    garments: list[Worn | Cut]
    bare_legs: bool = False

    def kinds(self) -> list[str]:
        """Of "bottom" and "top", those that are worn."""
        worn = {garment.kind for garment in self.garments}
        return [kind for kind in ("bottom", "top") if worn & {kind, "all"}]

    def has_pattern(self, kind: str) -> bool:
        """Whether the top is one of PATTERNED."""
        return kind == "top" and any(g.name in PATTERNED and g.kind != "bottom" for g in self.garments)

    def names(self) -> list[str]:
        return [f"{g.name} {g.kind}" if isinstance(g, Worn) else g.name for g in self.garments]


def choose(assets, rng, sex: str, held_out: bool) -> Outfit:
    """An outfit; in `held_out` ones the top or the whole is of HELD_OUT."""
    tailor = tailor_of(assets)
    if held_out:
        name = str(rng.choice(HELD_OUT))
        if name == "male_worksuit01":
            return Outfit([Worn(name, "all")])
        return Outfit([Worn(str(rng.choice([*BOTTOMS[sex], name])), "bottom"), Worn(name, "top")])
    if WHOLE[sex] and rng.random() < 0.14:
        return Outfit([Worn(str(rng.choice(WHOLE[sex])), "all")])
    if sex == "female" and rng.random() < 0.24:
        return tailor.dress(rng)
    if rng.random() < (0.34 if sex == "female" else 0.15):
        bottom = tailor.skirt(rng) if sex == "female" and rng.random() < 0.5 else tailor.legs(rng, sex)
        bare_legs = bottom.hem > -6.3
    else:
        bottom = Worn(str(rng.choice(BOTTOMS[sex])), "bottom")
        bare_legs = bottom.name in SHORT_LEGS
    top = tailor.top(rng, sex) if rng.random() < 0.5 else Worn(str(rng.choice(TOPS[sex])), "top")
    return Outfit([bottom, top], bare_legs)


SLEEVES = {"sleeveless": (-0.02, 0.03), "short": (0.24, 0.42), "half": (0.55, 0.75), "long": (0.93, 0.98)}
LEGS = {"shorts": (-3.4, -1.8), "cropped trousers": (-6.2, -5.0), "trousers": (-7.5, -7.2)}


class Tailor:
    """Cuts garments from the helper geometry."""

    def __init__(self, assets):
        joints = assets.rest_joints
        self.x, self.y, self.z = assets.vertices.T
        self.arm, self.along = np.zeros(len(self.x)), np.zeros(len(self.x))
        for side in "LR":
            shoulder, wrist = joints[f"upperarm01.{side}"], joints[f"wrist.{side}"]
            self.arm_length = np.linalg.norm(wrist - shoulder)
            here = (self.x > 0) == (side == "L")
            along = (assets.vertices - shoulder) @ ((wrist - shoulder) / self.arm_length)
            self.along = np.where(here, along, self.along)
            share = assets.side_share(side, "upperarm", "lowerarm", "wrist", "finger", "metacarpal")
            self.arm = np.maximum(self.arm, share)
        self.smooth_arm = _smooth(assets, "helper-tights", self.arm)

    def _bodice(self, hem, sleeve, neck, vee, strap) -> np.ndarray:
        """Cloth from `hem` up, along `sleeve` (share of the arm), below a neckline `neck` high that dips by `vee`."""
        on_arm = sleeve * self.arm_length - self.along + 7 * (1 - np.clip(self.arm * 1.15, 0, 1))
        if sleeve < 0.1:
            on_arm = 2.5 * (0.45 + sleeve - self.smooth_arm)
        front = np.clip(self.z + 0.2, 0, 1) * np.clip(1 - np.abs(self.x) / (0.6 + strap), 0, 1)
        neckline = np.maximum(np.hypot(self.x, self.z + 0.1) - (0.75 + strap), neck - vee * front - self.y)
        return np.minimum.reduce([self.y - hem, on_arm, 5.95 - self.y, neckline])

    def _sleeve(self, rng, shares) -> tuple[str, float]:
        name = str(rng.choice(list(SLEEVES), p=shares))
        return name, rng.uniform(*SLEEVES[name])

    def top(self, rng, sex: str) -> Cut:
        cropped = sex == "female" and rng.random() < 0.15
        hem = rng.uniform(1.4, 2.2) if cropped else rng.uniform(-0.35, 0.8)
        name, sleeve = self._sleeve(rng, [0.22, 0.36, 0.10, 0.32] if sex == "female" else [0.05, 0.5, 0.05, 0.4])
        vee = rng.uniform(0, 0.9) if sex == "female" else rng.uniform(0, 0.3)
        shape = self._bodice(hem, sleeve, rng.uniform(5.1, 5.6), vee, rng.uniform(0, 0.4) * (sex == "female"))
        label = f"cut {name} {'crop ' if cropped else ''}top"
        push = rng.uniform(0.05, 0.10)
        loose = rng.uniform(0.5, 1.0) if hem > 0.6 else 1.0
        return Cut(label, "top", "helper-tights", shape, push, hem, loose)

    def dress(self, rng) -> Outfit:
        name, sleeve = self._sleeve(rng, [0.42, 0.30, 0.08, 0.2])
        length = str(rng.choice(["short", "long"], p=[0.7, 0.3]))
        hem = rng.uniform(-3.9, -2.2) if length == "short" else rng.uniform(-6.6, -4.6)
        shape = self._bodice(1.3, sleeve, rng.uniform(4.8, 5.5), rng.uniform(0, 0.7), rng.uniform(0, 0.45))
        bodice = Cut(f"cut {length} {name} dress", "top", "helper-tights", shape, rng.uniform(0.05, 0.08), 1.3, 0.5)
        skirt = Cut("its skirt", "top", "helper-skirt", self.y - hem, 0.06, hem)
        return Outfit([skirt, bodice], bare_legs=True)

    def skirt(self, rng) -> Cut:
        length = str(rng.choice(["short", "long"], p=[0.6, 0.4]))
        hem = rng.uniform(-3.6, -2.0) if length == "short" else rng.uniform(-6.6, -4.2)
        shape = np.minimum(self.y - hem, 1.7 - self.y)
        return Cut(f"cut {length} skirt", "bottom", "helper-skirt", shape, 0.03, hem)

    def legs(self, rng, sex: str) -> Cut:
        name = str(rng.choice(list(LEGS), p=[0.3, 0.15, 0.55]))
        hem, waist = rng.uniform(*LEGS[name]), rng.uniform(1.4, 1.8)
        shape = np.minimum.reduce([self.y - hem, waist - self.y, np.where(self.arm > 0.02, -1.0, 9.0)])
        loose = rng.uniform(0.6, 1.0) if sex == "male" or rng.random() < 0.5 else 0.0
        name = name if loose else name.replace("trousers", "leggings")
        return Cut(f"cut {name}", "bottom", "helper-tights", shape, rng.uniform(0.02, 0.05), hem, loose)


tailor_of = lru_cache(1)(Tailor)


def _smooth(assets, group: str, values: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Values over the base mesh, averaged with their neighbours in a group's faces."""
    faces = assets.arrays["faces"][assets.group(group)]
    for _ in range(rounds):
        total, count = np.zeros(len(values)), np.zeros(len(values))
        np.add.at(total, faces, values[faces].mean(1, keepdims=True))
        np.add.at(count, faces, 1)
        values = np.where(count > 0, total / np.maximum(count, 1), values)
    return values


def loosen(body: Skeleton, placed: np.ndarray, rest: np.ndarray, weights: np.ndarray, loose: float) -> np.ndarray:
    """A tight garment (N,3) let hang from torso and legs."""
    bones = body.assets.bones

    def share(*prefixes):
        return weights[:, [i for name, i in bones.items() if name.startswith(prefixes)]].sum(1)

    arms, legs = share("upperarm", "lowerarm", "wrist", "shoulder01"), share("upperleg", "lowerleg", "foot")
    below_crotch = rest[:, 1] < -0.4
    middle = body.at("spine03")
    torso = (arms < 0.4) & ~below_crotch & (rest[:, 1] < 5.0)
    loosened = placed.copy()
    top = np.array([middle[0], placed[:, 1].max(), middle[2]])
    loosened[torso] = hang(placed[torso], top, np.array([0.0, -1, 0]), loose, taper=0.16)
    for side, sign in (("L", 1), ("R", -1)):
        leg = below_crotch & (rest[:, 0] * sign > 0) & (legs > 0.5)
        if leg.sum() > 20:
            hip, ankle = body.at(f"upperleg01.{side}"), body.at(f"foot.{side}")
            way = (ankle - hip) / np.linalg.norm(ankle - hip)
            fade = np.clip((-0.4 - rest[leg, 1:2]) / 1.0, 0, 1)
            loosened[leg] += fade * (hang(placed[leg], hip, way, loose, taper=0.075) - placed[leg])
    return loosened


def hang(vertices: np.ndarray, start: np.ndarray, way: np.ndarray, loose: float, taper: float) -> np.ndarray:
    """Let cloth hang: on each side of an axis its distance from it can only shrink by `taper` a dm of the way down,
    so that it spans the hollows below what sticks out.

    Args:
        vertices: (N,3); start, way: (3,) of the axis; loose in [0, 1].
    """
    down = (vertices - start) @ way
    axis = start + down[:, None] * way
    out = vertices - axis
    radius = np.linalg.norm(out, axis=1)
    sides, step = 28, 0.2
    side = np.floor((np.arctan2(out[:, 0], out[:, 2]) / (2 * np.pi) + 0.5) * sides).astype(int) % sides
    level = ((down - down.min()) / step).astype(int)
    reach = np.zeros((sides, level.max() + 1))
    np.maximum.at(reach, (side, level), radius)
    for widen in (np.maximum, np.maximum, np.minimum, np.minimum):  # span what is narrow, as cloth does
        reach = widen(np.roll(reach, 1, 0), widen(reach, np.roll(reach, -1, 0)))
    for n in range(1, reach.shape[1]):
        reach[:, n] = np.maximum(reach[:, n], reach[:, n - 1] - taper * step)
    for _ in range(3):  # smooth round the body, then along it
        reach = (np.roll(reach, 1, 0) + 2 * reach + np.roll(reach, -1, 0)) / 4
        reach[:, 1:-1] = (reach[:, :-2] + 2 * reach[:, 1:-1] + reach[:, 2:]) / 4
    new = np.maximum(radius, radius * (1 - loose) + loose * reach[side, level])
    return axis + out * (new / np.maximum(radius, 1e-6))[:, None]
