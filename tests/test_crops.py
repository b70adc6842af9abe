"""Enlarged windows of a picture."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def crops() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("crops")


def test_windows_are_where_the_edges_are(crops: Any) -> None:
    clean = np.full((240, 320, 3), 90, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    clean[10:58, 200:264] = noise
    clean[150:198, 20:84] = noise // 2
    (left, low), (right, high) = crops.windows(clean)
    assert abs(left - 20) < 4
    assert abs(low - 150) < 4
    assert abs(right - 200) < 4
    assert abs(high - 10) < 4


def test_a_window_is_outlined_and_enlarged(crops: Any) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[48:96, 64:128] = 255
    panel = crops.panel(picture, [(64, 48), (200, 100)], "median: 20.00 dB")
    whole = round(240 * 516 / 320)
    assert panel.shape == (whole + 4 + 192 + 4 + 40, 516, 3)
    assert tuple(panel[round(48 * 516 / 320), round(100 * 516 / 320)]) == crops.COLOURS[0]
    enlarged = panel[whole + 4 : whole + 4 + 192]
    assert (enlarged[10:180, 10:240] == 255).all()
    assert (enlarged[10:180, 270:500] == 0).all()
