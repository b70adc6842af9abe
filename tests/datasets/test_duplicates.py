"""Photographs that stand in two sets."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee, rocket

from datasets.duplicates import alike, found_in, hashes_of_views, perceptual_hash

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
