"""The photographs that a derainer in training is judged by."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.image import NDArrayByte, encode_png
from datasets.sample import Sample
from harness.training.telling import verdict
from harness.training.validation import CEILING_DB, Validation


def sample(folder: Path, name: str, rain: int) -> Sample:
    """A photograph with rain of some grey levels."""
    clean = np.random.default_rng(0).integers(0, 200, (64, 64, 3)).astype(np.uint8)
    files = []
    for kind, image in (("clean", clean), ("rainy", clean + np.uint8(rain))):
        files.append(folder / f"{name}-{kind}.png")
        files[-1].write_bytes(encode_png(image))
    return Sample(name, files[0], name, rainy_path=files[1])


def as_it_is(image: NDArrayByte, _: str) -> Any:
    return image / 255


def darker(image: NDArrayByte, _: str) -> Any:
    return image / 260


def test_photographs_without_rain_are_left_out(tmp_path: Path) -> None:
    dry, wet = sample(tmp_path, "dry", 0), sample(tmp_path, "wet", 20)
    both, alone = Validation([dry, wet], {}, 0), Validation([wet], {}, 0)
    assert both.names == ["wet"]
    for restore in (as_it_is, darker):
        assert both.scores(restore) == alone.scores(restore)
        assert math.isfinite(both.scores(restore)["psnr_y_db"])


def test_where_there_are_no_others_no_score_is_infinite(tmp_path: Path) -> None:
    dry = Validation([sample(tmp_path, "dry", 0)], {}, 0)
    assert dry.scores(as_it_is)["psnr_y_db"] == CEILING_DB
    assert dry.scores(darker)["psnr_y_db"] < CEILING_DB


@pytest.mark.parametrize("gain_db", [0.0, 0.004, -0.004])
def test_what_does_not_show_is_neither_gain_nor_loss(gain_db: float) -> None:
    best = {"psnr_y_db": 30 + gain_db}
    said = verdict("net", 2, {"psnr_y_db": 30.0}, best)
    assert said.startswith("net: these weights neither gain nor lose PSNR-Y on 2 held-out ")
