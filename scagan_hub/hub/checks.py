"""What stands between a folder and a model: every file is looked at before it is loaded.

diffusers only warns about a missing tensor (and leaves it without storage) and ignores a superfluous one.
Here the headers of the safetensors files are compared with the model that the configuration describes, which
costs a few milliseconds, and any difference is an error that names the file and the tensor. Then just this file is
read: what is checked is what is loaded, whatever else lies beside it. The imports wait for that: finding the folder
alone loads no torch.
"""

import inspect
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEND = "save the model again with save_pretrained, or fetch the folder anew"


def model_folder(name, **hub) -> Path:
    """The local folder of a model.

    Args:
        name: a folder, or the id of a model on the Hub ("owner/name"), which is fetched into the Hub's cache.
        hub: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download` of `snapshot_download`.

    Raises:
        ValueError: no such folder, and no such model on the Hub or the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or len(folder.parts) != 2 or ".." in folder.parts:
        raise ValueError(f"no model folder {name}: give a folder made by save_pretrained, or a Hub id (owner/name)")
    patterns = ["model_index.json", "report.json", "domain.npz", "*/*.json", "*/*.safetensors"]
    try:
        return Path(snapshot_download(str(name), allow_patterns=patterns, **hub))
    except HFValidationError as error:
        raise ValueError(f"neither a folder nor a Hub id (owner/name): {name!r}") from error
    except Exception as error:  # the Hub's client raises those of its HTTP library as well as its own
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise ValueError(
            f"no model folder {name}, and the Hub gave no such model ({reason}): check the name and the "
            "network, or give a folder made by save_pretrained"
        ) from error


def check_index(folder: Path, class_name: str, components: dict[str, tuple[type, ...]], optional=()) -> dict[str, type]:
    """Check that model_index.json names exactly these components, each of one of its classes; `optional` may be null.

    Returns:
        the components that are there.
    Raises:
        ValueError: missing, damaged, of another pipeline, or with other components.
    """
    file = folder / "model_index.json"
    index = read_json(file)
    if index.get("_class_name") != class_name:
        raise ValueError(f"{file}: expected a model of {class_name}, got one of {index.get('_class_name')!r}")
    found = {name: value for name, value in index.items() if not name.startswith("_")}
    allowed = {name: {(cls.__module__, cls.__name__): cls for cls in classes} for name, classes in components.items()}
    for name in optional:
        allowed[name][None, None] = None
    try:
        taken = {name: allowed[name][tuple(value)] for name, value in found.items()}
    except (KeyError, TypeError):
        taken = {}
    if taken.keys() != components.keys():
        expected = {name: [cls.__name__ for cls in classes] for name, classes in components.items()}
        raise ValueError(f"{file}: expected the components {expected}, got {found}; {MEND}")
    return {name: cls for name, cls in taken.items() if cls is not None}


def build(folder: Path, cls: type, most: dict[str, tuple[int, ...]] | None = None):
    """The component that the configuration in `folder` describes, without storage for its tensors.

    Args:
        most: the tensors that there are; a component that would have more is refused before it is built.

    Raises:
        ValueError: no configuration, not JSON, a key that `cls` does not know, or a value it does not take.
    """
    from accelerate import init_empty_weights

    file = folder / cls.config_name
    config = read_json(file)
    known = inspect.signature(cls.__init__).parameters
    unknown = [key for key in config if not key.startswith("_") and key not in known]
    if unknown:
        raise ValueError(f"{file}: {cls.__name__} knows no {', '.join(map(repr, unknown))}; {MEND}")
    try:
        with init_empty_weights(include_buffers=True), _bounded(most):
            return cls.from_config(config)
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise ValueError(f"{file}: describes no {cls.__name__} ({said}); {MEND}") from error


@contextmanager
def _bounded(most: dict[str, tuple[int, ...]] | None) -> Iterator[None]:
    """Ends the building of a model that has more parts or larger tensors than its weights file has."""
    if most is None:
        yield
        return
    from torch.nn.modules import module

    parameters, modules = len(most) + 100, 10 * len(most) + 100  # buffers and parts without tensors
    largest = max((math.prod(shape) for shape in most.values()), default=0)

    def parameter(_, name, tensor):
        nonlocal parameters
        parameters -= 1
        if parameters < 0 or (tensor is not None and tensor.numel() > largest):
            raise ValueError("it asks for more than the weights file holds")

    def part(*_):
        nonlocal modules
        modules -= 1
        if modules < 0:
            raise ValueError("it asks for more than the weights file holds")

    hooks = [
        module.register_module_parameter_registration_hook(parameter),
        module.register_module_module_registration_hook(part),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def read_model(folder: Path, cls: type, variant: str | None = None, dtype=None):
    """The model in a component's folder, of just the file that was checked, in evaluation mode.

    Args:
        dtype: of its weights; None: float32.

    Raises:
        ValueError: as `check_model`; tensors that are no floats, or not finite, by name.
    """
    import torch
    from accelerate import init_empty_weights
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    model = check_model(folder, cls, variant)
    weights = _weights(folder, variant)
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{weights}: cannot be read ({error}); {MEND}") from error
    floats = (torch.float32, torch.float16, torch.bfloat16)
    kinds = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    wrong = [
        f"{name} {str(tensor.dtype).removeprefix('torch.')}"
        for name, tensor in sorted(tensors.items())
        if (tensor.dtype not in floats if kinds[name].is_floating_point else tensor.dtype != kinds[name])
    ]
    if wrong:
        raise ValueError(f"{weights}: expected floats of 16 or 32 bits, got {_some(wrong)}; {MEND}")
    bad = [name for name, tensor in sorted(tensors.items()) if not torch.isfinite(tensor).all()]
    if bad:
        raise ValueError(f"{weights}: NaN or infinity in {_some(bad)}; {MEND}")
    dtype, kept = dtype or torch.float32, set(cls._keep_in_fp32_modules or ())
    for name in [name for name in tensors if kinds[name].is_floating_point]:
        tensors[name] = tensors[name].to(torch.float32 if kept.intersection(name.split(".")) else dtype)
    with init_empty_weights(include_buffers=False):  # buffers that no file has are made here
        model = cls.from_config(read_json(folder / cls.config_name))
    model.load_state_dict(tensors, strict=True, assign=True)
    return (model if kept else torch.nn.Module.to(model, dtype)).eval()  # diffusers' own warns of nothing at all


def _weights(folder: Path, variant: str | None) -> Path:
    from diffusers.utils import SAFETENSORS_WEIGHTS_NAME

    stem, suffix = SAFETENSORS_WEIGHTS_NAME.rsplit(".", 1)
    return folder / (f"{stem}.{variant}.{suffix}" if variant else SAFETENSORS_WEIGHTS_NAME)


def check_model(folder: Path, cls: type, variant: str | None = None):
    """Check that a component's folder holds a configuration and just the tensors of the model it describes.

    Returns:
        the model, without storage for its tensors.
    Raises:
        ValueError: naming the file, the tensors and how to mend it.
    """
    weights = _weights(folder, variant)
    read_json(folder / cls.config_name)
    found = read_shapes(weights)
    model = build(folder, cls, found)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    shared = expected.keys() & found.keys()
    faults = {
        "missing": sorted(expected.keys() - found.keys()),
        "not the model's": sorted(found.keys() - expected.keys()),
        "misshapen": [f"{n} {found[n]}, expected {expected[n]}" for n in sorted(shared) if found[n] != expected[n]],
    }
    lines = [f"{len(names)} {fault} ({_some(names)})" for fault, names in faults.items() if names]
    if lines:
        raise ValueError(
            f"{weights}: tensors that don't fit the {cls.__name__} of its {cls.config_name}: {'; '.join(lines)}; {MEND}"
        )
    return model


def read_shapes(weights: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor in a safetensors file, from its header.

    Raises:
        ValueError: no such file, or its header is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not weights.is_file():
        raise ValueError(f"{weights}: no such file; {MEND}")
    try:
        with safe_open(weights, framework="pt") as file:
            if (file.metadata() or {}).get("format") != "pt":
                raise SafetensorError("its metadata does not say format pt")
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{weights}: damaged header ({error}); {MEND}") from error


def read_json(file: Path) -> dict:
    """The JSON object in `file`.

    Raises:
        ValueError: no such file, or not a JSON object.
    """
    if file.exists() and not file.is_file():
        raise ValueError(f"{file}: no ordinary file; {MEND}")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}; {MEND}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: not JSON ({error}); {MEND}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file}: expected a JSON object, got a {type(values).__name__}; {MEND}")
    return values


def _some(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
