"""Labels drawn on their image."""

from __future__ import annotations

import numpy as np

from datasets.draw import COLOURS, drawn
from datasets.masks import encode
from datasets.sample import IGNORED, Annotations, LabelledObject

GREY = np.full((60, 80, 3), 100, np.uint8)


def test_boxes_masks_and_classes_change_their_own_pixels_alone() -> None:
    pixels = np.zeros((60, 80), np.bool_)
    pixels[40:50, 30:40] = True
    box = (20.0, 30.0, 50.0, 55.0)
    objects = Annotations.of([LabelledObject(box, 3, 100.0, False, encode(pixels))])
    picture = drawn(GREY, objects, {3: "car"})
    assert (GREY == 100).all()
    assert picture.shape == GREY.shape
    assert (picture[30, 20:50] == COLOURS[3]).all()
    assert (picture[54, 20:50] == COLOURS[3]).all()
    assert (picture[45, 35] == (100 + COLOURS[3].astype(int)) // 2).all()
    assert (picture[:30] == 100).all()
    assert (picture[55:] == 100).all()

    label_map = np.full((60, 80), IGNORED, np.uint8)
    label_map[:10] = 5
    tinted = drawn(GREY, None, {}, label_map)
    assert (tinted[:10] == (100 + COLOURS[5].astype(int)) // 2).all()
    assert (tinted[10:] == 100).all()
