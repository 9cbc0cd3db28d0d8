"""The authors' released weights -> our format; the release's names and quirks stay in this file.

The release saves IS-Net and PCT-Net as one pickled state dict. Its quirks:
- a file saved under DataParallel has `module.` in front of every name;
- the style encoder's blocks appear twice, as attributes and in a Sequential, with the same tensors;
- gamma and beta are two convolutions, and the release computes `norm(f) (1 + gamma) + beta`: the one goes
  into our gamma's bias;
- the weights were trained on heatmaps of sigma 12 and on `Content`'s prior "patches_release".
"""

from pathlib import Path

import torch
from accelerate import init_empty_weights
from torch import nn

from .content import Content
from .files.writing import check_folder
from .models import ISNet, PCTNet

PCT_NET = "edge_generator.model_edge."
BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")
SHOWN = 3  # names in an error message
LIMITS = [
    "Converted from the authors' release, which carries no licence: ask its authors before you pass the weights on.",
    "Trained by its authors on DeepFashion: studio pictures of one person before a plain backdrop.",
]

PCT_NET_MODULES = {
    "conv_in": "prepro.1",
    "norm_in": "prepro.2",
    "down_0": "encoder.0",
    "down_norm_0": "encoder.1",
    "down_1": "encoder.3",
    "down_norm_1": "encoder.4",
    **{f"blocks.{k}.conv_0": f"residual.{k}.conv_block.1" for k in range(6)},
    **{f"blocks.{k}.norm_0": f"residual.{k}.conv_block.2" for k in range(6)},
    **{f"blocks.{k}.conv_1": f"residual.{k}.conv_block.5" for k in range(6)},
    **{f"blocks.{k}.norm_1": f"residual.{k}.conv_block.6" for k in range(6)},
    "up_0": "decoder.0",
    "up_norm_0": "decoder.1",
    "up_1": "decoder.3",
    "up_norm_1": "decoder.4",
    "conv_out": "postpro.1",
}
STYLE_BLOCK_MODULES = {"shortcut": "skip.conv", "conv_0": "conv1.conv", "conv_1": "conv2.conv"}
PATH_MODULES = {
    "edge": {"style": "norm_s1", "content_0": "norm_e1", "content_1": "norm_e2"}
    | {"conv_in": "conv_s1", "conv_middle": "conv_e1", "conv_out": "conv_e2"},
    "pose": {"style": "norm_s2", "content_0": "norm_p1", "content_1": "norm_p2"}
    | {"conv_in": "conv_s2", "conv_middle": "conv_p1", "conv_out": "conv_p2"},
}


def convert(path, output) -> Path:
    """Writes the release's generator file as a folder that `ScaGan.from_pretrained` loads.

    What the file starts from, noise or the target pose, is read off its tensors.

    Args:
        path: a generator of phase 2, such as `latest_netG.pth`; read with `weights_only=True`. It holds the
            PCT-Net too, so a file of phase 1, which holds nothing else, is refused.
        output: the folder; files in it appear once all of them are written.
    Returns:
        `output`.
    Raises:
        ValueError: for an unreadable or damaged file, one that is no generator of the release, a missing,
            extra or misshapen tensor (by name), or an `output` that cannot be written.
    """
    from .pipeline import ScaGan

    check_folder(output)
    pct_net, is_net = translate(read(path))
    content = Content(heatmap_sigma=12.0, prior="patches_release", alignment="none")
    pipe = ScaGan(pct_net=pct_net, is_net=is_net, content=content)
    pipe.report = {"license": "unknown", "limits": LIMITS}
    pipe.save_pretrained(output)
    return Path(output)


def read(path) -> dict[str, torch.Tensor]:
    """The state dict of a file of the release, without DataParallel's prefix.

    Raises:
        ValueError: when there is no such file, it cannot be read as weights alone, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected the release's generator, for example latest_netG.pth")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the parser of damaged bytes can raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"{path} cannot be read as PyTorch weights ({reason[0][:200]}): it is damaged, or holds code "
            "besides weights, which is never run; download it again from its authors"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise ValueError(f"{path} is not a generator's state dict: expected names with a tensor each")
    odd = [f"{name} ({fault})" for name, tensor in state.items() if (fault := _odd(tensor))]
    if odd:
        raise ValueError(f"{path} is not a generator's state dict: expected finite floats, got {_listed(odd)}")
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _odd(tensor: torch.Tensor) -> str | None:
    """What a tensor is that no weight is."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        return "sparse" if tensor.layout != torch.strided else "quantized"
    if tensor.device.type != "cpu":
        return f"on {tensor.device.type}"
    if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        return None if tensor.dtype == torch.int64 and tensor.ndim == 0 else str(tensor.dtype).removeprefix("torch.")
    return None if torch.isfinite(tensor).all() else "NaN or infinity"


