"""A training run's command line, in both directions, and its configuration file."""

import argparse
import difflib
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, get_args, get_origin, get_type_hints

from ..files.extras import need
from .config import VARIANTS, TrainConfig, has_pct_net
from .recipes import by_recipe

PRESETS, PHASES = (get_args(get_type_hints(TrainConfig)[name]) for name in ("preset", "phase"))


def parse(arguments: Sequence[str], description: str, program: str | None = None) -> TrainConfig:
    """The preset's recipe, then the fields of `--config FILE` (JSON or YAML), then the options.

    Raises:
        ValueError: naming the file and the field, for a configuration file that cannot be used.
        SystemExit: for options that cannot be used.
        ImportError: the extra `train` is not installed.
    """
    need("tyro", "training")
    import tyro

    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--config", type=Path)
    early.add_argument("--preset", choices=PRESETS)
    early.add_argument("--phase", choices=PHASES)
    early.add_argument("--variant", choices=VARIANTS)
    known, rest = early.parse_known_args(arguments)
    given = read(known.config) if known.config else {}
    usual = {"preset": "demo", "phase": "both", "variant": "full"}
    chosen = {name: getattr(known, name) or given.get(name, usual[name]) for name in usual}
    takes_a_net = chosen["phase"] == "is" and has_pct_net(chosen["variant"])
    required = ("data", "output", "pct_net") if takes_a_net else ("data", "output")
    default = by_recipe(**dict.fromkeys(required, tyro.MISSING) | given | chosen)
    return tyro.cli(TrainConfig, default=default, args=rest, description=description, prog=program)


def command(config: TrainConfig) -> str:
    """The command of a run: what differs from its preset's recipe, with placeholders for the user's own paths."""
    own = {name: getattr(config, name) for name in ("data", "output", "variant", "pct_net", "is_net", "resume")}
    settings = {"--preset": config.preset, "--data": "DATA", "--output": "OUTPUT", "--phase": config.phase}
    settings |= {} if config.variant == "full" else {"--variant": config.variant}
    settings |= _options(config, by_recipe(config.preset, config.phase, **own), "")
    file = Path(config.features)
    if file.suffix:
        settings["--features"] = file.name
    for net in ("pct_net", "is_net"):
        if getattr(config, net) is not None:
            settings[f"--{net.replace('_', '-')}"] = "MODEL"
    return " ".join(["accelerate launch train_accelerate.py", *(f"{k} {v}".strip() for k, v in settings.items())])


def _options(config, base, prefix: str) -> dict[str, str]:
    """The command line's options for what differs from `base`."""
    options = {}
    for item in fields(config):
        value, usual, name = getattr(config, item.name), getattr(base, item.name), prefix + item.name.replace("_", "-")
        if is_dataclass(value):
            options |= _options(value, usual, f"{name}.")
        elif value != usual:
            values = value if isinstance(value, tuple) else [value]
            is_flag = isinstance(value, bool)
            options[f"--{'no-' if value is False else ''}{name}"] = "" if is_flag else " ".join(map(str, values))
    return options


def read(path: Path) -> dict:
    """The fields of a configuration file."""
    if path.suffix != ".json":
        need("yaml", f"reading {path.name}", "write it as JSON")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            content = json.loads(text)
        else:
            import yaml

            content = yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:  # whatever a parser says about a file that it cannot parse
        raise ValueError(f"{path} is no JSON or YAML: {' '.join(str(error).split())}") from error
    return typed(content, str(path))


def typed(settings: dict, where: str, kind: type = TrainConfig) -> dict:
    """Settings of JSON's types in those of a dataclass's fields; one inside it stays a dictionary of what is set.

    Raises:
        ValueError: for an unknown field or a value of another type.
    """
    if not isinstance(settings, dict):
        raise ValueError(f"{where}: expected fields and their values, got {settings!r}")
    kinds = get_type_hints(kind)
    for name in settings:
        if name not in kinds:
            like = difflib.get_close_matches(name, kinds, 1)
            raise ValueError(f"{where}: unknown field {name!r}" + (f"; did you mean {like[0]!r}?" if like else ""))
    return {name: _typed(value, kinds[name], f"{where}: {name}") for name, value in settings.items()}


def _typed(value, kind, where: str):
    options = get_args(kind)
    if is_dataclass(kind):
        return typed(value, where, kind)
    if get_origin(kind) is UnionType:
        inner = next(option for option in options if option is not NoneType)
        return None if value is None else _typed(value, inner, where)
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        if Ellipsis not in options and len(value) != len(options):
            raise ValueError(f"{where}: expected {len(options)} values, got {value!r}")
        return tuple(_typed(item, options[0], where) for item in value)
    if get_origin(kind) is Literal and value in options:
        return value
    if kind is float and not isinstance(value, bool):
        try:
            return float(value)  # also of a string: YAML reads 1e-4 as one
        except (TypeError, ValueError):
            pass
    elif kind is Path and isinstance(value, str):
        return Path(value)
    elif kind in (int, str, bool) and type(value) is kind:
        return value
    expected = (
        f"one of {', '.join(map(str, options))}" if get_origin(kind) is Literal else getattr(kind, "__name__", kind)
    )
    raise ValueError(f"{where}: expected {expected}, got {value!r}")
