"""What is installed: the wheel's files and metadata, the extras, the pins; and a wheel alone in a fresh environment."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import scagan_hub
from scagan_hub.cli import main
from scagan_hub.files.extras import EXTRAS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GENERATE = ["generate", "person05", "--pose", "person14-view1"]


def build(kind: str, folder: Path) -> Path:
    """The "wheel" or "sdist" of a copy of this tree, without a network; returns its file."""
    left_out = shutil.ignore_patterns("build", "dist", ".*", "*.egg-info", "runs", "data")
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=lambda path, names: left_out(path, names) if path == str(ROOT) else set())
    script = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", script], cwd=tree, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.rmtree(tree)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.endswith("/")}
    package = (file for file in (ROOT / "scagan_hub").rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    info = f"scagan_hub-{scagan_hub.__version__}.dist-info/"
    assert {name for name in packed if not name.startswith(info)} == {str(f.relative_to(ROOT)) for f in package}
    licences = {name for name in packed if name.startswith(f"{info}licenses/")}
    assert {name.removeprefix(f"{info}licenses/") for name in licences} == {
        "LICENSE",
        *(
            f"scagan_hub/assets/{folder}/{name}"
            for folder in ("blazepose", "gallery")
            for name in ("LICENSE", "NOTICE")
        ),
    }


def test_the_wheels_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        facts = Parser().parsestr(archive.read(name).decode())
    assert facts["Version"] == scagan_hub.__version__
    assert facts["License-Expression"] == "Apache-2.0 AND CC0-1.0"
    assert {"demo", "detect", "train", "metrics", "people", "video", "dev", "all"} == {*facts.get_all("Provides-Extra")}
    assert "Paper, https://arxiv.org/abs/2103.16828" in facts.get_all("Project-URL")
    core = {need.name for need in map(Requirement, facts.get_all("Requires-Dist")) if need.marker is None}
    assert "torch" in core and not core & {"gradio", "av", "tyro", "numba", "torchmetrics", "ai-edge-litert", "pytest"}


def test_the_sdist_has_the_tests(tmp_path):
    with tarfile.open(build("sdist", tmp_path)) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    tests = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("*.py")}
    assert tests | {"app.py", "requirements-dev.txt", "scagan_hub/assets/demo/model_index.json"} <= packed


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def requirements(*extras: str) -> dict[str, Requirement]:
    """What the core and these extras need, by name."""
    found = {}
    for line in [*PROJECT["dependencies"], *(line for name in extras for line in _extra(name))]:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            found |= requirements(*requirement.extras)
        else:
            found[requirement.name] = requirement
    return found


def _extra(name: str) -> list[str]:
    return PROJECT["optional-dependencies"][name]


@pytest.mark.parametrize(("names", "extra"), [(("",), "demo"), (("", "-dev"), "dev")])
def test_what_is_pinned_is_what_the_extras_ask_for(names, extra):
    """A Space has what the demo needs, a developer everything."""
    pinned = {name: version for part in names for name, version in pins(f"requirements{part}.txt").items()}
    asked = requirements(extra)
    assert pinned.keys() == asked.keys()
    assert [name for name, version in pinned.items() if version not in asked[name].specifier] == []


def test_one_ruff():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert f"rev: v{pins('requirements-dev.txt')['ruff']}\n" in hooks


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.M)[1] == scagan_hub.__version__


def test_every_package_asked_for_is_in_its_extra():
    distributions = {"ai_edge_litert.interpreter": "ai-edge-litert", "yaml": "pyyaml"}
    for module, (extra, _) in EXTRAS.items():
        assert distributions.get(module, module) in requirements(extra), module


@pytest.mark.parametrize(
    ("missing", "argv"),
    [
        ("av", ["animate", "person05", "--poses", "walk", "--output", "film.mp4"]),
        ("ai_edge_litert.interpreter", [*GENERATE, "--backdrop", "keep", "--output", "picture.png"]),
        ("ai_edge_litert.interpreter", ["prepare", "photos", "--output", "people"]),
        ("tyro", ["train", "--help"]),
        ("yaml", ["train", "--config", "run.yaml"]),
        ("numba", ["people", "--output", "people"]),
    ],
)
def test_a_missing_extra_is_one_line_before_any_work(missing, argv, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("scagan_hub.pipeline.ScaGan.from_pretrained", lambda *_: pytest.fail("a model was loaded"))
    assert main(argv) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"pip install 'scagan-hub[{EXTRAS[missing][0]}]'" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("gradio", "runpy.run_module('scagan_hub.cli', run_name='__main__')"),
        ("gradio", "runpy.run_path('app.py', run_name='__main__')"),
        ("tyro", "runpy.run_module('scagan_hub.training', run_name='__main__')"),
    ],
)
def test_a_missing_extra_of_a_program_is_one_line(missing, command):
    script = f"import runpy, sys; sys.argv[1:] = ['demo']; sys.modules[{missing!r}] = None; {command}"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and f"scagan-hub[{EXTRAS[missing][0]}]" in line, line


@pytest.mark.slow
def test_the_wheel_alone(wheel, tmp_path):
    """In a fresh environment, which pip fills from its registry."""
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")

    settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*command, status: int = 0) -> str:
        command = [binaries / command[0], *command[1:]]
        kept = {"capture_output": True, "text": True, "timeout": 1800}
        done = subprocess.run(command, cwd=tmp_path, env=settings, **kept)
        assert done.returncode == status, done.stderr[-2000:]
        return done.stdout + done.stderr

    run("python", "-m", "pip", "install", "--quiet", wheel)
    run("python", "-c", "from scagan_hub import *; ScaGan, Pose")
    assert "generate" in run("scagan", "--help")
    run("scagan", *GENERATE, "--output", "picture.png")
    run("scagan", "animate", "person05", "--poses", "walk", "--output", "film.webp")
    assert {path.name for path in tmp_path.iterdir()} == {"venv", "picture.png", "film.webp"}
    for extra, argv in (("demo", ["demo"]), ("train", ["train", "--help"]), ("people", ["people", "--output", "set"])):
        assert f"scagan-hub[{extra}]" in run("scagan", *argv, status=1)
