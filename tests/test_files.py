"""Files that cannot lie: written whole or not at all, loaded as they were checked, and damaged ones told in a line."""

import json
import math
import multiprocessing
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scagan_hub import ScaGan
from scagan_hub.cli import main
from scagan_hub.domain import Domain
from scagan_hub.evaluation.progress import Progress
from scagan_hub.files import writing
from scagan_hub.files.locks import UNFINISHED, claimed
from scagan_hub.files.writing import check_folder, whole_file, whole_folder
from scagan_hub.hub.saved import REPORT, SavedPipeline

ROOT = Path(__file__).parent.parent
WEIGHTS, INDEX = "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json"
unix = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


@pytest.fixture
def folder(tiny_pipe, tmp_path) -> Path:
    tiny_pipe.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith(UNFINISHED))


# Whole or not at all


@unix
def test_a_file_hands_on_its_mode_and_stays_behind_its_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o600)
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with whole_file(tmp_path / "link.txt") as partial:
        partial.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real.txt").stat().st_mode) == 0o600
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ValueError, match="no ordinary file"), whole_file(tmp_path / "fifo"):
        pass
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode) and not left(tmp_path)


@pytest.fixture
def mounted(tmp_path) -> Path:
    """An empty file system of its own, as a container's volume is."""
    path = tmp_path / "volume"
    path.mkdir()
    if (
        sys.platform != "linux"
        or subprocess.run(["mount", "-t", "tmpfs", "volume", path], capture_output=True).returncode
    ):
        pytest.skip("nothing can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_model_is_written_onto_a_mount_point(mounted, tiny_pipe):
    tiny_pipe.save_pretrained(mounted)
    tiny_pipe.save_pretrained(mounted)
    assert ScaGan.from_pretrained(mounted) and not left(mounted)
    (mounted / writing.SWITCHING).touch()
    with pytest.raises(ValueError, match=r"may not belong together; write it again$"):
        ScaGan.from_pretrained(mounted)
    tiny_pipe.save_pretrained(mounted)
    assert ScaGan.from_pretrained(mounted)


def test_a_file_that_is_a_mount_point_is_filled(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(16, "Device or resource busy")

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(Path, "replace", refused)
    with whole_file(tmp_path / "file") as partial:
        partial.write_text("new")
    assert (tmp_path / "file").read_text() == "new" and not left(tmp_path)


def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path, capsys):
    (tmp_path / "latest_netG.pth").write_bytes(b"damaged")
    (tmp_path / "taken").touch()
    assert main(["convert", str(tmp_path / "latest_netG.pth"), "--output", str(tmp_path / "taken" / "deep")]) == 1
    assert "cannot write the folder" in capsys.readouterr().err
    check_folder(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("exchanged", [True, False])
def test_other_files_are_kept_and_those_that_described_the_old_go(tmp_path, monkeypatch, exchanged):
    if not exchanged:
        monkeypatch.setattr(writing, "_exchange", lambda *_: False)
    with whole_folder(tmp_path / "new" / "deep") as partial:
        (partial / "a").write_text("1")
    for name in ("report.json", "part/x.index.json", "part/own", "b"):
        (tmp_path / "new" / "deep" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "new" / "deep" / name).write_text("old")
    with whole_folder(tmp_path / "new" / "deep", ("report.json", "*.index.json")) as partial:
        (partial / "a").write_text("2")
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"new/deep/a", "new/deep/part/own", "new/deep/b"}
    assert (tmp_path / "new" / "deep" / "a").read_text() == "2"


def test_weights_saved_without_a_report_have_none(folder, tiny_pipe):
    (folder / REPORT).write_text(json.dumps({"training": {"steps": 5}}))
    tiny_pipe.save_pretrained(folder)
    assert not (folder / REPORT).exists() and ScaGan.from_pretrained(folder).report is None


SAVE = """
import sys, torch
from conftest import make_pipe
pipe = make_pipe()
for net in (pipe.pct_net, pipe.is_net):
    for weight in net.parameters():
        weight.data.fill_(float(sys.argv[2]))
print("saving", flush=True)
while True:
    pipe.save_pretrained(sys.argv[1])
"""


@unix
def test_a_kill_leaves_no_net_of_each(folder):
    command = [sys.executable, "-c", SAVE, str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    for number in (1, 2):
        process = subprocess.Popen([*command, str(number)], env=environment, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(random.uniform(0.2, 0.6))
        process.kill()
        process.wait()
        nets = [load_file(folder / net / WEIGHTS) for net in ("pct_net", "is_net")]
        assert len({float(tensor.float().mean()) for net in nets for tensor in net.values() if tensor.ndim > 1}) == 1
    with whole_folder(folder):
        pass
    assert not left(folder.parent)


def _write_slowly(path, begun):
    with whole_folder(path) as partial:
        (partial / "a").touch()
        begun.set()
        time.sleep(60)


@unix
def test_the_second_run_in_a_folder_says_so_until_the_first_is_dead(tmp_path):
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    process = context.Process(target=_write_slowly, args=(tmp_path / "out", begun))
    process.start()
    begun.wait(10)
    with pytest.raises(ValueError, match="another run is writing there"), whole_folder(tmp_path / "out"):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert left(tmp_path)
    with whole_folder(tmp_path / "out") as partial:
        (partial / "b").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"] and not left(tmp_path)
    with claimed(tmp_path / "run"):
        with pytest.raises(ValueError, match="another run is writing there"), claimed(tmp_path / "run"):
            pass
        with claimed(tmp_path / "run", "report.json"):
            pass
    assert not left(tmp_path)


# What is checked is what is loaded


def change(file: Path, of) -> None:
    tensors = load_file(file)
    name = next(name for name, tensor in sorted(tensors.items()) if tensor.ndim > 1)
    tensors[name] = of(tensors[name])
    save_file(tensors, file, {"format": "pt"})


def test_an_index_beside_the_weights_changes_nothing(folder):
    """diffusers would load by it."""
    checked = ScaGan.from_pretrained(folder).pct_net.state_dict()
    tensors = load_file(folder / "pct_net" / WEIGHTS)
    save_file(
        {name: torch.zeros_like(t) for name, t in tensors.items()},
        folder / "pct_net" / "evil.safetensors",
        {"format": "pt"},
    )
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(tensors, "evil.safetensors")}
    (folder / "pct_net" / INDEX).write_text(json.dumps(index))
    loaded = ScaGan.from_pretrained(folder).pct_net.state_dict()
    assert all(torch.equal(checked[name], loaded[name]) for name in checked)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda t: t * math.nan, "NaN or infinity"),
        (lambda t: t.fill_(math.inf), "NaN or infinity"),
        (lambda t: t.to(torch.int32), "int32"),
        (lambda t: t.to(torch.bool), "bool"),
        (lambda t: t.to(torch.complex64), "complex64"),
        (lambda t: t.to(torch.float64), "float64"),
        (lambda t: t.to(torch.float8_e4m3fn), "float8"),
    ],
)
def test_weights_that_are_no_finite_floats_are_named(folder, of, said):
    change(folder / "is_net" / WEIGHTS, of)
    with pytest.raises(ValueError, match=rf"^[^\n]*{said}[^\n]*$"):
        ScaGan.from_pretrained(folder)


