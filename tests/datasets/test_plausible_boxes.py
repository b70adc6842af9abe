"""Boxes in another form than the one they are taken for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.plausible_boxes import doubt, no_pixels, no_sizes

WIDTH_PX, HEIGHT_PX = 320, 180
Boxes = NDArray[np.float64]


def drawn(number: int = 40) -> Boxes:
    """Boxes inside a picture: left, top, width, height."""
    rng = np.random.default_rng(0)
    sides = rng.uniform(4, 60, (number, 2))
    return np.hstack([rng.uniform(0, 1, (number, 2)) * ([WIDTH_PX, HEIGHT_PX] - sides), sides])


def pictures(boxes: Boxes, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX) -> Boxes:
    return np.full((len(boxes), 2), (height_px, width_px), np.float64)


def corners(boxes: Boxes) -> Boxes:
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def centres(boxes: Boxes) -> Boxes:
    return np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]])


def test_boxes_in_pixels_need_no_word() -> None:
    for boxes in (drawn(), drawn(1), drawn(0), np.array([[0.0, 0, WIDTH_PX, HEIGHT_PX]] * 20)):
        sizes = pictures(boxes)
        assert no_pixels(boxes, sizes) is None
        assert no_sizes(boxes, sizes) is None
        assert doubt(boxes, sizes) is None


@pytest.mark.parametrize("form", [np.copy, corners, centres])
def test_shares_are_told_in_every_form(form: Callable[[Boxes], Boxes]) -> None:
    boxes = form(drawn()) / [WIDTH_PX, HEIGHT_PX, WIDTH_PX, HEIGHT_PX]
    said = no_pixels(boxes, pictures(boxes))
    assert said is not None
    assert "no number in 40 boxes is above" in said
    assert "multiply them by its width and height" in said


def test_small_boxes_may_be_pixels() -> None:
    shares = drawn() / [WIDTH_PX, HEIGHT_PX, WIDTH_PX, HEIGHT_PX]
    one_large = np.vstack([shares, [10, 10, 20, 20]])
    assert no_pixels(one_large, pictures(one_large)) is None
    assert no_pixels(shares, pictures(shares, 24, 32)) is None
    whole = np.array([[0.0, 1, 1, 2]])
    assert no_pixels(whole, pictures(whole)) is None


def test_corners_are_told_and_only_where_they_can_be_nothing_else() -> None:
    boxes = corners(drawn())
    said = no_sizes(boxes, pictures(boxes))
    assert said is not None
    assert "they are corners" in said
    # A single box that is no pair of corners, and too few to tell.
    mixed = np.vstack([boxes, [100, 100, 20, 20]])
    assert no_sizes(mixed, pictures(mixed)) is None
    assert no_sizes(boxes[:9], pictures(boxes[:9])) is None


def test_many_boxes_beyond_their_picture_are_told() -> None:
    for form, name in ((corners, "corners"), (centres, "centres and sizes")):
        boxes = form(drawn())
        said = doubt(boxes, pictures(boxes))
        assert said is not None
        assert f"of 40 boxes reach beyond their picture, 0 if they are {name}" in said
    # Networks that do not cut their boxes reach a little beyond, or seldom, or on all sides.
    little, seldom, uncut = drawn(), drawn(), drawn()
    little[:, 0] = -0.01 * WIDTH_PX
    seldom[:2, 0] += WIDTH_PX
    uncut += np.random.default_rng(1).normal(0, 20, (40, 1)) * [1, 1, 0, 0]
    for boxes in (little, seldom, uncut):
        assert doubt(boxes, pictures(boxes)) is None