def translate(state: dict[str, torch.Tensor]) -> tuple[PCTNet, ISNet]:
    """A state dict in the release's names (as from `read`) -> our nets, in evaluation mode.

    Raises:
        ValueError: when it is no generator of phase 2, or a tensor is missing, extra or misshapen (by name).
    """
    if not any(name.startswith("enc_style.") for name in state):
        phase_1 = PCT_NET_MODULES["conv_in"] + ".weight" in state
        what = "the PCT-Net of phase 1 alone" if phase_1 else "no generator of the release"
        raise ValueError(f"the file holds {what}: expected the generator of phase 2, for example latest_netG.pth")
    start = "pose" if "fc.weight" in state and state["fc.weight"].ndim == 4 else "noise"
    with init_empty_weights():
        pct_net, is_net = PCTNet(), ISNet(start=start)
    _check(state, _expected(pct_net, PCT_NET_NAMES) | _expected(is_net, IS_NET_NAMES))
    for net, names in ((pct_net, PCT_NET_NAMES), (is_net, IS_NET_NAMES)):
        net.load_state_dict({name: _tensor(state, names, name) for name in net.state_dict()}, assign=True)
        net.eval()
    return pct_net, is_net


def _is_net_names() -> dict[str, str]:
    names = {"first": "fc", "conv_out": "conv_img"}
    for k in range(6):
        for ours, theirs in STYLE_BLOCK_MODULES.items():
            names[f"encoder.{k}.{ours}"] = f"enc_style.model.{k}.{theirs}"
    for k, block in enumerate(BLOCKS):
        for path, modules in PATH_MODULES.items():
            for ours, theirs in modules.items():
                module = f"blocks.{k}.paths.{path}.{ours}"
                if theirs.startswith("norm_"):
                    names[f"{module}.shared"] = f"{block}.{theirs}.mlp_shared.0"
                    names[f"{module}.affine"] = f"{block}.{theirs}"
                else:
                    names[module] = f"{block}.{theirs}"
    return names


PCT_NET_NAMES = {ours: PCT_NET + theirs for ours, theirs in PCT_NET_MODULES.items()}
IS_NET_NAMES = _is_net_names()


def _twin(name: str) -> str | None:
    """The second name of a tensor of the style encoder: enc_style.model.K is head_0 (K = 0) or down_{K-1}."""
    if not name.startswith("enc_style.model."):
        return None
    k, rest = name.removeprefix("enc_style.model.").split(".", 1)
    return f"enc_style.{'head_0' if k == '0' else f'down_{int(k) - 1}'}.{rest}"


def _expected(net: nn.Module, names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    """The release's names of a net's tensors, with their shapes."""
    expected = {}
    for ours, tensor in net.state_dict().items():
        module, leaf = ours.rsplit(".", 1)
        if module.endswith(".affine"):
            half = (tensor.shape[0] // 2, *tensor.shape[1:])
            expected |= {f"{names[module]}.mlp_{part}.{leaf}": half for part in ("gamma", "beta")}
            continue
        theirs = f"{names[module]}.{leaf}"
        expected[theirs] = tuple(tensor.shape)
        if twin := _twin(theirs):
            expected[twin] = tuple(tensor.shape)
    return expected


def _check(state: dict[str, torch.Tensor], expected: dict[str, tuple[int, ...]]) -> None:
    missing = [name for name in expected if name not in state]
    extra = [name for name in state if name not in expected]
    misshapen = [
        f"{name} is {tuple(state[name].shape)} where {shape} was expected"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    faults = {"missing": missing, "extra": extra, "misshapen": misshapen}
    if not any(faults.values()):
        faults["different from its copy"] = [
            name for name in expected if (twin := _twin(name)) and not torch.equal(state[name], state[twin])
        ]
    faults = [f"{fault}: {_listed(names)}" for fault, names in faults.items() if names]
    if faults:
        raise ValueError(f"not the release's generator; {'; '.join(faults)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _tensor(state: dict[str, torch.Tensor], names: dict[str, str], ours: str) -> torch.Tensor:
    module, leaf = ours.rsplit(".", 1)
    if not module.endswith(".affine"):
        return state[f"{names[module]}.{leaf}"]
    gamma, beta = (state[f"{names[module]}.mlp_{part}.{leaf}"] for part in ("gamma", "beta"))
    return torch.cat([gamma + 1 if leaf == "bias" else gamma, beta])
