"""The tree shows the road: what imports what, and where each name is found."""

import ast
import json
from importlib import import_module
from pathlib import Path

import pytest

import scagan_hub

PACKAGE = Path(scagan_hub.__file__).parent
# From the ground up: a package or a module of the root imports those before it alone, inside functions too.
ORDER = (
    *("files", "images", "poses", "photos", "features", "content", "models"),  # what the road is made of
    *("gallery", "domain", "hub", "inputs", "outputs", "backdrop", "pipeline", "scagan_hub", "release"),  # the road
    *("data", "people", "evaluation", "training"),  # what it is trained on, measured with, and how
    *("demo", "cli"),  # what people use
)


def modules() -> dict[str, Path]:
    """Every module's file, by its name below the package; the package itself is "scagan_hub"."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "scagan_hub"] = file
    return found


MODULES = modules()


def imports(module: str) -> set[str]:
    """Modules of this package that a module names in an import, wherever in it that stands."""
    package = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
    package = [] if module == "scagan_hub" else package
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ["scagan_hub", *package[: len(package) - node.level + 1]] if node.level else []
            start += node.module.split(".") if node.module else []
            named = [[*start, alias.name] for alias in node.names]
        else:
            continue
        for parts in named:
            if parts[0] == "scagan_hub":
                names = [".".join(parts[1:]), ".".join(parts[1:-1]) or "scagan_hub"]
                assert {*names} & MODULES.keys(), f"{module} imports {'.'.join(parts)}, which is not in the tree"
                found.add(next(name for name in names if name in MODULES))
    return found - {module}


def unit(module: str) -> str:
    return module.split(".")[0]


def test_every_package_has_its_place():
    assert sorted({unit(module) for module in MODULES}) == sorted(ORDER)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_climbs(module):
    place = ORDER.index(unit(module))
    climbing = {other for other in imports(module) if unit(other) != unit(module) and ORDER.index(unit(other)) > place}
    assert not climbing, f"{module} imports what is built on it: {sorted(climbing)}"


def test_no_import_circle():
    left = {module: imports(module) for module in MODULES}
    while ready := [module for module, others in left.items() if not others & left.keys()]:
        for module in ready:
            del left[module]
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_the_root_tells_the_road():
    assert {file.stem for file in PACKAGE.glob("*.py")} - {"__init__"} == {
        *("pipeline", "inputs", "outputs", "backdrop", "gallery", "domain", "release"),
    }


@pytest.mark.parametrize(("former", "today"), sorted(scagan_hub.MOVED.items()))
def test_a_published_path_gives_the_module_in_its_new_place(former, today):
    assert import_module(former) is import_module(today)
    assert former.removeprefix("scagan_hub.") not in MODULES


def test_names_of_moved_modules_are_the_same_objects():
    from scagan_hub.models.features import VGG, load_features
    from scagan_hub.pose import Pose

    assert Pose is scagan_hub.Pose and {VGG.__name__, load_features.__name__} == {"VGG", "load_features"}


def test_a_path_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="scagan_hub.poser"):
        import_module("scagan_hub.poser")


def test_saved_models_name_paths_that_stay(tiny_pipe, tmp_path):
    """Of the layout before 0.1.0 too: what was saved then is read now, and the other way round."""
    tiny_pipe.save_pretrained(tmp_path / "model")
    index = json.loads((tmp_path / "model" / "model_index.json").read_text(encoding="utf-8"))
    assert index["content"] == ["scagan_hub.content", "Content"]
    assert index["pct_net"] == ["scagan_hub.models.pct_net", "PCTNet"]
    assert index["is_net"] == ["scagan_hub.models.is_net", "ISNet"]
    assert scagan_hub.ScaGan.from_pretrained(tmp_path / "model").content.edge_channels == 1
