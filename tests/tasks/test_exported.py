"""ONNX and TorchScript files as detectors and segmenters."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from exports import NAMES, YOLO, Heads, checkpoint, constant_onnx, export_of, scripted
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skimage.data import astronaut

from datasets import masks
from datasets.image import NDArrayByte
from tasks.models import MODELS
from tasks.models.exported import exported
from tasks.task import TaskError

PHOTO = np.ascontiguousarray(astronaut()[:150, 60:260])


def test_boxes_come_back_from_the_letterbox(tmp_path: Path) -> None:
    file = constant_onnx(tmp_path / "a.onnx", [YOLO])
    (found,) = exported("onnx", "detection", file, "cpu").detect([np.zeros((32, 32, 3), np.uint8)])
    # 64x96 holds a 64x64 picture, 16 px from the left; twice the size.
    assert found.boxes_xyxy_px.tolist() == [[(30 - 16) / 2, 10, (50 - 16) / 2, 22]]
    assert found.categories.tolist() == [2]


def test_the_card_says_what_the_file_does_not(tmp_path: Path) -> None:
    rows = np.zeros((1, 20, 6), np.float32)
    rows[0, 0] = [30, 20, 50, 44, 0.75, 1]
    file = constant_onnx(tmp_path / "a.onnx", [rows], metadata={"names": "['a', 'b']"})
    with pytest.raises(
        TaskError, match=r"could be detr or rows: say which in a\.onnx\.json, {\"la"
    ):
        exported("onnx", "detection", file, "cpu")
    card = tmp_path / "a.onnx.json"
    card.write_text(json.dumps({"layout": "rows", "classes": ["x", "y"], "resize": "stretch"}))
    network = exported("onnx", "detection", file, "cpu")
    assert network.names == ["x", "y"]
    (found,) = network.detect([np.zeros((32, 32, 3), np.uint8)])
    assert np.allclose(found.boxes_xyxy_px, [[10, 10, 50 / 3, 22]])
    for wrong in ('{"layout": "rowz"}', '{"imgsz": "big"}', '{"resize": "zoom"}', '{"mean": [1]}'):
        card.write_text(wrong)
        with pytest.raises(TaskError, match=r"a\.onnx\.json: (unknown layout 'rowz'|expected \")"):
            exported("onnx", "detection", file, "cpu")


def test_the_size_is_the_networks_own(tmp_path: Path) -> None:
    fixed = constant_onnx(tmp_path / "fixed.onnx", [YOLO])
    with pytest.raises(TaskError, match=r"takes pictures of 64x96 px alone: leave imgsz out"):
        exported("onnx", "detection", fixed, "cpu", imgsz=320)
    free = constant_onnx(tmp_path / "free.onnx", [YOLO], ["n", 3, "h", "w"])
    with pytest.raises(TaskError, match=r"its own is not known: give ,imgsz=N behind its word"):
        exported("onnx", "detection", free, "cpu")
    found = exported("onnx", "detection", free, "cpu", imgsz=64).detect([PHOTO])
    assert len(found[0].scores) == 1
    named = {"imgsz": "[64, 64]", "author": "Ultralytics", "args": "{'dynamic': True}"}
    said = constant_onnx(tmp_path / "said.onnx", [YOLO], ["n", 3, "h", "w"], named)
    again = exported("onnx", "detection", said, "cpu").detect([PHOTO])
    assert np.array_equal(found[0].boxes_xyxy_px, again[0].boxes_xyxy_px)


LISTS = [np.array([[30, 20, 50, 44]], np.float32), np.array([2]), np.array([0.75], np.float32)]


@pytest.mark.parametrize("by", ["word", "card"])
def test_lists_are_found_at_the_size_that_is_asked_for(by: str, tmp_path: Path) -> None:
    file = constant_onnx(tmp_path / "a.onnx", LISTS, ["n", 3, "h", "w"])
    picture = np.zeros((32, 32, 3), np.uint8)
    (own,) = exported("onnx", "detection", file, "cpu").detect([picture])
    assert own.boxes_xyxy_px.tolist() == [[30, 20, 50, 44]]
    if by == "card":
        (tmp_path / "a.onnx.json").write_text('{"imgsz": 64}')
    asked = exported("onnx", "detection", file, "cpu", imgsz=64 if by == "word" else None)
    (found,) = asked.detect([picture])
    assert found.boxes_xyxy_px.tolist() == [[15, 10, 25, 22]]
    (tmp_path / "a.onnx.json").write_text('{"imgsz": 64, "resize": "none"}')
    says = r'a\.onnx\.json says "resize": "none", so that pictures keep their size: leave that'
    with pytest.raises(TaskError, match=says):
        exported("onnx", "detection", file, "cpu", imgsz=64)


def undecoded() -> NDArray[np.float32]:
    """What YOLOX's default export gives: places in cells, and logarithms of sides."""
    rows = np.random.default_rng(0).normal(0, 1, (1, 126, 8)).astype(np.float32)
    rows[0, :, 4:] = 0.5
    return rows


