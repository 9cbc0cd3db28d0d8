"""One person: who they are and what they wear; the same in all pictures of them."""

from dataclasses import dataclass

import numpy as np

from . import colours, wardrobe
from .body import Assets, Skeleton, macro_targets
from .dresser import Dresser
from .inventory import EXPRESSION
from .mesh import Mesh, join

AGES = {"young": (0.62, 0.0, 0.12), "middleage": (0.28, 0.2, 0.4), "old": (0.10, 0.5, 0.8)}  # share, lowest, highest
ANCESTRIES = ("african", "asian", "caucasian")


@dataclass
class Person:
    about: dict  # what the data set says of them
    mesh: Mesh
    skeleton: Skeleton
    body: np.ndarray  # (V,3) the shaped base mesh, unclothed and unposed
    seed: int


def make_person(assets: Assets, seed: int, held_out: bool = False) -> Person:
    """The person of a seed; `held_out` ones wear garments that others never do."""
    rng = np.random.default_rng([seed, held_out])
    sex = "male" if rng.random() < 0.42 else "female"
    ancestry = str(rng.choice(ANCESTRIES))
    age = str(rng.choice(list(AGES), p=[share for share, _, _ in AGES.values()]))
    body = _shape(assets, rng, sex, age, ancestry)
    outfit = wardrobe.choose(assets, rng, sex, held_out)
    dresser = Dresser(assets, rng, body)
    looks = dresser.dress(outfit, _dyes(rng, outfit, assets.skin_colour(f"{age}_{ancestry}_{sex}")))
    shoes = str(rng.choice(wardrobe.HELD_OUT_SHOES if held_out else wardrobe.SHOES))
    socks = dresser.shoes(shoes, outfit.bare_legs)
    hair, hair_colour = dresser.head(sex, age, ancestry)
    dresser.skin(sex, age, ancestry)
    about = {
        "sex": sex,
        "age": age,
        "ancestry": ancestry,
        "garments": "+".join(outfit.names()),
        "cloth": "+".join(looks.values()),
        "shoes": shoes + ("+socks" if socks else ""),
        "hair": hair,
        "hair_colour": hair_colour,
    }
    return Person(about, join(assets, dresser.pieces), Skeleton(assets, body), body, seed)


def _dyes(rng, outfit: wardrobe.Outfit, skin: np.ndarray) -> dict[str, str]:
    """Names of the colours of top and bottom; none that is worn is like the skin."""
    draw = colours.suit if outfit.garments[0].name in wardrobe.WITH_SHIRT else colours.pair
    while True:
        dyes = dict(zip(("top", "bottom"), draw(rng), strict=True))
        if not any(colours.like_skin(dyes[kind], skin) for kind in outfit.kinds()):
            return dyes


def _shape(assets: Assets, rng, sex: str, age: str, ancestry: str) -> np.ndarray:
    mix = {name: 0.8 if name == ancestry else 0.1 for name in ANCESTRIES}
    amounts = macro_targets(
        sex=rng.uniform(0.82, 1) if sex == "male" else rng.uniform(0, 0.14),
        age=rng.uniform(*AGES[age][1:]),
        muscle=np.clip(rng.normal(0.56, 0.11), 0.25, 0.85),
        weight=np.clip(rng.normal(0.46, 0.14), 0.2, 0.85),
        height=np.clip(rng.normal(0.5, 0.12), 0.2, 0.8),
        ancestry=mix,
    )
    return assets.shape(amounts | face_targets(assets, rng))


OPPOSITES = {"incr": "decr", "up": "down", "out": "in", "forward": "backward", "convex": "concave"}
FACE_KEPT = ("head-trans", "head-angle", "head-age", "head-scale", "neck-trans", "-ear-trans", "measure-")


def face_targets(assets: Assets, rng) -> dict[str, float]:
    """Amounts of the targets that make faces differ: each pair of opposites a little, both sides of the face alike."""
    amounts = {}
    face = [n for n in assets.targets if "-" in n and not n.startswith(("universal", *ANCESTRIES, "male", "female"))]
    for name in face:
        stem, _, end = name.rpartition("-")
        if end not in OPPOSITES or name.startswith("r-") or any(kept in name for kept in FACE_KEPT):
            continue
        amount = np.clip(rng.normal(0, 0.22), -0.6, 0.6)
        chosen = name if amount > 0 else f"{stem}-{OPPOSITES[end]}"
        amounts[chosen] = abs(amount)
        if name.startswith("l-"):
            amounts["r" + chosen[1:]] = abs(amount) * rng.uniform(0.85, 1.15)
    outline = rng.choice(["oval", "round", "square", "rectangular", "triangular", "diamond", "invertedtriangular"])
    amounts[f"head-{outline}"] = rng.uniform(0.1, 0.5)
    amounts[EXPRESSION.split("/")[-1]] = max(0.0, rng.normal(0.1, 0.3))
    return amounts
