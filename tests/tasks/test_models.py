"""Every family of task networks that can run here, with small or untrained weights."""

from __future__ import annotations

import importlib.util
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from skimage.data import astronaut
from torchvision import models

from tasks.instance import Instance
from tasks.models import MODELS, OF_CONTENT
from tasks.models.own import own_network
from tasks.models.torchvision import TorchvisionDetector
from tasks.models.weights import class_names, put, read_state
from tasks.task import TaskError

PHOTO = np.ascontiguousarray(astronaut()[100:260, 100:300])
NAMES = ["background", "person", "car"]


def torchvision_file(folder: Path, name: str, **options: Any) -> Path:
    """Untrained weights of three classes, whose card names them."""
    torch.manual_seed(0)
    module = models.get_model(name, weights=None, weights_backbone=None, num_classes=3, **options)
    file = folder / f"{name}.pth"
    torch.save(module.state_dict(), file)
    (folder / f"{name}.pth.json").write_text(json.dumps({"classes": NAMES}))
    return file


@pytest.mark.parametrize(
    "name",
    [
        "fasterrcnn_resnet50_fpn",
        pytest.param("maskrcnn_resnet50_fpn_v2", marks=pytest.mark.slow),
    ],
)
def test_torchvision_detectors_give_what_torchvision_gives(name: str, tmp_path: Path) -> None:
    file = torchvision_file(tmp_path, name)
    options = {**MODELS[name].options, "min_size": 200}  # for speed
    detector = TorchvisionDetector(name, options, file, "cpu")
    assert detector.names == NAMES
    found = detector.detect([PHOTO])[0]
    plain = models.get_model(
        name, weights=None, weights_backbone=None, num_classes=3, **options
    ).eval()
    plain.load_state_dict(torch.load(file, weights_only=True))
    with torch.inference_mode():
        theirs = plain([torch.from_numpy(PHOTO).permute(2, 0, 1) / 255])[0]
    assert len(found.scores) > 0
    assert np.array_equal(found.boxes_xyxy_px, theirs["boxes"].numpy())
    assert np.array_equal(found.scores, theirs["scores"].numpy())
    assert np.array_equal(found.categories, theirs["labels"].numpy())
    if MODELS[name].task == "instance":
        assert len(found.masks) == len(found.scores)
        assert {(m.height_px, m.width_px) for m in found.masks} == {PHOTO.shape[:2]}
        task = Instance({5: "car", 9: "person"}, lambda: detector)
        assert set(task.predict([PHOTO])[0].categories.tolist()) <= {5, 9}


def test_retinanet_knows_its_classes_by_its_anchors(tmp_path: Path) -> None:
    file = torchvision_file(tmp_path, "retinanet_resnet50_fpn_v2")
    assert MODELS["retinanet_resnet50_fpn_v2"].build(file, "cpu").names == NAMES


@pytest.mark.parametrize("aux_loss", [False, True])
def test_torchvision_segmenters_give_what_torchvision_gives(aux_loss: bool, tmp_path: Path) -> None:
    name = "deeplabv3_mobilenet_v3_large"
    file = torchvision_file(tmp_path, name, aux_loss=aux_loss)
    segmenter = MODELS[name].build(file, "cpu")
    labels = segmenter.segment([PHOTO])[0]
    plain = models.get_model(
        name, weights=None, weights_backbone=None, num_classes=3, aux_loss=aux_loss
    ).eval()
    plain.load_state_dict(torch.load(file, weights_only=True))
    mean, std = (torch.tensor(MODELS[name].options[k])[:, None, None] for k in ("mean", "std"))
    with torch.inference_mode():
        shown = (torch.from_numpy(PHOTO).permute(2, 0, 1) / 255 - mean) / std
        theirs = plain(shown[None])["out"][0].argmax(0)
    assert segmenter.names == NAMES
    assert labels.dtype == np.uint8
    assert (labels == theirs.numpy()).mean() > 0.999


