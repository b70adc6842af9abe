"""Photographs that stand in two sets, or twice in one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee, rocket

from datasets.duplicates import (
    alike,
    first_alike,
    found_in,
    glance,
    hashes_of_views,
    perceptual_hash,
)
from datasets.image import encode_png
from datasets.streetsim import render

PHOTOS = {"astronaut": astronaut(), "cat": chelsea(), "cup": coffee(), "rocket": rocket()}


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("way", [1, -1])
def test_flips_turns_and_crops_are_found(turns: int, way: int) -> None:
    other = np.ascontiguousarray(np.rot90(PHOTOS["cat"][1:-2, 2:-1], turns)[:, ::way])
    assert found_in(PHOTOS, [other]) == ["cat"]


def test_other_photographs_are_not() -> None:
    others = dict(PHOTOS)
    cup = others.pop("cup")
    assert found_in(others, [cup]) == []


def test_pairs_of_two_sets_are_told_by_their_places() -> None:
    photos = list(PHOTOS.values())
    hashes = np.stack([perceptual_hash(photo) for photo in photos])
    turned = [np.ascontiguousarray(np.rot90(photos[i])) for i in (2, 0, 2)]
    views = np.stack([hashes_of_views(photo) for photo in turned])
    assert alike(hashes, views) == [(2, 0), (0, 1), (2, 2)]
    assert alike(hashes[3:], views) == []


def test_a_photograph_saved_twice_or_smaller_is_one_and_streets_of_one_kind_are_many() -> None:
    photos = list(PHOTOS.values())
    smaller = cv2.resize(photos[1], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    worse = cv2.imencode(".jpg", photos[3][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    files = [*map(encode_png, photos), encode_png(smaller), worse, b"no image"]
    glances = [glance(data) for data in files]
    assert glances[-1] is None
    assert first_alike(glances).tolist() == [0, 1, 2, 3, 1, 3, 6]
    streets = [glance(encode_png(render("alike", i, (160, 120)).image)) for i in range(12)]
    assert first_alike(streets).tolist() == list(range(12))


def test_pictures_without_contrast_are_alike_where_they_are_equal() -> None:
    flat = [np.full((32, 32), grey, np.float32) for grey in (7, 9, 7)]
    assert first_alike([*flat, glance(encode_png(PHOTOS["cat"]))]).tolist() == [0, 1, 0, 3]
    assert first_alike([]).tolist() == []
    assert first_alike([None, None]).tolist() == [0, 1]