@pytest.mark.parametrize(
    ("net", "key", "value"),
    [
        ("pct_net", "residual_blocks", 10**7),
        ("pct_net", "width", 10**9),
        ("is_net", "width", 10**9),
        ("is_net", "modulation_width", 10**7),
        ("pct_net", "prior_channels", 2**62),
    ],
)
def test_absurd_configurations_are_refused_before_they_are_built(folder, net, key, value):
    config = json.loads((folder / net / "config.json").read_text())
    (folder / net / "config.json").write_text(json.dumps(config | {key: value}))
    started = time.process_time()
    with pytest.raises(ValueError, match=r"^[^\n]*config\.json[^\n]*$"):
        ScaGan.from_pretrained(folder)
    assert time.process_time() - started < 2


# A damaged file is one line


def test_a_damaged_domain_is_a_line(tmp_path):
    whole = (Path(ROOT) / "scagan_hub/assets/demo/domain.npz").read_bytes()
    rng = np.random.default_rng(0)
    cases = [whole[:length] for length in rng.integers(0, len(whole), 40)]
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        cases.append(bytes(damaged))
    good = 0
    for content in cases:
        (tmp_path / "domain.npz").write_bytes(content)
        try:
            Domain.read(tmp_path / "domain.npz")
            good += 1  # a bit that no array depends on
        except ValueError as error:
            assert len(str(error).splitlines()) == 1
    assert good < 10
    arrays = dict(np.load(Path(ROOT) / "scagan_hub/assets/demo/domain.npz"))
    for name, array in (
        ("mean", arrays["mean"] * np.nan),
        ("pose_limit", np.float64(0)),
        ("points", np.zeros((0, 18, 2))),
        ("whitening", np.zeros((3, 3))),
        ("present", np.array(["a"])),
    ):
        np.savez(tmp_path / "odd.npz", **(arrays | {name: array}))
        with pytest.raises(ValueError, match=r"^[^\n]+not a measured domain[^\n]+$"):
            Domain.read(tmp_path / "odd.npz")


