"""Weights in: what is taken and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from derainers import DerainerError
from derainers.card import read_card
from derainers.checkpoint import load_weights
from derainers.layouts import KEYS
from derainers.shards import shards, weights_sha256


class Evil:
    """Unpickling this would run a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def network() -> nn.Module:
    return nn.Conv2d(3, 3, 1)


@pytest.mark.parametrize("wrapper", [None, *KEYS])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_common_layouts_are_looked_through(
    wrapper: str | None, prefix: str, tmp_path: Path
) -> None:
    state = {prefix + k: v for k, v in network().state_dict().items()}
    torch.save({wrapper: state} if wrapper else state, tmp_path / "a.pth")
    target = network()
    load_weights(target, tmp_path / "a.pth")
    assert torch.equal(target.state_dict()["weight"], state[prefix + "weight"])


def test_half_precision_safetensors_are_cast(tmp_path: Path) -> None:
    state = {k: v.half() for k, v in network().state_dict().items()}
    save_file(state, tmp_path / "a.safetensors")
    target = network()
    load_weights(target, tmp_path / "a.safetensors")
    assert target.state_dict()["weight"].dtype == torch.float32


def test_weights_of_another_network_name_the_first_keys(tmp_path: Path) -> None:
    torch.save(nn.BatchNorm2d(3).state_dict(), tmp_path / "a.pth")
    with pytest.raises(
        DerainerError,
        match=r"another network.*wants weight \(3, 3, 1, 1\), the file has weight \(3,\)",
    ):
        load_weights(network(), tmp_path / "a.pth")
    torch.save(nn.Conv2d(3, 3, 3).state_dict(), tmp_path / "b.pth")
    with pytest.raises(DerainerError, match=r"the file has weight \(3, 3, 3, 3\)"):
        load_weights(network(), tmp_path / "b.pth")


def test_nan_is_refused(tmp_path: Path) -> None:
    state = network().state_dict()
    state["bias"][1] = float("nan")
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(DerainerError, match="bias holds NaN"):
        load_weights(network(), tmp_path / "a.pth")


def test_a_pickle_with_a_foreign_class_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Evil()}, "a.pth")
    with pytest.raises(DerainerError, match=r"refused.*system.*state dict") as caught:
        load_weights(network(), Path("a.pth"))
    assert "\n" not in str(caught.value)
    assert not Path("owned").exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no archive"])
def test_a_damaged_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DerainerError, match=name):
        load_weights(network(), tmp_path / name)


def test_a_damaged_card_is_named(tmp_path: Path) -> None:
    assert read_card(tmp_path / "a.safetensors") == {}
    (tmp_path / "a.json").write_text('{"trained_on": {')
    with pytest.raises(DerainerError, match=r"a\.json: damaged: expected an object"):
        read_card(tmp_path / "a.safetensors")


def test_weights_in_several_files_are_one(tmp_path: Path) -> None:
    source = network()
    first, second = (tmp_path / f"own-0000{i}-of-00002.safetensors" for i in (1, 2))
    save_file({"weight": source.state_dict()["weight"]}, first)
    save_file({"bias": source.state_dict()["bias"]}, second)
    assert shards(second) == [first, second]
    (tmp_path / "own.json").write_text('{"hours": 2}')
    for file in (first, second):
        target = network()
        load_weights(target, file)
        assert torch.equal(target.state_dict()["bias"], source.state_dict()["bias"])
        assert read_card(file) == {"hours": 2}
    digest = weights_sha256(first)
    assert digest == weights_sha256(second)
    save_file({"bias": source.state_dict()["bias"] + 1}, second)
    assert weights_sha256(first) != digest
    second.unlink()
    with pytest.raises(DerainerError, match=r"own-00002-of-00002\.safetensors not found"):
        load_weights(network(), first)
