"""Colours that people wear together, and the patterns cloth comes in."""

import colorsys

import numpy as np

from .shading import CHECK, DOTS, GRADIENT, HERRINGBONE, PINSTRIPES, PLAIN, STRIPES

NEUTRALS = {
    "white": (0.93, 0.93, 0.91),
    "cream": (0.90, 0.86, 0.77),
    "grey": (0.58, 0.58, 0.59),
    "charcoal": (0.22, 0.22, 0.24),
    "black": (0.07, 0.07, 0.08),
    "navy": (0.11, 0.14, 0.26),
    "beige": (0.76, 0.67, 0.53),
    "camel": (0.65, 0.47, 0.29),
    "khaki": (0.50, 0.46, 0.33),
    "chocolate": (0.26, 0.17, 0.13),
}
DENIMS = {"light denim": (0.52, 0.63, 0.76), "denim": (0.27, 0.38, 0.55), "dark denim": (0.13, 0.18, 0.30)}
ACCENTS = {
    "burgundy": (0.40, 0.10, 0.16),
    "red": (0.72, 0.14, 0.15),
    "rust": (0.66, 0.31, 0.17),
    "mustard": (0.80, 0.61, 0.20),
    "olive": (0.33, 0.35, 0.19),
    "forest": (0.12, 0.28, 0.21),
    "sage": (0.60, 0.67, 0.56),
    "teal": (0.11, 0.40, 0.43),
    "sky": (0.55, 0.70, 0.84),
    "cobalt": (0.14, 0.25, 0.62),
    "lavender": (0.68, 0.62, 0.79),
    "plum": (0.34, 0.17, 0.34),
    "dusty pink": (0.83, 0.63, 0.63),
    "coral": (0.88, 0.45, 0.38),
}
SHOES = ("white", "white", "black", "black", "charcoal", "chocolate", "camel", "navy", "burgundy", "grey")
PATTERNS = {
    "plain": PLAIN,
    "stripes": STRIPES,
    "pinstripes": PINSTRIPES,
    "check": CHECK,
    "dots": DOTS,
    "gradient": GRADIENT,
    "herringbone": HERRINGBONE,
}
HAIR_COLOURS = {
    "black": (0.055, 0.05, 0.05),
    "dark brown": (0.13, 0.085, 0.06),
    "brown": (0.24, 0.15, 0.09),
    "light brown": (0.40, 0.27, 0.16),
    "blond": (0.66, 0.52, 0.32),
    "auburn": (0.28, 0.13, 0.075),
    "grey": (0.52, 0.51, 0.50),
}
EYES = {
    "brown_eye": 0.5,
    "brownlight_eye": 0.14,
    "green_eye": 0.1,
    "blue_eye": 0.1,
    "grey_eye": 0.1,
    "bluegreen_eye": 0.06,
}


def _one(rng, names: dict) -> str:
    return str(rng.choice(list(names)))


def pair(rng) -> tuple[str, str]:
    """Names of a top's and a bottom's colour: an accent or a neutral over denim or a neutral, rarely the reverse."""
    kind = rng.random()
    if kind < 0.34:
        return _one(rng, ACCENTS), _one(rng, DENIMS | {n: NEUTRALS[n] for n in ("black", "navy", "charcoal", "white")})
    if kind < 0.62:
        return _one(rng, NEUTRALS), _one(rng, DENIMS)
    if kind < 0.90:
        top, bottom = rng.choice(list(NEUTRALS), 2, replace=False)
        return str(top), str(bottom)
    return str(rng.choice(["white", "cream", "black", "grey"])), _one(rng, ACCENTS)


def suit(rng) -> tuple[str, str]:
    """Names of the colours of an outfit made as a whole."""
    one = str(
        rng.choice(["black", "charcoal", "grey", "navy", "beige", "khaki", "chocolate", "dark denim", "burgundy"])
    )
    return one, one if rng.random() < 0.7 else pair(rng)[1]


def like_skin(name: str, skin: np.ndarray) -> bool:
    """Whether cloth of this colour could be taken for the skin (3,): nearly its hue, and not far in lightness."""
    colour = np.array((NEUTRALS | DENIMS | ACCENTS)[name])
    lightness = abs((colour - skin) @ np.array([0.3, 0.59, 0.11]))
    return bool(np.linalg.norm(colour / colour.sum() - skin / skin.sum()) < 0.055 and lightness < 0.25)


def shade_of(rng, name: str) -> np.ndarray:
    """The named colour (3,) sRGB, varied as dyes vary."""
    h, s, v = colorsys.rgb_to_hsv(*(NEUTRALS | DENIMS | ACCENTS)[name])
    h, s, v = h + rng.normal(0, 0.012), s * rng.uniform(0.85, 1.1), v * rng.uniform(0.88, 1.1)
    return np.array(colorsys.hsv_to_rgb(h % 1, min(s, 1), min(v, 0.95)), np.float32)


def contrast(rng, first: np.ndarray) -> np.ndarray:
    """A second colour for a pattern: a neutral far in lightness, or the same hue lighter or darker."""
    light = first @ np.array([0.3, 0.59, 0.11])
    if rng.random() < 0.7:
        names = ("white", "cream", "grey") if light < 0.45 else ("navy", "black", "charcoal", "chocolate")
        return shade_of(rng, str(rng.choice(names)))
    return np.clip(first * (1.7 if light < 0.45 else 0.55) + (0.12 if light < 0.25 else 0), 0, 0.95).astype(np.float32)


def dye(rng, material, colour: str, plain: float) -> str:
    """Give a material its colour and, with probability 1 - `plain`, a pattern; returns the pattern's name."""
    first = shade_of(rng, colour)
    names = list(PATTERNS)[1:]
    shares = np.array([0.38, 0.13, 0.23, 0.14, 0.04, 0.08])
    name = "plain" if rng.random() < plain else str(rng.choice(names, p=shares))
    material["pattern"], material["first"], material["second"] = PATTERNS[name], first, contrast(rng, first)
    wide = name in ("check", "herringbone", "dots")
    material["scale"] = rng.uniform(0.45, 1.1) if not wide else rng.uniform(0.4, 0.9)
    material["duty"], material["phase"] = rng.uniform(0.25, 0.55), rng.random()
    material["level"] = rng.uniform(2.4, 4.0)
    return name
