"""Whose card lies beside some weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets import Dataset
from derainers.shards import shards, weights_sha256
from harness.cli.main import run_command_line
from harness.plan.derainers import DerainerPlan, derainer_plan

WRITE = ("--rain", "none", "--data", "none")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def planned(word: str) -> DerainerPlan:
    return derainer_plan(word, {}, Dataset("folder", "all", ()))


def graph(file: Path, gain: float) -> Path:
    """A network that multiplies by a number, which lies in a file beside it."""
    onnx = pytest.importorskip("onnx")
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [gain])
    file.parent.mkdir()
    weight.raw_data = onnx.numpy_helper.to_array(weight).tobytes()
    weight.ClearField("float_data")
    (file.parent / "w.bin").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="w.bin")
    x, y = (onnx.helper.make_tensor_value_info(n, 1, [1, 3, "h", "w"]) for n in "xy")
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    made = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x], [y], [weight]))
    file.write_bytes(made.SerializeToString())
    return file


def test_weights_beside_an_onnx_model_are_part_of_its_digest() -> None:
    pytest.importorskip("onnxruntime")
    one, half = (graph(Path(name) / "model.onnx", gain) for name, gain in (("a", 1.0), ("b", 0.5)))
    assert one.read_bytes() == half.read_bytes()
    assert shards(half) == [half, half.with_name("w.bin")]
    plans = [planned(str(file)) for file in (one, half)]
    assert [p.weights_sha256 for p in plans] == [weights_sha256(one), weights_sha256(half)]
    assert plans[0].method != plans[1].method
    assert run_command_line(["card", str(one), *WRITE]) == 0
    assert planned(str(one)).images == frozenset()
    half.with_suffix(".json").write_bytes(one.with_suffix(".json").read_bytes())
    with pytest.raises(ValueError, match="is the card of other weights"):
        planned(str(half))


def test_an_onnx_model_that_is_absent_or_none_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["card", "none.onnx", *WRITE]) == 2
    assert "no such weight file: none.onnx" in capsys.readouterr().err
    Path("bad.onnx").write_text("no model")
    assert run_command_line(["card", "bad.onnx", *WRITE]) == 2
    assert "bad.onnx: not an ONNX file, or damaged" in capsys.readouterr().err
