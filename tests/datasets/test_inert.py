"""Weight files read without running them: what is given back, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from datasets.inert import InertError, Named, Record, read, state_of, tensors_of
from datasets.torchscript import is_torchscript


def same(a: Any, b: Any) -> bool:
    """Whether two contents are equal, and their tensors of one type."""
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(np.array_equal(a, b))


def content() -> dict[str, Any]:
    """All that a state dict of an optimiser and a network may hold."""
    whole = torch.arange(12.0).reshape(3, 4)
    dtypes = (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int16, torch.int32)
    return {
        "view": whole[1:, ::2],
        "transposed": whole.T,
        "expanded": torch.tensor([2.0]).expand(3, 5),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(4),
        "parameter": nn.Parameter(whole).detach(),
        "mask": whole > 3,
        "complex": torch.complex(whole, whole),
        "order": OrderedDict(b=1, a=torch.ones(1)),
        "numbers": [1, -1, 2**40, 2**80, 0.5, True, None, (1, 2), "é", b"bytes"],
        "set": {1, 2},
        **{str(dtype): torch.arange(5).to(dtype) for dtype in dtypes},
    }


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_is_saved_is_read(is_zip: bool, tmp_path: Path) -> None:
    saved = {**content(), "unsigned": torch.arange(5).to(torch.uint16)} if is_zip else content()
    torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=is_zip)
    assert same(read(tmp_path / "a.pt"), saved)


def test_safetensors_are_read(tmp_path: Path) -> None:
    saved = {"a": torch.arange(3), "b": torch.ones(2, 2).half()}
    save_file(saved, tmp_path / "a.safetensors")
    assert same(read(tmp_path / "a.safetensors"), saved)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_arrays_are_read(protocol: int, tmp_path: Path) -> None:
    saved = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "one": np.float64(0.25),
        "mask": np.array([True, False]),
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(saved, protocol))
    assert same(read(tmp_path / "a.pkl"), saved)


def test_a_whole_network_is_its_state_dict(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4)))
    network.register_buffer("own", torch.ones(2), persistent=False)
    torch.save(network, tmp_path / "a.pt")
    whole = read(tmp_path / "a.pt")
    assert isinstance(whole, Record)
    assert same(tensors_of(whole), dict(network.state_dict()))
    torch.save({"model": network}, tmp_path / "b.pt")
    assert same(state_of(read(tmp_path / "b.pt"), ["model"]), dict(network.state_dict()))


class Calls:
    """An object that its file makes by a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_nothing_is_called_or_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Calls(os.system, "touch owned"), "b": os.system}, "a.pt")
    found = read(Path("a.pt"))
    assert isinstance(found["a"], Record)
    assert found["a"].name.endswith(".system")
    assert found["a"].arguments == ("touch owned",)
    assert isinstance(found["b"], Named)
    # A module that is not there is no mistake: nothing is imported.
    Path("b.pkl").write_bytes(b"cno.such.module\nName\n(S'x'\ntR.")
    assert read(Path("b.pkl")).name == "no.such.module.Name"
    Path("c.pkl").write_bytes(b"(S'touch owned'\nios\nsystem\n.")
    assert read(Path("c.pkl")).name == "os.system"
    with pytest.raises(InertError, match=r"refused, it is not plain weights \(os.system\)"):
        state_of({"model": read(Path("c.pkl"))}, ["model"])
    assert not Path("owned").exists()


def test_torchscript_is_told_by_its_contents(tmp_path: Path) -> None:
    file = tmp_path / "a.pth"
    torch.jit.save(torch.jit.script(nn.Conv2d(1, 1, 1)), file)
    with pytest.raises(InertError, match="which is code: the word torchscript:FILE asks to run it"):
        read(file)
    assert is_torchscript(file)
    torch.save({"a": torch.zeros(1)}, tmp_path / "b.pth")
    (tmp_path / "c.pth").write_bytes(file.read_bytes()[:-9])
    for other in (tmp_path / "b.pth", tmp_path / "c.pth", tmp_path):
        assert not is_torchscript(other)