SHARES = np.array([[0.3, 0.3, 0.5, 0.7], [0.4, 0.3, 1.003, 0.9]], np.float32)
"""Corners in 0..1 of what the network saw."""
ROW = np.array([[0.75, 2]] * 2, np.float32)
OF_ANOTHER_UNIT: dict[str, tuple[list[Any], str]] = {
    "yolox": ([undecoded()], r"yolov5's boxes are not decoded.* --decode_in_inference"),
    "yolo": ([YOLO / np.float32(96)], "boxes are of 0 to 0.42, shares of the picture: export "),
    "rows": ([np.hstack([SHARES, ROW])[None]], "boxes are of 0.3 to 1, shares of the picture: "),
    "batch-rows": (
        [np.hstack([ROW[:, :1] * 0, SHARES, ROW[:, ::-1]])],
        "boxes are of 0.3 to 1, shares of the picture: export them in pixels",
    ),
    "lists": ([SHARES, np.array([2, 2]), ROW[:, 0]], "boxes are of 0.3 to 1, shares of the pic"),
    "detr": ([np.repeat(YOLO.transpose(0, 2, 1), 2, 1)], "boxes reach 50, which are no shares"),
    # As TensorFlow's object detection gives them: all floats, and its classes begin with 1.
    "tensorflow": (
        [np.array([2], np.float32), SHARES[None], ROW[None, :, 0], ROW[None, :, 1]],
        r"its outputs \(1,\), .* are not lists: boxes \(N, 4\), .*score --predictions",
    ),
}


@pytest.mark.parametrize("case", OF_ANOTHER_UNIT)
def test_boxes_of_another_unit_are_told_before_any_picture(case: str, tmp_path: Path) -> None:
    outputs, says = OF_ANOTHER_UNIT[case]
    file = constant_onnx(tmp_path / "a.onnx", outputs)
    if case == "rows":
        (tmp_path / "a.onnx.json").write_text('{"layout": "rows"}')
    with pytest.raises(TaskError, match=rf"^a\.onnx: .*{says}") as caught:
        exported("onnx", "detection", file, "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", ["yolo", "yolov5", "detr"])
