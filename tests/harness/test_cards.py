"""Whose card lies beside some weights."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from datasets import Dataset
from derainers import DERAINERS
from derainers.shards import shards, weights_sha256
from harness.cli.main import run_command_line
from harness.plan.derainers import DerainerPlan, derainer_plan
from harness.plan.plan import make_plan
from harness.plan.trained_on import holds
from harness.scores.seen import seen
from harness.spec import RunSpec

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


def network(file: Path, value: float) -> Path:
    """Weights of `CODE`'s network, all of one value."""
    state = {"weight": torch.full((3, 3, 1, 1), value), "bias": torch.zeros(3)}
    file.parent.mkdir(exist_ok=True)
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    return file


@pytest.fixture
def mine() -> None:
    Path("mine.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Conv2d(3, 3, 1)\n"
    )


def test_a_card_of_other_weights_that_are_there_is_not_written_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    network(Path("c1.pth"), 1), network(Path("c1.pt"), 2)
    assert run_command_line(["card", "c1.pth", *WRITE, "--note", "of pth"]) == 0
    before = Path("c1.json").read_bytes()
    for flags in (WRITE, ()):
        assert run_command_line(["card", "c1.pt", *flags]) == 2
        assert "c1.json is the card of c1.pth: rename that or c1.pt" in capsys.readouterr().err
    assert Path("c1.json").read_bytes() == before
    network(Path("c1.pth"), 3)  # trained anew: its card goes on
    assert run_command_line(["card", "c1.pth", *WRITE]) == 0
    assert json.loads(Path("c1.json").read_text())["note"] == "of pth"


@pytest.mark.usefixtures("mine")
def test_the_remedy_for_a_card_of_weights_before_a_new_training_can_be_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = network(Path("sub dir/w.pth"), 1)
    says = ("--rain", "given,physical", "--data", "my set/train,tr")
    assert run_command_line(["card", str(file), *says]) == 0
    network(file, 2)
    said = []
    for step in (lambda: run_command_line(["card", str(file)]), lambda: planned(WORD)):
        try:
            assert step() == 2
            said.append(capsys.readouterr().err)
        except ValueError as error:
            said.append(str(error))
    typed = [text.partition(" by derain-harness ")[2].partition(" if what")[0] for text in said]
    command = ["card", str(file), *says[:3], "my set/train,tr"]
    assert [shlex.split(text) for text in typed] == [command, command]
    assert run_command_line(command) == 0
    assert planned(WORD).images == frozenset({"my set/train", "tr"})


WORD = "mine.py:build@sub dir/w.pth"


@pytest.mark.usefixtures("mine")
def test_an_export_beside_weights_with_a_card_has_none() -> None:
    network(Path("net.pth"), 1), network(Path("net.pt"), 2)
    network(Path("net-00001-of-00001.safetensors"), 3)
    assert run_command_line(["card", "net.pth", *WRITE]) == 0
    assert planned("mine.py:build@net.pth").images == frozenset()
    assert planned("mine.py:build@net.pt").images is None
    assert planned("mine.py:build@net-00001-of-00001.safetensors").images is None
    Path("net.pth").unlink()
    with pytest.raises(ValueError, match="is the card of other weights"):
        planned("mine.py:build@net.pt")


@pytest.mark.parametrize("text", ["[1, 2]", '{"loss": 1}\n{"loss": 2}\n', '{"loss": [1]}', "\xff"])
@pytest.mark.usefixtures("mine")
def test_json_that_is_no_card_stops_no_run_and_stays(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network(Path("net2.pth"), 1)
    Path("net2.json").write_text(text, encoding="latin-1")
    assert planned("mine.py:build@net2.pth").images is None
    assert run_command_line(["card", "net2.pth", *WRITE]) == 2
    assert "net2.json is no card: move it away" in capsys.readouterr().err
    assert Path("net2.json").read_text(encoding="latin-1") == text


@pytest.mark.parametrize("text", ['{"trained_on": [', '{"trained_on": []}'])
@pytest.mark.usefixtures("mine")
def test_a_damaged_card_is_told(text: str) -> None:
    network(Path("w.pth"), 1)
    Path("w.json").write_text(text)
    with pytest.raises(ValueError, match=r"w\.json: damaged: expected an object"):
        planned("mine.py:build@w.pth")


@pytest.mark.usefixtures("mine")
def test_folders_have_cards_of_their_whole_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("net.v1", 1), ("net.v2", 2)):
        network(Path(name) / "model.safetensors", value)
        assert run_command_line(["card", name, *WRITE]) == 0
        assert planned(f"mine.py:build@{name}").images == frozenset()
    assert Path("net.v1.json").is_file()
    monkeypatch.chdir("net.v2")
    for name in (".", "../net.v2/."):
        assert run_command_line(["card", name]) == 0
        assert planned(f"../mine.py:build@{name}").images == frozenset()
    Path("one.py").write_text("from torch import nn\ndef build():\n    return nn.PReLU()\n")
    with pytest.raises(ValueError, match=r"^net\.v2 holds the weights of another network"):
        planned("one.py:build@.")


@pytest.mark.parametrize(("rain", "stays"), [("physical", True), ("given", True), ("none", False)])
def test_what_card_prints_of_pairs_is_what_a_run_marks(
    rain: str, stays: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(str(DERAINERS["prenet"].weights), "w.safetensors")
    assert run_command_line(["card", "w.safetensors", "--rain", rain, "--data", "tr"]) == 0
    assert ("'?' stays under rain that a set brings" in capsys.readouterr().out) == stays
    found = {}
    for name in ("tr", "other"):
        for half in ("input", "target"):
            (tmp_path / name / half).mkdir(parents=True)
            Image.new("RGB", (16, 16)).save(tmp_path / name / half / "1.png")
        asked = {"dataset": "pairs", "data_root": name, "task": ("none",)}
        plan = make_plan(RunSpec(**asked, derainer=("prenet@w.safetensors",)), {})  # type: ignore[arg-type]
        found[name] = seen(plan, plan.conditions[-1], None)
    assert found["other"] == (None if stays else ())
    assert found["tr"] == {"physical": None, "given": ("images", "rain")}.get(rain, ("images",))


def test_names_of_sets_are_read_as_they_are_typed_by_hand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(str(DERAINERS["prenet"].weights), "w.safetensors")
    words = ["--rain", "rain100l, physical", "--data", "COCO/train2017, BDD100K"]
    assert run_command_line(["card", "w.safetensors", *words]) == 0
    assert "images of BDD100K, COCO/train2017\n" in capsys.readouterr().out
    learned = planned("prenet@w.safetensors").images
    assert learned is not None
    assert holds(learned, "coco", "train2017")
    assert holds(learned, "bdd100k", "val")
    assert not holds(learned, "coco", "val2017")