def test_published_names_stand_for_weights_without_a_card() -> None:
    names = models.get_model_weights("maskrcnn_resnet50_fpn").DEFAULT.meta["categories"]
    assert class_names(Path("a.pth"), 91, names)[1] == "person"
    with pytest.raises(TaskError, match=r"a\.pth has 3 classes, 91 names are known.*a\.pth\.json"):
        class_names(Path("a.pth"), 3, names)


@pytest.mark.parametrize("card", ["{", "[]", '{"classes": 3}', '{"classes": [1]}', "[" * 10**5])
def test_a_card_that_is_none_is_told(card: str, tmp_path: Path) -> None:
    (tmp_path / "a.pth.json").write_text(card)
    with pytest.raises(TaskError, match="expected"):
        class_names(tmp_path / "a.pth", 3, NAMES)


@pytest.mark.parametrize("form", [list, lambda names: {str(i): n for i, n in enumerate(names)}])
def test_a_card_names_classes_in_a_list_or_by_number(
    form: Callable[[Sequence[str]], object], tmp_path: Path
) -> None:
    (tmp_path / "a.pth.json").write_text(json.dumps({"classes": form(NAMES)}))
    assert class_names(tmp_path / "a.pth", len(NAMES), ()) == list(NAMES)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch owned",)


def test_weights_run_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil()}, "a.pth")
    Path("a.pkl").write_bytes(pickle.dumps({"model": Evil()}))
    for name in ("a.pth", "a.pkl"):
        with pytest.raises(TaskError, match=f"{name}: refused, it is not plain weights") as caught:
            read_state(Path(name))
        assert "\n" not in str(caught.value)
    assert not Path("owned").exists()


def test_a_pickle_of_arrays_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.pkl"
    weights = {"conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    file.write_bytes(pickle.dumps({"model": weights, "__author__": "zoo"}, protocol=2))
    assert read_state(file)["conv.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


LAYER = torch.nn.Linear(3, 2)
WRAPPED: Mapping[str, Any] = {
    "PyTorch's tutorial": {"epoch": 3, "model_state_dict": LAYER.state_dict(), "loss": 0.1},
    "a short name": {"net": LAYER.state_dict(), "acc": 0.9},
    "a whole network": {"generator": LAYER},
    "an average alone": {"ema_state_dict": LAYER.state_dict()},
    "an average beside it": {
        "model_ema": {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)},
        "network": LAYER.state_dict(),
    },
    "compiled": {f"_orig_mod.{k}": v for k, v in LAYER.state_dict().items()},
    "compiled and parallel": {f"module._orig_mod.{k}": v for k, v in LAYER.state_dict().items()},
    "Lightning": {"state_dict": {f"model.{k}": v for k, v in LAYER.state_dict().items()}},
    "Lightning, with a loss": {
        "state_dict": {f"net.{k}": v for k, v in LAYER.state_dict().items()}
        | {"criterion.scale": torch.ones(1)}
    },
    "Lightning, compiled": {
        "state_dict": {f"model._orig_mod.{k}": v for k, v in LAYER.state_dict().items()}
    },
}


@pytest.mark.parametrize("case", WRAPPED)
def test_weights_are_found_where_training_codes_put_them(case: str, tmp_path: Path) -> None:
    file = tmp_path / "a.pth"
    torch.save(WRAPPED[case], file)
    network = torch.nn.Linear(3, 2)
    put(network, read_state(file, "weight"), file)
    assert torch.equal(network.weight, LAYER.weight)


def test_which_of_two_networks_is_asked(tmp_path: Path) -> None:
    both = {
        f"{whose}.{k}": v for whose in ("student", "teacher") for k, v in LAYER.state_dict().items()
    }
    torch.save(both, tmp_path / "a.pth")
    says = r"a\.pth holds several networks, student and teacher: save the state_dict\(\) of one"
    with pytest.raises(TaskError, match=says):
        read_state(tmp_path / "a.pth", "weight")


FILES: Mapping[str, tuple[Any, str]] = {
    "nothing": ({}, "holds no weights"),
    "no tensors": ({"a": 1}, "'a' is not a tensor: save the network's state_dict"),
    "NaN": ({"a": torch.full((1,), torch.nan)}, "a holds NaN"),
    "too few": ({"bias": torch.zeros(2)}, "another network: weight is missing"),
    "shape": ({"weight": torch.zeros(1), "bias": torch.zeros(2)}, r"weight has shape \(1,\)"),
    "too many": (
        {"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "more": torch.zeros(1)},
        "another network: it has more",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_wrong_weights_are_told(case: str, tmp_path: Path) -> None:
    content, says = FILES[case]
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(TaskError, match=rf"a\.pth.*{says}"):
        put(torch.nn.Linear(3, 2), read_state(tmp_path / "a.pth"), tmp_path / "a.pth")


def onnx_file(file: Path, names: str | None) -> Path:
    """A network of one 1x1 convolution: its classes are red, green and blue."""
    weight = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight"], ["scores"])],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if names is not None:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, file)
    return file


COLOURS = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200]]], np.uint8)