def packed(data: bytes, compression: int) -> bytes:
    """A zip file of torch with other entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def saved(content: Any, is_zip: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


WEIGHTS = {"a": torch.arange(1000.0)}
HOSTILE = {
    "nothing": b"",
    "text": b"garbage",
    "a zip file that is none": b"PK\x03\x04 no archive",
    "cut zip": saved(WEIGHTS)[:-3000],
    "cut": saved(WEIGHTS, is_zip=False)[:-10],
    "packed": packed(saved(WEIGHTS), zipfile.ZIP_DEFLATED),
    "a memo of billions": b"\x80\x02]r\xff\xff\xff\xff(.",
    "bytes of billions": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    "a number of billions": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "an extension": b"\x80\x02\x82\x01.",
    "an empty stack": b"\x80\x02R.",
    "state for a list": b"\x80\x02]}b.",
    "keys for a tensor": b"\x80\x02K\x01K\x02K\x03s.",
    "an array of objects": b"cnumpy\ndtype\n(S'O'\ntR.",
    "an array too short": pickle.dumps(np.zeros(3), 2).replace(b"K\x03\x85", b"K\x09\x85"),
    "a key that is hashed for ever": b"\x80\x02}" + b")" + b"2\x86" * 100 + b"K\x01s.",
    "elements that are hashed for ever": b"\x80\x04(" + b")" + b"2\x86" * 100 + b"\x91.",
    "pairs that are hashed for ever": b"\x80\x02(" + b")" + b"2\x86" * 100 + b"K\x01d.",
    "bytes of a number": b"cnumpy\ndtype\n(S'u1'\ntRq\x00cnumpy.core.multiarray\nscalar\n"
    b"(h\x00L99999999999L\ntR.",
    "arguments of a tensor": b"ctorch\nSize\nK\x07R.",
    "deep": b"(" * 100_000 + b"t" * 100_000 + b"a.",
}


def test_no_module_of_torch_is_imported_for_a_name(tmp_path: Path) -> None:
    before = set(sys.modules)
    for name in ("compiler", "onnx", "_inductor", "export", "float32"):
        (tmp_path / "a.pkl").write_bytes(f"ctorch\n{name}\n.".encode())
        found = read(tmp_path / "a.pkl")
        assert found is torch.float32 if name == "float32" else isinstance(found, Named)
    assert set(sys.modules) == before


def test_entries_that_lie_in_one_place_are_no_more_than_the_file(tmp_path: Path) -> None:
    """A few numbers of each, where each is said to be the whole file."""
    whole = saved({str(i): torch.zeros(4) + i for i in range(8)})
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as of, zipfile.ZipFile(out, "w") as to:
        for name in of.namelist():
            is_last = name.endswith("data/7")
            to.writestr(name, bytes(100_000) if is_last else of.read(name))
    (tmp_path / "a.pt").write_bytes(out.getvalue())
    with pytest.raises(InertError, match="a part of it is missing"):
        read(tmp_path / "a.pt")


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("ending", ["pth", "safetensors", "bin"])
def test_the_bytes_say_what_a_file_is(kind: str, ending: str, tmp_path: Path) -> None:
    tensor, file = torch.arange(6.0).reshape(2, 3), tmp_path / f"a.{ending}"
    if kind == "safetensors":
        save_file({"a" * name: tensor.clone() for name in range(1, 20)}, file)
    else:
        file.write_bytes(saved({"a": tensor}, kind == "zip"))
    assert torch.equal(read(file)["a"], tensor)


def test_a_length_that_looks_like_something_else_is_one(tmp_path: Path) -> None:
    head = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    for length in (ord("<"), 0x8B1F, 0x3C20):
        data = struct.pack("<Q", length) + head.ljust(length) + struct.pack("<f", 2)
        (tmp_path / "a.safetensors").write_bytes(data)
        assert read(tmp_path / "a.safetensors")["a"].tolist() == [2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "Git LFS's pointer .* git lfs pull",
        ),
        (b"\n<!DOCTYPE html><html>", "a web page, not the file: download the file itself"),
        (gzip.compress(saved({}, is_zip=True)), r"packed \(gzip\): unpack it"),
        (bz2.compress(b"weights"), r"packed \(bzip2\): unpack it"),
        (lzma.compress(b"weights"), r"packed \(xz\): unpack it"),
        (b"\x89HDF\r\n\x1a\n", "HDF5, .* save the weights as safetensors"),
    ],
    ids=["lfs", "page", "gzip", "bzip2", "xz", "hdf5"],
)
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_what_is_no_weight_file_is_told(
    content: bytes, says: str, ending: str, tmp_path: Path
) -> None:
    (tmp_path / f"a.{ending}").write_bytes(content)
    with pytest.raises(InertError, match=says):
        read(tmp_path / f"a.{ending}")


@pytest.mark.parametrize("is_zip", [True, False])
def test_quantised_numbers_are_told(is_zip: bool, tmp_path: Path) -> None:
    kind = torch.qint8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about the format
        data = saved({"a": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, kind)}, is_zip=is_zip)
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(InertError, match="save the weights as floating-point ones"):
        read(tmp_path / "a.pth")


@pytest.mark.parametrize("case", HOSTILE)
def test_damage_is_one_line(case: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(HOSTILE[case])
    with pytest.raises(InertError) as caught:
        read(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)


CHANGES = {
    "a view of billions": (b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"),
    "a view of less than none": (b"K\x03\x85", b"J\xff\xff\xff\xff\x85"),
    "a step out of the storage": (b"K\x01\x85", b"K\x09\x85"),
    "a beginning behind the end": (b"QK\x00K\x03", b"QK\x09K\x03"),
    "a storage of billions": (b"cpuq\x06K\x03", b"cpuq\x06J\xff\xff\xff\x7f"),
    "a storage of less than none": (b"cpuq\x06K\x03", b"cpuq\x06J\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("case", CHANGES)
def test_no_tensor_is_larger_than_its_numbers(case: str, is_zip: bool, tmp_path: Path) -> None:
    whole, (old, new) = saved({"a": torch.zeros(3)}, is_zip), CHANGES[case]
    if is_zip:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as of, zipfile.ZipFile(out, "w") as to:
            assert old in of.read("archive/data.pkl")
            for name in of.namelist():
                to.writestr(name, of.read(name).replace(old, new))
        changed = out.getvalue()
    else:
        assert old in whole
        changed = whole.replace(old, new)
    (tmp_path / "a.pt").write_bytes(changed)
    with pytest.raises(InertError):
        read(tmp_path / "a.pt")


def test_a_network_that_is_named_without_end_is_refused(tmp_path: Path) -> None:
    part: nn.Module = nn.Identity()
    for _ in range(40):
        part = nn.Sequential(part, part)
    torch.save(part, tmp_path / "a.pt")
    with pytest.raises(InertError, match="more than 100,000 modules"):
        tensors_of(read(tmp_path / "a.pt"))


def test_torch_knows_no_more_safe_classes_than_before(tmp_path: Path) -> None:
    before = list(torch.serialization.get_safe_globals())
    torch.save(nn.Conv2d(1, 1, 1), tmp_path / "a.pt")
    read(tmp_path / "a.pt")
    assert torch.serialization.get_safe_globals() == before