def test_scores_before_the_sigmoid_are_told_before_any_picture(layout: str, tmp_path: Path) -> None:
    """Those below 0 were no boxes in silence, and one above 1 ended each image."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(0.2, 0.8, (1, 30, 8 if layout == "yolov5" else 7)).astype(np.float32)
    rows[..., :4] *= 1 if layout == "detr" else 64
    (tmp_path / "a.onnx.json").write_text(json.dumps({"layout": layout}))

    def made(factor: float, least: float) -> Any:
        scaled = rows.copy()
        scaled[..., 4:] = factor * scaled[..., 4:] + least
        scaled = scaled.transpose(0, 2, 1) if layout == "yolo" else scaled
        file = constant_onnx(tmp_path / "a.onnx", [np.ascontiguousarray(scaled)])
        return exported("onnx", "detection", file, "cpu")

    assert len(made(1, 0).detect([PHOTO])[0].scores)
    for factor, least in ((9, -4), (1, -1), (3, 0)):
        with pytest.raises(TaskError, match=r"^a\.onnx: its scores are of .* the sigmoid behind"):
            made(factor, least)


def test_what_finds_nothing_in_grey_is_told_of_its_unit_by_a_picture(tmp_path: Path) -> None:
    class Finds(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            spread = (x.std() > 0.01).float()
            scores = 0.75 * torch.ones(2) * spread
            return torch.tensor([[0.3, 0.3, 0.5, 0.7]]).repeat(2, 1), torch.tensor([2, 2]), scores

    said = {"names": NAMES, "imgsz": [64, 96]}
    file = scripted(tmp_path / "a.torchscript", Finds(), said)
    network = exported("torchscript", "detection", file, "cpu")
    with pytest.raises(TaskError, match=r"boxes are of 0\.3 to 0\.7, shares of the picture"):
        network.detect([PHOTO])


def test_a_network_that_grey_makes_no_number_of_is_taken(tmp_path: Path) -> None:
    class Normalises(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = Heads()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows: torch.Tensor = self.heads(x / x.std())
            return rows

    file = scripted(tmp_path / "a.torchscript", Normalises(), {"names": NAMES, "imgsz": [64, 64]})
    (found,) = exported("torchscript", "detection", file, "cpu").detect([PHOTO])
    assert found.categories.tolist() == [2]


def test_what_cannot_be_known_is_asked_for(tmp_path: Path) -> None:
    file = constant_onnx(tmp_path / "a.onnx", [YOLO], metadata={"names": ""})
    with pytest.raises(TaskError, match=r"a\.onnx: its classes are not named: name them in a\.onn"):
        exported("onnx", "detection", file, "cpu")
    logits = [np.zeros((1, 20, 3), np.float32), np.full((1, 20, 4), 0.5, np.float32)]
    file = constant_onnx(tmp_path / "b.onnx", logits)
    with pytest.raises(TaskError, match="how its pictures are normalised is not known: say it in"):
        exported("onnx", "detection", file, "cpu")
    (tmp_path / "b.onnx.json").write_text('{"mean": [0, 0, 0], "std": [1, 1, 1]}')
    assert len(exported("onnx", "detection", file, "cpu").detect([PHOTO])[0].scores) == 20
    with pytest.raises(TaskError, match="makes no masks: give it with --model detection="):
        exported("onnx", "instance", file, "cpu")
    for shape in ([1, 1, 64, 64], [4, 3, 64, 64], [1, 3, 64]):
        file = constant_onnx(tmp_path / "c.onnx", [YOLO], shape)
        with pytest.raises(TaskError, match="expected one picture"):
            exported("onnx", "detection", file, "cpu")


def test_a_graph_that_draws_random_numbers_is_refused(tmp_path: Path) -> None:
    file = constant_onnx(tmp_path / "a.onnx", [YOLO])
    model = onnx.load(file)
    model.graph.node[0].CopyFrom(
        helper.make_node("RandomUniform", [], ["out0"], shape=YOLO.shape, seed=1.0)
    )
    onnx.save(model, file)
    with pytest.raises(TaskError, match=r"a\.onnx draws random numbers \(RandomUniform\), which"):
        exported("onnx", "detection", file, "cpu")


def segmenter_onnx(file: Path, side: Any) -> Path:
    """Classes red, green and blue: scores are the picture itself."""
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "weight")
    shape = [1, 3, side, side]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight"], ["scores"])],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": "['red', 'green', 'blue']"})
    onnx.save(model, file)
    return file


def quarters(height: int, width: int) -> NDArrayByte:
    """A picture of three colours."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2, 0] = picture[: height // 2, width // 2 :, 1] = 200
    picture[height // 2 :, :, 2] = 200
    return picture


def test_a_segmenter_of_a_fixed_size_runs_at_it(tmp_path: Path) -> None:
    picture = quarters(80, 120)
    fixed = exported("onnx", "semantic", segmenter_onnx(tmp_path / "fixed.onnx", 32), "cpu")
    free = exported("onnx", "semantic", segmenter_onnx(tmp_path / "free.onnx", None), "cpu")
    truth = picture.argmax(2)
    assert np.array_equal(free.segment([picture])[0], truth)
    labels = fixed.segment([picture])[0]
    assert labels.shape == truth.shape
    assert (labels == truth).mean() > 0.95


@pytest.mark.parametrize("by", ["word", "card"])
def test_a_segmenter_of_any_size_sees_the_one_that_is_asked_for(by: str, tmp_path: Path) -> None:
    file = segmenter_onnx(tmp_path / "free.onnx", None)
    if by == "card":
        (tmp_path / "free.onnx.json").write_text('{"imgsz": [16, 24]}')
    network = exported("onnx", "semantic", file, "cpu", imgsz=16 if by == "word" else None)
    seen: list[tuple[int, ...]] = []
    runs = network._runtime

    def noting(batch: Any, size_px: tuple[int, int]) -> Any:
        seen.append(batch.shape)
        return runs(batch, size_px)

    network._runtime = noting
    assert network.segment([quarters(80, 120)])[0].shape == (80, 120)
    assert seen == [(1, 3, 16, 16 if by == "word" else 24)]


@pytest.mark.parametrize("value", [0.9, float("nan")])
def test_classes_of_pixels_are_whole_numbers(value: float, tmp_path: Path) -> None:
    classes = np.ones((1, 6, 10), np.float32)
    file = constant_onnx(tmp_path / "a.onnx", [classes], [1, 3, 6, 10])
    assert (exported("onnx", "semantic", file, "cpu").segment([PHOTO])[0] == 1).all()
    classes[0, 2, 3] = value
    constant_onnx(file, [classes], [1, 3, 6, 10])
    with pytest.raises(TaskError, match=rf"gave {value:g} for a pixel in \(1, H, W\), exp"):
        exported("onnx", "semantic", file, "cpu").segment([PHOTO])
    several = constant_onnx(tmp_path / "b.onnx", [np.ones((3, 6, 10), np.float32)], [1, 3, 6, 10])
    with pytest.raises(TaskError, match=r"gave \(3, 6, 10\), expected scores \(1, 3, H, W\)"):
        exported("onnx", "semantic", several, "cpu").segment([PHOTO])


def test_a_segmenter_may_give_classes(tmp_path: Path) -> None:
    classes = np.repeat(np.arange(3, dtype=np.int64), 21)[None, :60].reshape(1, 6, 10)
    file = constant_onnx(tmp_path / "a.onnx", [classes], [1, 3, 6, 10])
    network = exported("onnx", "semantic", file, "cpu")
    assert np.array_equal(
        network.segment([np.zeros((12, 20, 3), np.uint8)])[0][::2, ::2], classes[0]
    )
    file = constant_onnx(tmp_path / "b.onnx", [classes + 1], [1, 3, 6, 10])
    with pytest.raises(TaskError, match="gave class 3, its 3 classes are 0 to 2"):
        exported("onnx", "semantic", file, "cpu").segment([PHOTO])


def test_torchscript_is_read_in_the_same_forms(tmp_path: Path) -> None:
    said = {"names": {"2": "dog", "0": "person", "1": "car"}, "imgsz": [64, 96], "stride": 32}
    said |= {"author": "Ultralytics", "args": {"dynamic": False}}
    file = scripted(tmp_path / "a.torchscript", Heads(), said)
    network = exported("torchscript", "detection", file, "cpu")
    assert network.names == ["person", "car", "dog"]
    onnx_file = constant_onnx(tmp_path / "a.onnx", [YOLO])
    (other,) = exported("onnx", "detection", onnx_file, "cpu").detect([PHOTO])
    (found,) = network.detect([PHOTO])
    assert np.array_equal(found.boxes_xyxy_px, other.boxes_xyxy_px)
    assert found.categories.tolist() == [2]
    few_bits = scripted(tmp_path / "few.torchscript", Heads().bfloat16(), said)
    (same,) = exported("torchscript", "detection", few_bits, "cpu").detect([PHOTO])
    assert np.array_equal(same.boxes_xyxy_px, found.boxes_xyxy_px)
    (tmp_path / "b.torchscript").write_bytes(b"no")
    with pytest.raises(TaskError, match="is no TorchScript"):
        exported("torchscript", "detection", tmp_path / "b.torchscript", "cpu")


@pytest.mark.parametrize(
    ("kind", "form", "options"),
    [
        ("yolov8n", "onnx", {}),
        ("yolo11n", "onnx", {"dynamic": True}),
        ("yolov8n", "torchscript", {}),
        ("yolo26n-seg", "onnx", {}),
    ],
)
def test_an_export_of_ultralytics_gives_its_own_predictions(
    kind: str, form: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    from ultralytics import YOLO as Checkpoint

    more = {"simplify": False} if form == "onnx" else {}
    file = export_of(checkpoint(tmp_path, kind), form, **options, **more)
    task = "instance" if kind.endswith("-seg") else "detection"
    network = exported(form, task, file, "cpu")
    (ours,) = network.detect([PHOTO])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = Checkpoint(file, task="segment" if task == "instance" else "detect")
        (theirs,) = own.predict(
            PHOTO[:, :, ::-1], conf=0.001, iou=0.7, imgsz=96, verbose=False, retina_masks=True
        )
    assert network.names == list(NAMES.values())
    assert len(ours.scores) == len(theirs.boxes) > 0
    assert np.abs(ours.boxes_xyxy_px - theirs.boxes.xyxy.numpy()).max() < 1e-3
    assert np.array_equal(ours.categories, theirs.boxes.cls.numpy())
    if task == "instance":
        drawn = np.stack([masks.decode(mask) for mask in ours.masks])
        assert (drawn == theirs.masks.data.numpy()).mean() > 0.9999


def test_every_kind_of_file_has_a_row_for_each_task() -> None:
    for kind in ("onnx", "torchscript", "transformers", "detectron2"):
        tasks = [MODELS[kind + ending].task for ending in ("", "-seg", "-sem")]
        assert tasks == ["detection", "instance", "semantic"]
