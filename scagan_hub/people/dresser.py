"""Dresses a body: garments, shoes, hair and skin as pieces of a mesh, each with its material and texture."""

import numpy as np

from . import colours, wardrobe
from .body import Assets, Skeleton, normals
from .mesh import Piece, halves
from .raster import CUTOUT, HASHED, OPAQUE
from .shading import EYE, HAIR, MATERIAL, SKIN

SHARE_PLAIN = {"top": 0.5, "bottom": 0.88}  # of cloth that may have a pattern
SOCK_VERTICES = 144  # by which the socks that shoes come with are known among their components


def _material(**values) -> np.void:
    material = np.zeros((), MATERIAL)
    defaults = {"normal_map": -1, "first": 1, "second": 1, "scale": 1, "gloss": 10, "softness": 1}
    for name, value in (defaults | values).items():
        material[name] = value
    return material


class Dresser:
    """Collects a person's pieces, and which of the skin they hide."""

    def __init__(self, assets: Assets, rng, body: np.ndarray):
        self.assets, self.rng, self.body = assets, rng, body
        self.pieces: list[Piece] = []
        self.hidden = np.zeros(len(body), bool)

    def dress(self, outfit: wardrobe.Outfit, dyes: dict[str, str]) -> dict[str, str]:
        """Put the garments on, dyed by kind (top, bottom); returns what each kind worn looks like, in words."""
        cloth, looks = {}, {}
        for kind in outfit.kinds():
            cloth[kind] = _material(specular=0.012, gloss=12, softness=self.rng.uniform(0.7, 1.3))
            below = looks.get("bottom", "plain")  # one pattern is enough
            plain = SHARE_PLAIN[kind] if "plain" in below and not outfit.has_pattern(kind) else 1.0
            looks[kind] = f"{dyes[kind]} {colours.dye(self.rng, cloth[kind], dyes[kind], plain)}"
        if len(set(dyes.values())) == 1 and len(looks) == 2:
            cloth["top"], looks["top"] = cloth["bottom"], looks["bottom"]
        for garment in outfit.garments:
            if isinstance(garment, wardrobe.Cut):
                self._cut(garment, cloth[garment.kind])
            else:
                self._worn(garment, cloth)
        return looks

    def _worn(self, garment: wardrobe.Worn, cloth: dict) -> None:
        assets, name = self.assets, garment.name
        placed, rest, weights = self._fitted(name)
        faces, component = assets.item(name, "faces"), assets.item(name, "component")
        low = _of_the_bottom(rest[:, 1], component)
        hides, hider = assets.hidden_by(name)
        for kind, chosen in (("bottom", low), ("top", ~low)):
            if garment.kind not in (kind, "all") or not chosen[component[faces[:, 0]]].any():
                continue
            own = chosen[component[faces[:, 0]]]
            self.hidden[hides[chosen[hider]]] = True
            push = 0.10 if kind == "top" else 0.0
            out = push * normals(placed, halves(faces[own])) * np.clip(2.2 - rest[:, 1:], 0.35, 1)[:, :1]
            placed_out = placed + out * (np.abs(rest[:, :1]) < 2.6)
            self._add_item(kind, name, (placed_out, rest, weights), own, cloth[kind])

    def _add_item(self, kind: str, name: str, fitted: tuple, own: np.ndarray, material) -> None:
        """The faces `own` (a mask) of an item, as cloth."""
        assets = self.assets
        printed = kind != "top" or name in wardrobe.PATTERNED or self.rng.random() < 0.25
        strength = 0.6 if printed else 0.12
        if material["first"].min() > 0.6:  # what is faded on denim is dirt on white
            strength *= 0.4
        uv, face_uv = assets.item(name, "uv"), assets.item(name, "face_uv")[own]
        roles = assets.items[name]["textures"]
        white = 2.2 if name in wardrobe.WITH_SHIRT else np.inf
        texture = _detail(assets, roles, uv[np.unique(face_uv)], strength, white)
        normal_map = assets.texture(roles["normal"]) if "normal" in roles else None
        faces = assets.item(name, "faces")[own]
        self.pieces.append(Piece(kind, *fitted, faces, uv, face_uv, material, texture, normal_map, hanging=0.02))

    def _cut(self, cut: wardrobe.Cut, material) -> None:
        assets = self.assets
        faces = assets.arrays["faces"][assets.group(cut.group)]
        own, local = np.unique(faces, return_inverse=True)
        local = local.reshape(faces.shape)
        rest, placed = assets.vertices[own], self.body[own].astype(np.float64)
        skirt = cut.group == "helper-skirt"
        sleeves = 0.09 * cut.loose * assets.share("upperarm02", "lowerarm")[own, None]
        placed += (cut.push + sleeves) * normals(placed, halves(local))
        if cut.loose:
            placed = wardrobe.loosen(Skeleton(assets, self.body), placed, rest, assets.weights[own], cut.loose)
        plain = np.full((512, 512, 4), 2 / 3, np.float32)
        hanging = 0.05 if skirt else 0.01 + 0.02 * cut.loose
        no_uv = np.zeros((1, 2), np.float32)
        self.pieces.append(
            Piece(
                cut.kind, placed, rest, assets.weights[own], local, no_uv, np.zeros_like(local), material, plain,
                cut=cut.edge[own], hanging=hanging, flared=skirt,
            )
        )  # fmt: skip
        if skirt:
            legs = assets.share("upperleg", "lowerleg", "pelvis", "spine05", "spine04", "root") > 0.5
            height = assets.vertices[:, 1]
            self.hidden |= (height > cut.hem + 0.3) & (height < 1.3) & legs
        else:
            self.hidden |= cut.edge > 0.18

    def shoes(self, name: str, bare_legs: bool) -> bool:
        """Shoes, and socks where they show; returns whether there are socks."""
        assets, rng = self.assets, self.rng
        fitted = self._fitted(name)
        component = assets.item(name, "component")[assets.item(name, "faces")[:, 0]]
        sock = np.isin(component, np.flatnonzero(np.bincount(assets.item(name, "component")) == SOCK_VERTICES))
        socks = bool(sock.any()) and bare_legs and rng.random() < 0.4
        colour = str(rng.choice(colours.SHOES))
        leather = _material(specular=0.05, gloss=30, softness=0.0)
        colours.dye(rng, leather, colour, plain=1.0)
        self._add_item("shoes", name, fitted, ~sock, leather)
        if socks:
            wool = _material(specular=0.0, softness=0.6)
            colours.dye(rng, wool, str(rng.choice(["white", "black", "grey"])), plain=1.0)
            self._add_item("socks", name, fitted, sock, wool)
        hides = assets.item(name, "hides")
        self.hidden[hides if socks else hides[assets.vertices[hides, 1] < -7.35]] = True
        return socks

    def head(self, sex: str, age: str, ancestry: str) -> tuple[str, str]:
        """Hair, brows and eyes; returns the names of the hair and its colour."""
        assets, rng = self.assets, self.rng
        names = list(colours.HAIR_COLOURS)
        pick = "grey" if age == "old" else str(rng.choice(names[:6] if ancestry == "caucasian" else names[:3]))
        colour = np.array(colours.HAIR_COLOURS[pick]) * rng.uniform(0.8, 1.2)
        name = str(rng.choice(wardrobe.HAIR[sex]))
        placed, rest, weights = self._fitted(name)
        centre = placed[:, :1].mean()
        placed[:, 0] = centre + (placed[:, 0] - centre) * rng.uniform(0.98, 1.06)
        chin = 6.4 + self.body[:, 1].max() - assets.vertices[:, 1].max()
        below = placed[:, 1] < chin
        placed[below, 1] = chin + (placed[below, 1] - chin) * rng.uniform(0.6, 1.1)
        mirrored = rng.random() < 0.5  # the parting on the other side
        if mirrored:
            placed[:, 0] *= -1
            weights = weights[:, _other_side(assets.bones)]
        diffuse = assets.texture(assets.items[name]["textures"]["diffuse"])
        light = diffuse[..., :3] @ np.array([0.3, 0.59, 0.11], np.float32)
        opaque = diffuse[..., 3] > 0.5
        detail = np.clip(light / max(light[opaque].mean(), 0.02), 0.25, 1.8) ** 0.8
        texture = np.concatenate([np.clip(detail[..., None] * colour, 0, 1), diffuse[..., 3:]], 2)
        strands = _material(surface=HAIR, alpha_mode=HASHED, specular=0.03 + 0.06 * colour.mean(), gloss=40)
        self._piece("hair", name, placed, rest, weights, strands, texture)
        brow = f"eyebrow{rng.integers(1, 13):03d}"
        texture = assets.texture(f"{brow}_diffuse").copy()
        texture[..., :3] = colour * 0.7
        self._piece("brow", brow, *self._fitted(brow), _material(surface=HAIR, alpha_mode=HASHED), texture)
        eyes = str(rng.choice(list(colours.EYES), p=list(colours.EYES.values())))
        if ancestry != "caucasian":
            eyes = "brown_eye"
        eye = _material(surface=EYE, alpha_mode=CUTOUT, specular=0.25, gloss=60)
        self._piece("eye", "low-poly", *self._fitted("low-poly"), eye, assets.texture(f"low-poly_{eyes}"))
        return name + (" mirrored" if mirrored else ""), pick

    def _fitted(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """An item's vertices on this body and on the base mesh, and its skin weights."""
        assets = self.assets
        return assets.fit(name, self.body), assets.fit(name, assets.vertices), assets.item_weights(name)

    def _piece(self, kind, name, placed, rest, weights, material, texture) -> None:
        item = self.assets.item
        faces, uv, face_uv = item(name, "faces"), item(name, "uv"), item(name, "face_uv")
        self.pieces.append(Piece(kind, placed, rest, weights, faces, uv, face_uv, material, texture))

    def skin(self, sex: str, age: str, ancestry: str) -> None:
        """The skin that no garment hides, last of the pieces."""
        assets, rng = self.assets, self.rng
        texture = assets.texture(str(rng.choice(assets.items[f"{age}_{ancestry}_{sex}"]["textures"]))).copy()
        tone = rng.uniform(0.85, 1.1) * np.array([1, rng.uniform(0.96, 1.02), rng.uniform(0.92, 1.03)])
        texture[..., :3] *= tone.astype(np.float32)
        faces, face_uv = (assets.arrays[key][assets.group("body")] for key in ("faces", "face_uv"))
        seen = ~self.hidden[faces].all(1)
        material = _material(surface=SKIN, alpha_mode=OPAQUE, specular=0.035, gloss=18)
        self.pieces.append(
            Piece(
                "skin", self.body, assets.vertices, assets.weights, faces[seen], assets.arrays["uv"], face_uv[seen],
                material, texture,
            )
        )  # fmt: skip


def _of_the_bottom(height: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Which components of an outfit are its bottom: those that end at the waist, and dungarees beside a shirt."""
    span = [(height[component == c].min(), height[component == c].max()) for c in range(component.max() + 1)]
    trousers = np.array([lowest < -3 for lowest, _ in span])
    shirt = np.array([highest > 2.05 and lowest > 1 for lowest, highest in span])
    return np.array([highest < 2.05 for _, highest in span]) | (trousers & shirt.any())


def _other_side(bones: dict[str, int]) -> list[int]:
    swap = {"L": "R", "R": "L"}
    return [bones[name[:-1] + swap[name[-1]]] if name[-2:] in (".L", ".R") else i for name, i in bones.items()]


def _detail(assets: Assets, roles: dict[str, str], uv: np.ndarray, strength: float, white: float) -> np.ndarray:
    """(512,512,4) what a garment's texture says beside its colour: light and dark around 2/3, baked occlusion.

    Its alpha is how much it takes the dye; what is `white` times as light as the rest, a shirt under a suit, does not.
    """
    diffuse = assets.texture(roles["diffuse"])
    light = diffuse[..., :3] @ np.array([0.3, 0.59, 0.11], np.float32)
    size = len(light)
    at = np.clip((np.stack([1 - uv[:, 1], uv[:, 0]]) * size).astype(int), 0, size - 1)
    relative = light / max(float(np.median(light[at[0], at[1]])), 0.04)
    dyed = relative < white
    detail = np.where(dyed, 2 / 3 * np.clip(relative, 0.3, 1.5) ** strength, light)
    if "ao" in roles:
        detail = detail * (0.55 + 0.45 * assets.texture(roles["ao"])[..., 0])
    return np.concatenate([np.repeat(detail[..., None], 3, 2), dyed[..., None]], 2)
