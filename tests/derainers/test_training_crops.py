"""What derainers are trained on: the same crops, whoever asks for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from derainers.training.data import loader
from derainers.training.recipes import PAPER
from tests.derainers.photographs import RAIN, TINY, Picture, crops_of


def test_a_crop_is_the_same_whoever_asks() -> None:
    crops = crops_of(TINY)
    for number in (0, 3, 10):
        ((rainy, clean),) = crops[number]
        (again,) = crops[number]
        assert np.array_equal(rainy, again[0])
        assert np.array_equal(clean, again[1])
        assert rainy.shape == clean.shape == (48, 48, 3) if number == 10 else (32, 32, 3)
    assert not np.array_equal(crops[0][0][1], crops[2][0][1])


def test_crops_of_one_render_show_one_photograph() -> None:
    pictures = [Picture(str(i), np.full((60, 60, 3), i, np.uint8)) for i in range(4)]
    recipe = replace(TINY, batch=6, crops_per_render=3)
    crops = crops_of(recipe, photographs=pictures, rains=())
    steps = [[clean for _, clean in groups] for groups in loader(crops, 0, 0)]
    seen = [
        [len(set(clean.flatten(1)[n].tolist())) for n in range(len(clean))] for (clean,) in steps
    ]
    assert [len(clean) for (clean,) in steps] == [6, 6, 6, 6, 6, 1]
    assert all(count == 1 for step in seen for count in step)
    shown = [clean[:, 0, 0, 0].tolist() for (clean,) in steps[:-1]]
    assert all(len(set(step[:3])) == len(set(step[3:])) == 1 for step in shown)
    assert {round(255 * value) for step in shown[:2] for value in step} == set(range(4))
    corners = loader(crops_of(recipe), 0, 0)
    ((rainy, _),) = next(iter(corners))
    assert not torch.equal(rainy[0], rainy[1])


def test_rainy_and_clean_are_the_same_window() -> None:
    crops = crops_of(TINY, rains=())
    for number in range(6):
        ((rainy, clean),) = crops[number]
        assert np.array_equal(rainy, 255 - clean)


def test_no_rain_leaves_its_share_clean() -> None:
    crops = crops_of(TINY, steps=20, rains=(RAIN, None))
    pairs = [pair for number in range(len(crops)) for pair in crops[number]]
    dry = sum(np.array_equal(rainy, clean) for rainy, clean in pairs)
    assert 10 <= dry <= len(pairs) - 10


def test_every_photograph_is_seen_once_in_an_epoch() -> None:
    pictures = [Picture(str(i), np.full((40, 40, 3), i, np.uint8)) for i in range(7)]
    crops = crops_of(replace(TINY, batch=7), photographs=pictures, rains=())
    for epoch in range(2):
        assert {int(crops[7 * epoch + i][0][1][0, 0, 0]) for i in range(7)} == set(range(7))


def test_whole_images_come_one_by_one() -> None:
    crops = crops_of(replace(PAPER["granet"], batch=3))
    (groups, *_) = loader(crops, 0, 0)
    sizes = {tuple(rainy.shape) for rainy, _ in groups}
    assert len(groups) == 3
    assert sizes == {(1, 3, 160, 96), (1, 3, 96, 136)}


def test_processes_share_a_step() -> None:
    crops = crops_of(TINY)
    whole = [rainy for groups in loader(crops, 0, 0) for rainy, _ in groups]
    parts = [[r for groups in loader(crops, 0, 0, rank, 2) for r, _ in groups] for rank in (0, 1)]
    assert torch.equal(whole[0][0::2], parts[0][0])
    assert torch.equal(whole[0][1::2], parts[1][0])
