"""What a protocol looks at before it measures: whether the pictures are what it is of; and what few of them mean."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .protocols import Protocol
    from .sources import Source

LOOKED_AT = 64  # references, evenly spread
NEAR = 5  # levels that a bar's pixels may be off its colour: JPEG's error
LEAST = 1 / 16  # of a side: bars that matter
FEW_PICTURES = 2048  # FID and IS of fewer depend on how many there are (Heusel et al. 2017)
# People, and how often a 95 % interval of so many holds the truth: `python benchmarks/intervals.py`
COVERAGE = {2: 0.48, 3: 0.76, 5: 0.84, 10: 0.90, 20: 0.91, 50: 0.94}


def check_pictures(source: Source, protocol: Protocol) -> list[str]:
    """What is odd about the references, for the report.

    Raises:
        ValueError: they have bars of white or black at both sides; a protocol that wants some puts them there itself.
    """
    count = len(source.pairs)
    positions = np.unique(np.linspace(0, count - 1, min(LOOKED_AT, count)).astype(int))
    pictures, said = source.references(positions), []
    height, width = pictures.shape[1:3]
    for what, turned, side in (("columns", pictures, width), ("rows", pictures.swapaxes(1, 2), height)):
        colour, lines, common = bars(turned)
        if lines < max(2, side * LEAST):
            continue
        where = f"the outermost {lines} {what} at either side are {colour} in all pictures looked at"
        if common:
            raise ValueError(
                f"protocol {protocol.name} is of pictures without bars, but {where}, and these are {width} x {height}: "
                "padding raises SSIM; cut the bars off all pictures, of both folders"
            )
        said.append(f"{where}, if by no bar: much plain ground raises SSIM")
    if protocol.image_size and (height, width) != protocol.image_size:
        said.append(
            f"protocol {protocol.name} is of pictures of {protocol.image_size[1]} x {protocol.image_size[0]} pixels; "
            f"figures of {width} x {height} are not to be set beside published ones"
        )
    return said


def bars(pictures: np.ndarray) -> tuple[str, int, bool]:
    """White or black columns at both sides of all pictures (N,H,W,3) uint8; pictures of one colour tell nothing.

    Returns:
        colour; how many columns at least, at either side of any; whether most pictures have just so many, at both
        sides, as padding has and a plain ground hasn't.
    """
    best = ("white", 0, False)
    for colour, value in (("white", 255), ("black", 0)):
        plain = (np.abs(pictures.astype(np.int16) - value) <= NEAR).all((1, 3))  # (N,W)
        plain = plain[~plain.all(1)]
        if not len(plain):
            continue
        ends = np.stack([(~plain).argmax(1), (~plain[:, ::-1]).argmax(1)])
        least = int(ends.min())
        common = (np.abs(ends - least) <= 1).all(0).mean() >= 0.5
        if least > best[1]:
            best = (colour, least, bool(common))
    return best


def few_people(people: int, known: bool) -> str | None:
    """What is to be known of a 95 % interval over so many people; None: it holds what it says.

    Args:
        known: whether they are people, or pictures of nobody knows whom.
    """
    if not known:
        return (
            f"who is in the {people:,} pictures is not known: the interval draws pictures, and is too narrow if people "
            "have several"
        )
    if people < 2:
        return "the pictures are of one person: the interval draws their pictures, and says nothing of other people"
    if people >= max(COVERAGE):
        return None
    shares = sorted(COVERAGE.items())
    low, high = next(two for two in pairwise(shares) if two[0][0] <= people < two[1][0])
    share = low[1] + (high[1] - low[1]) * (people - low[0]) / (high[0] - low[0])
    return f"of {people} people a 95% interval holds the truth in about {share:.0%} of cases"


def few_pictures(name: str, count: int) -> str | None:
    """What is to be known of FID, IS and the like of so many pictures; None: nothing."""
    if count >= FEW_PICTURES:
        return None
    return (
        f"{name} of {count:,} pictures is not to be compared with {name} of another number: it wants {FEW_PICTURES:,}"
    )
