"""Numbers of single images: which are shown, and whether quality tells the task's score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from harness.scores.gallery import exemplary
from reports.results.correlations import correlations
from reports.results.results import ByImage

IDS = tuple(f"{i:02}" for i in range(40))


def numbers(noise: float) -> ByImage:
    """Three conditions whose score follows PSNR, but for noise."""
    rng = np.random.default_rng(0)
    values = {}
    for k, derainer in enumerate(("identity", "median", "granet")):
        psnr = 20 + 3 * k + rng.random(40)
        score = psnr / 40 + noise * rng.normal(size=40)
        values[f"heavy|{derainer}|quality|psnr_y_db"] = psnr.astype(np.float32)
        values[f"heavy|{derainer}|detection|f1@c25-iou50"] = score.astype(np.float32)
    return ByImage(IDS, IDS, values)


COUNTS = np.random.default_rng(1).multinomial(40, [1 / 40] * 40, 500)


def test_a_score_that_follows_quality_is_told_by_it() -> None:
    found = {c.derainer: c for c in correlations(numbers(0), COUNTS)}
    assert list(found) == [None, "identity", "median", "granet"]
    assert all(c.value == pytest.approx(1) and c.n == 40 for c in found.values())
    assert all(c.ci == pytest.approx((1, 1)) for c in found.values())


def test_ranks_are_correlated_as_scipy_does() -> None:
    known = numbers(0.05)
    for c in correlations(known, COUNTS):
        if c.derainer is not None:
            x = known.values[f"heavy|{c.derainer}|quality|psnr_y_db"]
            y = known.values[f"heavy|{c.derainer}|detection|f1@c25-iou50"]
            assert c.value == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
            assert c.ci is not None
            assert c.ci[0] < c.value < c.ci[1]
        else:
            of_image = [
                spearmanr(*zip(*pairs, strict=True)).statistic
                for pairs in zip(
                    *(
                        zip(
                            known.values[f"heavy|{d}|quality|psnr_y_db"],
                            known.values[f"heavy|{d}|detection|f1@c25-iou50"],
                            strict=True,
                        )
                        for d in ("identity", "median", "granet")
                    ),
                    strict=True,
                )
            ]
            assert c.value == pytest.approx(np.mean(of_image))


def test_undefined_and_constant_numbers_are_left_out() -> None:
    known = numbers(0.05)
    constant: dict[str, Any] = dict(known.values)
    constant["heavy|median|detection|f1@c25-iou50"] = np.full(40, 0.5, np.float32)
    constant["heavy|granet|detection|f1@c25-iou50"] = np.where(
        np.arange(40) < 30, np.float32(np.nan), np.float32(0.5)
    )
    found = {c.derainer: c for c in correlations(ByImage(IDS, IDS, constant), COUNTS)}
    assert set(found) == {None, "identity"}
    assert found[None].n == 10
    few = ByImage(IDS, ("drive",) * 40, known.values)
    assert all(c.ci is None for c in correlations(few, COUNTS))
    assert correlations(ByImage(), COUNTS) == []


def test_best_median_and_worst_are_shown() -> None:
    gains = np.arange(40, dtype=np.float32)[::-1] / 100
    rainy = np.full(40, 0.3, np.float32)
    cells: dict[str, Any] = {
        "none|identity|detection|f1@c25-iou50": rainy,
        "heavy|identity|detection|f1@c25-iou50": rainy,
        "heavy|granet|detection|f1@c25-iou50": rainy + gains,
    }
    chosen = exemplary(ByImage(IDS, IDS, cells), ("detection",))
    assert list(chosen) == ["00", "01", "20", "38", "39"]
    assert chosen["00"] == "among the best, deraining changes F1 by +0.39"
    assert chosen["20"].startswith("the median")
    assert chosen["39"] == "among the worst, deraining changes F1 by +0"


def test_without_a_score_quality_chooses_and_without_that_the_first_are_shown() -> None:
    psnr: dict[str, Any] = {
        f"heavy|{d}|quality|psnr_y_db": np.arange(40, dtype=np.float32) * k
        for k, d in enumerate(("identity", "granet"), 1)
    }
    nothing: dict[str, Any] = {
        "heavy|granet|detection|f1@c25-iou50": np.full(40, np.nan, np.float32)
    }
    chosen = exemplary(ByImage(IDS, IDS, psnr | nothing), ("detection",))
    assert next(iter(chosen)) == "39"
    assert "PSNR-Y" in chosen["39"]
    assert list(exemplary(ByImage(IDS, IDS, nothing), ("detection",))) == list(IDS[:4])
    two = ByImage(IDS[:2], IDS[:2], {k: v[:2] for k, v in psnr.items()})
    assert len(exemplary(two, ())) == 1