@pytest.mark.parametrize(
    "report",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"odd": 1}',
        '{"figures": 5}',
        '{"figures": [5]}',
        '{"figures": [{"protocol": "x"}]}',
        '{"figures": [{"protocol": "x", "rows": {"Model": {"SSIM": "high"}}}]}',
        '{"figures": [{"protocol": "x", "rows": {"Model": {"SSIM": NaN}}}]}',
        '{"figures": [{"protocol": "x", "rows": {"Model": []}}]}',
        '{"training": "long"}',
        '{"limits": {}}',
    ],
)
def test_an_odd_report_is_a_line(folder, report):
    (folder / REPORT).write_text(report)
    with pytest.raises(ValueError, match=r"^[^\n]+no report of a model[^\n]+$"):
        ScaGan.from_pretrained(folder)


def test_bytes_flipped_anywhere_in_a_model_are_a_line_or_nothing(folder):
    files = [file for file in folder.rglob("*") if file.suffix in (".json", ".safetensors")]
    rng = np.random.default_rng(1)
    for _ in range(30):
        file = files[rng.integers(len(files))]
        whole = file.read_bytes()
        damaged = bytearray(whole)
        damaged[rng.integers(min(len(whole), 3000))] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        try:
            ScaGan.from_pretrained(folder)
        except ValueError as error:
            assert len(str(error).splitlines()) == 1
        file.write_bytes(whole)


@unix
def test_pipes_are_not_waited_for(folder, tmp_path, capsys):
    from scagan_hub.data.images import BadImage, read_image
    from scagan_hub.data.places import read_correspondences

    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(BadImage, match="no ordinary file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(BadImage, match="no ordinary file"):
        read_correspondences(tmp_path / "a.png", 0, 1)
    for file in (REPORT, "domain.npz", "model_index.json", "is_net/config.json", f"is_net/{WEIGHTS}"):
        kept = (folder / file).read_bytes() if (folder / file).exists() else None
        (folder / file).unlink(missing_ok=True)
        os.mkfifo(folder / file)
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            ScaGan.from_pretrained(folder)
        (folder / file).unlink()
        if kept is not None:
            (folder / file).write_bytes(kept)
    assert main(["compare", str(tmp_path / "a.png"), "--output", str(tmp_path / "table.md")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", os.urandom(500)])
def test_a_damaged_part_of_an_evaluation_is_begun_anew(tmp_path, content):
    (tmp_path / "part.npz").write_bytes(content)
    progress = Progress(None, tmp_path / "part.npz", "fingerprint", 10)
    assert progress.done == 0 and not progress.values


@pytest.mark.parametrize("kind", ["int64", "bool", "sparse", "meta", "complex64", "nan"])
def test_odd_tensors_are_not_converted(tmp_path, kind, capsys):
    weight = torch.ones(3, 3)
    tensor = {
        "sparse": lambda: weight.to_sparse(),
        "meta": lambda: weight.to("meta"),
        "nan": lambda: weight * math.nan,
    }.get(kind, lambda: weight.to(getattr(torch, kind)))()
    torch.save({"enc_style.model.0.weight": tensor}, tmp_path / "latest_netG.pth")
    assert main(["convert", str(tmp_path / "latest_netG.pth"), "--output", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected finite floats" in line and "enc_style.model.0.weight" in line
    assert not (tmp_path / "out").exists()


def test_pipelines_name_what_goes_stale():
    assert REPORT in sys.modules[SavedPipeline.__module__].STALE
