"""The expected calibration error by hand and as recorded of hotcoco."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.calibration import CALIBRATION, calibration_error


def found(scores: list[float], right: list[bool], ignored: list[bool] | None = None) -> Any:
    """The evidence of an image."""
    out = ignored or [False] * len(scores)
    return {
        "score": np.array(scores),
        "matched": np.array(right, np.bool_).reshape(1, 1, -1),
        "ignored": np.array(out, np.bool_).reshape(1, 1, -1),
    }


def error(evidences: list[Any], counts: list[list[int]]) -> list[float]:
    values: list[float] = calibration_error(evidences, np.array(counts))[CALIBRATION].tolist()
    return values


def test_the_gap_of_a_bin_is_weighted_by_its_detections() -> None:
    # 0.9 said twice and right once; 0.3 right once; below 0.25 and ignored ones do not count.
    image = found(
        [0.9, 0.9, 0.3, 0.2, 0.8], [True, False, True, False, False], [False] * 4 + [True]
    )
    assert error([image], [[1]]) == pytest.approx([(0.8 + 0.7) / 3])


def test_resampled_sets_pool_their_detections() -> None:
    images = [found([0.95, 0.5], [True, False]), found([0.92], [False]), found([], [])]
    together = (abs(2 - 2 * 0.95 - 0.92) + 2 * 0.5) / 5  # the first twice
    assert error(images, [[2, 1, 0], [0, 0, 3]])[0] == pytest.approx(together)
    assert np.isnan(error(images, [[0, 0, 3]])[0])


def test_the_error_is_hotcocos() -> None:
    """``hotcoco.metrics.calibration_error`` 1.3.0 of the same scores, recorded."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.25, 1, 500).round(3)
    image = found(scores.tolist(), (rng.random(500) < scores**2).tolist())
    assert error([image], [[1]]) == pytest.approx([0.184058], abs=1e-9)
