"""Packages of public registries: fetched by their client, checked, kept; and what cannot be is said in a line."""

import dataclasses
import sys

import pytest

from scagan_hub.files.packages import HASHED, Package, cache_folder, pip

PACKAGE = Package("a", "1", "a.tgz", "0" * 64, ("no-such-client",), "which nobody needs", "")


def python(script: str) -> Package:
    """A package whose client is a line of Python."""
    return dataclasses.replace(PACKAGE, client=(sys.executable, "-c", script))


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (PACKAGE, ("no-such-client", "not installed", "a 1, which nobody needs")),
        (python("raise SystemExit('error: no route to host')"), ("network", "no route to host")),
        (python("open('a.tgz', 'w').write('other')"), ("sha256", "expected", "not used")),
    ],
)
def test_what_cannot_be_fetched_is_said_in_a_line(tmp_path, package, words, monkeypatch):
    monkeypatch.delenv("SCAGAN_OFFLINE")
    with pytest.raises(ValueError) as caught:
        package.fetch(tmp_path)
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), caught.value


def test_nothing_is_fetched_where_the_user_says_so(tmp_path):
    with pytest.raises(ValueError, match="cannot fetch a 1, which nobody needs: SCAGAN_OFFLINE is set"):
        python("open('started', 'w')").fetch(tmp_path)
    assert not list(tmp_path.iterdir())


def test_pip_is_told_the_hash_before_it_looks_into_an_archive(tmp_path, monkeypatch):
    monkeypatch.delenv("SCAGAN_OFFLINE")
    assert pip()[:4] == (sys.executable, "-m", "pip", "download") and f"--requirement={HASHED}" in pip()
    with pytest.raises(ValueError, match="a==1 --hash=sha256:000"):
        python(f"raise SystemExit('error: ' + open('{HASHED}').read())").fetch(tmp_path)


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SCAGAN_CACHE", str(tmp_path))
    assert cache_folder("things-1") == tmp_path / "things-1"
    monkeypatch.delenv("SCAGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder("things-1") == tmp_path / "cache" / "scagan_hub" / "things-1"
