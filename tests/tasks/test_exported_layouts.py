"""Outputs of exported detectors: which form they are of, and what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.models.card import names_by_number
from tasks.models.fitting import letterboxed, stretched
from tasks.models.layouts import (
    LAYOUTS,
    SUPPRESSED_BY_US,
    layout_of,
    read,
    require_decoded,
    require_unit,
)
from tasks.task import TaskError

SIZE = (64, 96)
BOX = [30.0, 20.0, 50.0, 44.0]
"""In pixels of what the network saw; class 2 of 3, score 0.75."""
CENTRED = [40.0, 32.0, 20.0, 24.0]
UNIT = [40 / 96, 32 / 64, 20 / 96, 24 / 64]
FULL = [[[*CENTRED, 0.1, 0.2, 0.75]] + [[0.0] * 7] * 19]
EXAMPLES: dict[str, list[Any]] = {
    "yolo": [np.array(FULL, np.float32).transpose(0, 2, 1)],
    "yolov5": [np.array([[[*CENTRED, 1.0, 0.1, 0.2, 0.75]] + [[0.0] * 8] * 19], np.float32)],
    "rows": [np.array([[[*BOX, 0.75, 2]] + [[0.0] * 6] * 19], np.float32)],
    "batch-rows": [np.array([[0, *BOX, 2, 0.75]], np.float32)],
    "detr": [np.array([[[*UNIT, 0.1, 0.2, 0.75]] + [[0.0] * 7] * 19], np.float32)],
    "detr-rows": [np.array([[[*UNIT, 0.75, 2]] + [[0.0] * 6] * 19], np.float32)],
    "logits": [
        np.array([[[-9, -9, np.log(3)]] + [[-9.0] * 3] * 19], np.float32),
        np.array([[UNIT] + [[0.5] * 4] * 19], np.float32),
    ],
    "lists": [np.array([BOX], np.float32), np.array([2]), np.array([0.75], np.float32)],
}
HEAD = {"detr-rows": "RTDETRDecoder"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_form_is_recognised_and_read(layout: str) -> None:
    outputs = EXAMPLES[layout]
    shapes = [o.shape for o in outputs]
    assert layout_of(shapes, 3, None, HEAD.get(layout, "")) == layout
    found = read(layout, outputs, 3, SIZE)
    assert np.allclose(found.boxes[0].numpy(), BOX, atol=1e-4)
    assert found.classes[0] == 2
    assert found.scores[0].item() == pytest.approx(0.75, abs=1e-6)
    assert len([s for s in found.scores.tolist() if s > 0.01]) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_in_their_unit_need_no_word(layout: str) -> None:
    require_unit(layout, read(layout, EXAMPLES[layout], 3, SIZE), SIZE)
    if layout in SUPPRESSED_BY_US:
        require_decoded(layout, EXAMPLES[layout], SIZE)
        nothing = EXAMPLES[layout][0][:, :, :0] if layout == "yolo" else EXAMPLES[layout][0][:, :0]
        require_decoded(layout, [nothing], SIZE)


def test_detr_with_a_class_for_nothing() -> None:
    logits = np.log(np.array([[[0.1, 0.2, 0.6, 0.1], [0.0, 0.0, 0.0, 1.0]]], np.float32) + 1e-9)
    boxes = np.array([[UNIT, UNIT]], np.float32)
    assert layout_of([logits.shape, boxes.shape], 3, None, "") == "logits"
    found = read("logits", [logits, boxes], 3, SIZE)
    assert found.classes.tolist() == [2]
    assert found.scores[0].item() == pytest.approx(0.6, abs=1e-5)


def test_masks_of_prototypes_are_columns_behind_the_classes() -> None:
    prototypes = (1, 8, 16, 24)
    assert layout_of([(1, 4 + 3 + 8, 200), prototypes], 3, False, "Segment") == "yolo"
    assert layout_of([(1, 200, 5 + 3 + 8), prototypes], 3, None, "") == "yolov5"
    assert layout_of([(1, 200, 6 + 8), prototypes], 3, True, "Segment") == "rows"
    rows = np.zeros((1, 15, 200), np.float32)
    rows[0, :, 7] = [*CENTRED, 0, 0, 0.75, *range(8)]
    found = read("yolo", [rows, np.zeros(prototypes, np.float32)], 3, SIZE)
    assert found.coefficients is not None
    assert found.coefficients.tolist() == [list(range(8))]


@pytest.mark.parametrize(
    ("shape", "classes", "could_be"),
    [((1, 300, 6), 2, "detr or rows"), ((1, 300, 6), 1, "yolov5 or rows")],
)
def test_what_may_be_two_forms_is_asked(
    shape: tuple[int, ...], classes: int, could_be: str
) -> None:
    with pytest.raises(TaskError, match=f"with {classes} classes could be {could_be}"):
        layout_of([shape], classes, None, "")
    assert layout_of([shape], classes, True, "Detect") == "rows"


@pytest.mark.parametrize("shapes", [[(1, 1000)], [(1, 9, 20)], [(1, 3, 8, 8)], []])
def test_what_is_no_form_is_told(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(TaskError, match="are of no form that is known"):
        layout_of(shapes, 3, None, "")


def test_a_count_cuts_lists_short() -> None:
    boxes = np.tile(np.array(BOX, np.float32), (1, 5, 1))
    numbers, scores = np.zeros((1, 5), np.int32), np.full((1, 5), 0.5, np.float32)
    found = read("lists", [np.array([[2]], np.int32), boxes, scores, numbers], 3, SIZE)
    assert len(found.scores) == 2


@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize("is_batch", [False, True])
@pytest.mark.parametrize("order", ["boxes first", "boxes last"])
def test_lists_of_any_length_are_read(n: int, is_batch: bool, order: str) -> None:
    boxes = np.array([BOX] * n, np.float32).reshape(n, 4)
    scores, numbers = np.full(n, 0.5, np.float32), np.arange(n, dtype=np.int64) % 3
    masks = np.ones((n, 1, 8, 8), np.float32)
    outputs = [a[None] if is_batch else a for a in (boxes, scores, numbers)] + [masks]
    outputs = outputs if order == "boxes first" else [*outputs[1:], outputs[0]]
    assert layout_of([o.shape for o in outputs], 3, None, "") == "lists"
    found = read("lists", outputs, 3, SIZE)
    assert found.boxes.tolist() == boxes.tolist()
    assert (found.scores.tolist(), found.classes.tolist()) == (scores.tolist(), numbers.tolist())
    assert (found.masks is None) == (n == 0)


def test_of_one_box_the_count_is_not_the_class() -> None:
    boxes, score = np.array([[BOX]], np.float32), np.array([[0.5]], np.float32)
    count, number = np.array([1], np.int32), np.array([[2]], np.int32)
    assert read("lists", [count, score, number, boxes], 3, SIZE).classes.tolist() == [2]
    with pytest.raises(TaskError, match="which of its outputs are the classes cannot be told"):
        read("lists", [count[None], score, number, boxes], 3, SIZE)


def test_suppression_is_within_a_class() -> None:
    rows = np.zeros((1, 7, 4), np.float32)
    rows[0, :4] = np.array(CENTRED, np.float32)[:, None]
    rows[0, 6, 0], rows[0, 6, 1], rows[0, 5, 2] = 0.75, 0.7, 0.6
    found = read("yolo", [rows], 3, SIZE)
    assert found.classes.tolist() == [2, 1]


def test_numbers_that_are_no_classes_are_told() -> None:
    with pytest.raises(TaskError, match="found class 2, its 2 classes are 0 to 1"):
        read("rows", EXAMPLES["rows"], 2, SIZE)
    with pytest.raises(TaskError, match="non-finite"):
        read("rows", [np.full((1, 2, 6), np.nan, np.float32)], 2, SIZE)
    with pytest.raises(TaskError, match=r"its outputs \(1, 9\) are not rows: \(1, N, 6"):
        read("rows", [np.zeros((1, 9), np.float32)], 2, SIZE)


@pytest.mark.parametrize("layout", ["rows", "batch-rows", "detr-rows"])
def test_classes_are_whole_numbers(layout: str) -> None:
    rows = EXAMPLES[layout][0].copy()
    rows[rows == 2] = 1.5
    with pytest.raises(TaskError, match=r"found class 1\.5, which is no whole number: not "):
        read(layout, [rows], 3, SIZE)


def test_names_are_by_number() -> None:
    text = "{" + ", ".join(f"{i}: 'n{i}'" for i in sorted(range(12), key=str)) + "}"
    assert names_by_number(text) == [f"n{i}" for i in range(12)]
    assert names_by_number('{"10": "k", "2": "c"}') is None
    assert names_by_number({"1": "b", "0": "a"}) == ["a", "b"]
    wrongs: tuple[Any, ...] = ("", "7", "[1]", "{0: 1}", "[" * 9999, None, [], {"a": "b"})
    for wrong in wrongs:
        assert names_by_number(wrong) is None


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    seen=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    stride=st.sampled_from([None, 32]),
)
def test_what_was_fitted_comes_back(
    size: tuple[int, int], seen: tuple[int, int], stride: int | None
) -> None:
    import torch

    image = np.zeros((*size, 3), np.uint8)
    target = seen[0] * 32, seen[1] * 32
    height, width = size
    whole = torch.tensor([[0.0, 0.0, width, height]])
    for fitted in (letterboxed(image, target, stride), stretched(image, target)):
        (top, left), (tall, wide) = fitted.corner_px, fitted.inner_px
        inner = torch.tensor([[left, top, left + wide, top + tall]], dtype=torch.float32)
        assert torch.allclose(fitted.boxes(inner, is_clipped=False), whole, atol=1e-3)
        assert not fitted.pixels[top : top + tall, left : left + wide].any()
        assert (fitted.pixels == 114).sum() == fitted.pixels.size - 3 * tall * wide
        assert fitted.maps(torch.zeros(1, 2, *fitted.seen_px)).shape == (1, 2, *size)
        if stride is None:
            assert fitted.seen_px == target
