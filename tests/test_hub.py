"""Models on disk and on the Hub: what is saved comes back; what is damaged is refused by name."""

import json
import os
import shutil
import subprocess
import sys

import fake_hub
import pytest
import torch
from conftest import make_pipe
from safetensors.torch import load_file, save_file

from scagan_hub import ScaGan
from scagan_hub.hub import card
from scagan_hub.hub.checks import read_shapes

WEIGHTS = "diffusion_pytorch_model.safetensors"
REPORT = {
    "training": {"command": "accelerate launch train_accelerate.py --data people", "steps": 1200},
    "figures": [{"protocol": "unpadded", "rows": {"Warp alone": {"SSIM": 0.7123}, "Model": {"SSIM": 0.7, "n": 3}}}],
    "limits": ["Rendered people only."],
}


@pytest.fixture
def folder(tiny_folder, tmp_path):
    """A copy of the saved model, to be damaged."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


def change_tensors(file, change):
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def test_a_model_comes_back_as_it_was_saved(tiny_pipe, tiny_folder):
    pipe = ScaGan.from_pretrained(tiny_folder)
    for net in ("pct_net", "is_net"):
        saved, loaded = getattr(tiny_pipe, net).state_dict(), getattr(pipe, net).state_dict()
        assert saved.keys() == loaded.keys()
        assert all(torch.equal(saved[name], loaded[name]) for name in saved)
        tensors = [*getattr(pipe, net).parameters(), *getattr(pipe, net).buffers()]
        assert not any(tensor.is_meta for tensor in tensors) and not getattr(pipe, net).training
    assert pipe.content.to_json_string() == tiny_pipe.content.to_json_string()
    assert pipe.report is None


def test_half_precision_weights_load_as_single_precision(tmp_path):
    pipe = make_pipe().to(torch.float16)
    pipe.save_pretrained(tmp_path / "half", variant="fp16")
    assert (tmp_path / "half/is_net/diffusion_pytorch_model.fp16.safetensors").is_file()
    assert ScaGan.from_pretrained(tmp_path / "half", variant="fp16").is_net.dtype == torch.float32
    with pytest.raises(ValueError, match=WEIGHTS):
        ScaGan.from_pretrained(tmp_path / "half")


@pytest.mark.parametrize("net", ["pct_net", "is_net"])
@pytest.mark.parametrize("fault", ["missing", "not the model's", "misshapen"])
def test_tensors_that_do_not_fit_are_named(folder, net, fault):
    name = "conv_out.bias"

    def change(tensors):
        if fault == "misshapen":
            tensors[name] = torch.zeros(7)
        elif fault == "missing":
            del tensors[name]
        else:
            tensors["stray"] = torch.zeros(1)

    change_tensors(folder / net / WEIGHTS, change)
    with pytest.raises(ValueError, match=fault) as error:
        ScaGan.from_pretrained(folder)
    assert ("stray" if fault == "not the model's" else name) in str(error.value)
    assert str(folder / net / WEIGHTS) in str(error.value)


def test_every_flipped_byte_of_the_header_is_found(tmp_path):
    damaged = tmp_path / WEIGHTS
    save_file({"conv.weight": torch.ones(4, 2, 3, 3), "conv.bias": torch.ones(4)}, damaged, {"format": "pt"})
    content, expected = bytearray(damaged.read_bytes()), read_shapes(damaged)
    for position in range(8 + int.from_bytes(content[:8], "little")):
        content[position] ^= 1
        damaged.write_bytes(content)
        content[position] ^= 1
        try:
            assert read_shapes(damaged) != expected, f"byte {position}"
        except ValueError as error:
            assert str(damaged) in str(error)


@pytest.mark.parametrize(
    "file",
    ["model_index.json", "pct_net/config.json", "is_net/config.json", "content/content_config.json"]
    + [f"{net}/{WEIGHTS}" for net in ("pct_net", "is_net")],
)
@pytest.mark.parametrize("fault", ["missing", "empty", "cut"])
def test_files_missing_or_damaged_are_named(folder, file, fault):
    content = (folder / file).read_bytes()
    (folder / file).unlink()
    if fault != "missing":
        (folder / file).write_bytes(content[: 0 if fault == "empty" else len(content) // 2])
    with pytest.raises(ValueError) as error:
        ScaGan.from_pretrained(folder)
    assert str(folder / file) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "key", "value", "match"),
    [
        ("model_index.json", "_class_name", "StableDiffusionPipeline", "expected a model of ScaGan"),
        ("model_index.json", "is_net", ["os", "system"], "components"),
        ("is_net/config.json", "widht", 4, "knows no 'widht'"),
        ("is_net/config.json", "width", "many", "describes no ISNet"),
        ("is_net/config.json", "block", "none such", "describes no ISNet"),
        ("content/content_config.json", "prior", "none such", "describes no Content"),
    ],
)
def test_configurations_are_checked(folder, file, key, value, match):
    values = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(values | {key: value}))
    with pytest.raises(ValueError, match=match):
        ScaGan.from_pretrained(folder)


def test_a_component_may_be_given(folder, tiny_pipe):
    shutil.rmtree(folder / "pct_net")
    assert ScaGan.from_pretrained(folder, pct_net=tiny_pipe.pct_net).pct_net is tiny_pipe.pct_net


@pytest.mark.parametrize("name", ["/nowhere/model", "nowhere", "a/b/c", "not an/id!", "somebody/unknown-model"])
def test_an_unknown_model_is_one_clear_line(name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=name) as error:
        ScaGan.from_pretrained(name, cache_dir=tmp_path)
    assert "\n" not in str(error.value)


def test_saving_is_whole_or_not_at_all(tiny_pipe, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(tiny_pipe.is_net), "save_pretrained", fail)
        with pytest.raises(ValueError, match="No space left"):
            tiny_pipe.save_pretrained(tmp_path / "model")
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "notes.txt"]
    tiny_pipe.save_pretrained(tmp_path / "model")
    ScaGan.from_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with pytest.raises(ValueError, match="there is a file of that name"):
        tiny_pipe.save_pretrained(tmp_path / "model" / "notes.txt")
    with pytest.raises(ValueError, match="cannot write"):
        tiny_pipe.save_pretrained("/proc/nowhere/model")


def test_the_report_is_kept_and_fills_the_card(tmp_path):
    pipe = make_pipe()
    pipe.report = REPORT
    pipe.save_pretrained(tmp_path / "model")
    again = ScaGan.from_pretrained(tmp_path / "model")
    assert again.report == REPORT
    text = (tmp_path / "model" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: scagan-hub\npipeline_tag: image-to-image\nlicense: apache-2.0\n")
    assert "| unpadded | SSIM | n |" in text and "| Warp alone | 0.712 | - |" in text
    assert "| Model | 0.700 | 3 |" in text and "`accelerate launch" in text and "- Rendered people only." in text
    assert "64 x 44 pixels" in text and "$" not in text


def test_a_card_without_a_report_says_so(tiny_folder):
    assert "No figures were measured" in (tiny_folder / "README.md").read_text()
    with pytest.raises(ValueError, match="figuers"):
        card.render({"content": {"image_size": (64, 44)}}, {"figuers": []})


def test_push_to_hub_and_back(tiny_folder, tmp_path):
    script = (
        "import sys; from scagan_hub import ScaGan\n"
        "print(ScaGan.from_pretrained(sys.argv[1]).push_to_hub('me/tiny', token='hf_secret', private=True))\n"
        "ScaGan.from_pretrained('me/tiny').save_pretrained(sys.argv[2])\n"
        "ScaGan.from_pretrained('me/unknown')"
    )
    with fake_hub.serve() as hub:
        env = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        env |= {"HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, "-c", script, str(tiny_folder), str(tmp_path / "back")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert "ValueError: no model folder me/unknown, and the Hub gave no such model" in done.stderr, done.stderr
    assert f"{hub.url}/me/tiny/commit/" in done.stdout
    assert hub.commits == [("me/tiny", "Upload model")] and "Bearer hf_secret" in hub.tokens
    pushed = hub.files["me/tiny"]
    assert {"README.md", "model_index.json", f"is_net/{WEIGHTS}", "content/content_config.json"} <= pushed.keys()
    assert 'from_pretrained("me/tiny")' in pushed["README.md"].decode()
    for net in ("pct_net", "is_net"):
        weights = (tiny_folder / net / WEIGHTS).read_bytes()
        assert pushed[f"{net}/{WEIGHTS}"] == weights == (tmp_path / "back" / net / WEIGHTS).read_bytes()


def test_a_saved_model_does_not_tell_where_it_was_loaded_from(tiny_folder, tmp_path):
    ScaGan.from_pretrained(tiny_folder).save_pretrained(tmp_path / "again")
    for path in (tmp_path / "again").rglob("*.json"):
        assert str(tiny_folder) not in path.read_text()
