"""``,key=NAME``: which of a file's weights run, for every kind of word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datasets import Dataset
from derainers import DERAINERS, DerainerError
from derainers.builders import classical
from derainers.rows import DerainerRow
from harness.machine.device import Placement
from harness.plan.derainers import derainer_plan
from harness.spec import UsageError

LEARNED = [n for n, row in DERAINERS.items() if row.learned]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def state(name: str, value: float) -> dict[str, Tensor]:
    """Weights of a row's network, all of one value, as its authors name them."""
    made: Any = DERAINERS[name].build(None)
    part = "derainet." if name == "vrgnet" else ""
    return {f"{part}{k}": torch.full_like(v, value) for k, v in made.module.state_dict().items()}


def loaded(word: str) -> Any:
    return derainer_plan(word, {}, Dataset("folder", "all", ())).load(Placement("cpu"))


def first(word: str) -> float:
    return float(next(loaded(word).module.parameters()).detach().flatten()[0])


@pytest.mark.parametrize("name", ["prenet", "vrgnet", "nledn:sides=odd"])
def test_the_weights_under_the_key_run(name: str) -> None:
    row = name.partition(":")[0]
    a, b = state(row, 0.25), state(row, 0.5)
    torch.save({"params": a, "params_ema": b}, "w.pth")
    torch.save({"net_a": a, "net_b": b}, "two.pth")
    assert first(f"{name}@w.pth") == first(f"{name}@w.pth,key=params_ema") == 0.5
    assert first(f"{name}@w.pth,key=params") == first(f"{name}@two.pth,key=net_a") == 0.25
    with pytest.raises(DerainerError, match=r"say which with ,key=net_a"):
        loaded(f"{name}@two.pth")
    with pytest.raises(
        DerainerError, match="under key=nonsense: they are under params, params_ema"
    ):
        loaded(f"{name}@w.pth,key=nonsense")


@pytest.mark.parametrize("name", LEARNED)
def test_no_row_takes_a_key_and_looks_away(name: str) -> None:
    torch.save(state(name, 0.5), "w.pth")
    with pytest.raises(DerainerError, match="no weights for this network under key=nonsense"):
        loaded(f"{name}@w.pth,key=nonsense")


def test_a_word_whose_weights_have_no_key_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("net.onnx", "net.pt", "w.pth"):
        Path(file).write_bytes(b"anything")
    for file in ("net.index", "net.data-00000-of-00001"):
        Path(file).write_bytes(b"anything")
    for word in ("net.onnx,key=foo", "torchscript:net.pt,key=foo"):
        with pytest.raises(UsageError, match=r"key=foo: a program has one set of weights: leave"):
            loaded(word)
    with pytest.raises(DerainerError, match=r"net\.index has no keys: leave ',key=foo' out"):
        loaded("mspfn:layers=release@net.index,key=foo")
    row = DerainerRow(lambda file: classical(file, "median"), version=1)
    monkeypatch.setitem(DERAINERS._ours, "theirs", row)
    with pytest.raises(UsageError, match="theirs picks its weights itself: leave key=foo out"):
        loaded("theirs@w.pth,key=foo")
