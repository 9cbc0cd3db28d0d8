"""What the documentation shows runs as it stands: the examples in docstrings, and the README's Python."""

import doctest
import re
from pathlib import Path

import pytest
from PIL import Image

import scagan_hub
from scagan_hub import Pose, ScaGan

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("documented", [Pose, ScaGan.__call__, ScaGan.animate], ids=lambda x: x.__qualname__)
def test_examples_of_docstrings(documented):
    example = doctest.DocTestParser().get_doctest(documented.__doc__, {}, documented.__qualname__, None, 0)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_readmes_python(tmp_path, monkeypatch):
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len([line for line in block.splitlines() if line]) == 5
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    with Image.open(tmp_path / "person05.png") as picture:
        assert picture.size == (176, 256)


def test_an_editor_is_told_the_names():
    assert {"DEMO_MODEL", "Pose", "ScaGan", "ScaGanOutput", "__version__"} <= {*dir(scagan_hub)}