@pytest.mark.parametrize("names", ['["red", "green", "blue"]', "{0: 'red', 1: 'green', 2: 'blue'}"])
def test_onnx_files_name_their_classes(names: str, tmp_path: Path) -> None:
    segmenter = MODELS["onnx-sem"].build(onnx_file(tmp_path / "a.onnx", names), "cpu")
    assert segmenter.names == ["red", "green", "blue"]
    assert segmenter.segment([COLOURS])[0].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("place", ["beside.bin", "../away.bin"])
def test_an_onnx_file_holds_its_weights_itself(place: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    file = onnx_file(tmp_path / "model" / "a.onnx", '["a", "b", "c"]')
    model = onnx.load(file)
    tensor = model.graph.initializer[0]
    weights = numpy_helper.to_array(tensor).tobytes()
    (file.parent / place).write_bytes(weights)
    for field in ("raw_data", "float_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", str(len(weights)))):
        tensor.external_data.add(key=key, value=value)
    file.write_bytes(model.SerializeToString())
    with pytest.raises(TaskError, match="its weights are in other files"):
        MODELS["onnx-sem"].build(file, "cpu")


def test_an_onnx_file_without_names_needs_a_card(tmp_path: Path) -> None:
    file = onnx_file(tmp_path / "a.onnx", None)
    with pytest.raises(
        TaskError, match=r"a\.onnx: its classes are not named: name them in a\.onnx\.json"
    ):
        MODELS["onnx-sem"].build(file, "cpu")
    (tmp_path / "a.onnx.json").write_text('{"classes": ["r", "g", "b"]}')
    assert MODELS["onnx-sem"].build(file, "cpu").names == ["r", "g", "b"]
    (tmp_path / "b.onnx").write_bytes(b"garbage")
    with pytest.raises(TaskError, match=r"b\.onnx: cannot be run"):
        MODELS["onnx-sem"].build(tmp_path / "b.onnx", "cpu")


def test_a_network_of_a_users_own_must_name_its_classes() -> None:
    module: Any = torch.nn.Conv2d(3, 2, 2, stride=2)
    with pytest.raises(TaskError, match="must have a list 'names'"):
        own_network("semantic", module, "mine.py:build", (), "cpu")
    module.names = ["a", "b"]
    labels = own_network("semantic", module, "mine.py:build", (), "cpu").segment([PHOTO])[0]
    assert labels.shape == PHOTO.shape[:2]
    module.names = ["a", "b", "c"]
    with pytest.raises(TaskError, match=r"gave \(1, 2, 80, 100\), expected scores \(1, 3, H, W\)"):
        own_network("semantic", module, "mine.py:build", (), "cpu").segment([PHOTO])
    with pytest.raises(TaskError, match="returned int, expected what can be called"):
        own_network("semantic", 3, "mine.py:build", (), "cpu")


def test_every_row_says_whether_it_can_run() -> None:
    for name, row in MODELS.items():
        assert row.licence, name
        if row.lacking() is not None:
            assert importlib.util.find_spec(row.needs) is None
            assert row.remedy, name
    for task, families in OF_CONTENT.items():
        assert {MODELS[family].task for family in families.values()} == {task}
