"""Numbers of single images: which are shown, and whether quality tells the task's score."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from harness.plan.rows import metric_rows, task_row
from harness.scores.gallery import exemplary
from reports.results.cell import Cell, Condition, Data
from reports.results.correlations import correlations
from reports.results.provenance import Provenance
from reports.results.record import Record
from reports.results.results import QUALITY, ByImage, Results
from tasks import quality
from tasks.rows import QUALITY as OF_IMAGES
from tasks.rows import TASKS

IDS = tuple(f"{i:02}" for i in range(40))


PSNR, F1 = "psnr_y_db", "f1@c25-iou50"
ROWS = {"detection": task_row(TASKS["detection"].scores), QUALITY: task_row(OF_IMAGES)}


def place(derainer: str, metric: str, rain: str = "heavy") -> Cell:
    """Where a number of this test stands."""
    condition = Condition(Data("coco", "val"), rain, 0, derainer)
    return Cell(condition, QUALITY if metric == PSNR else "detection", None, metric)


def study(by_image: ByImage) -> Results:
    """A run with numbers of single images."""
    records = [
        Record(
            dataset="coco",
            split="val",
            rain=cell.condition.rain,
            derainer=cell.condition.derainer,
            weights=None,
            task=cell.task,
            model=None,
            metric=cell.metric,
            value=float(values.mean()),
            n=len(values),
            ci=None,
            seen=(),
            seed=0,
            unit="dB" if cell.metric == PSNR else "fraction",
        )
        for cell, values in by_image.values.items()
        if np.isfinite(values).all()
    ]
    detection = TASKS["detection"]
    metrics = metric_rows(detection.scores, detection.metrics, len(IDS))
    metrics |= metric_rows(OF_IMAGES, {PSNR: quality.metric_row(PSNR)}, len(IDS))
    return Results(
        "f" * 64, {}, Provenance(), [], [], records, {}, metrics, ROWS, by_image=by_image
    )


def numbers(noise: float) -> ByImage:
    """Three conditions whose score follows PSNR, but for noise."""
    rng = np.random.default_rng(0)
    values = {}
    for k, derainer in enumerate(("identity", "median", "granet")):
        psnr = 20 + 3 * k + rng.random(40)
        score = psnr / 40 + noise * rng.normal(size=40)
        values[place(derainer, PSNR)] = psnr.astype(np.float32)
        values[place(derainer, F1)] = score.astype(np.float32)
    return ByImage(IDS, IDS, values)


COUNTS = np.random.default_rng(1).multinomial(40, [1 / 40] * 40, 500)


def test_a_score_that_follows_quality_is_told_by_it() -> None:
    found = {c.derainer: c for c in correlations(numbers(0), ROWS, COUNTS)}
    assert list(found) == [None, "identity", "median", "granet"]
    assert all(c.value == pytest.approx(1) and c.n == 40 for c in found.values())
    assert all(c.ci == pytest.approx((1, 1)) for c in found.values())


def test_ranks_are_correlated_as_scipy_does() -> None:
    known = numbers(0.05)
    for c in correlations(known, ROWS, COUNTS):
        if c.derainer is not None:
            x = known.values[place(c.derainer, PSNR)]
            y = known.values[place(c.derainer, F1)]
            assert c.value == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
            assert c.ci is not None
            assert c.ci[0] < c.value < c.ci[1]
        else:
            of_image = [
                spearmanr(*zip(*pairs, strict=True)).statistic
                for pairs in zip(
                    *(
                        zip(
                            known.values[place(d, PSNR)],
                            known.values[place(d, F1)],
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
    constant = dict(known.values)
    constant[place("median", F1)] = np.full(40, 0.5, np.float32)
    constant[place("granet", F1)] = np.where(
        np.arange(40) < 30, np.float32(np.nan), np.float32(0.5)
    )
    found = {c.derainer: c for c in correlations(ByImage(IDS, IDS, constant), ROWS, COUNTS)}
    assert set(found) == {None, "identity"}
    assert found[None].n == 10
    few = ByImage(IDS, ("drive",) * 40, known.values)
    assert all(c.ci is None for c in correlations(few, ROWS, COUNTS))
    assert correlations(ByImage(), ROWS, COUNTS) == []


def test_best_median_and_worst_are_shown() -> None:
    gains: NDArray[np.float32] = np.arange(40, dtype=np.float32)[::-1] / np.float32(100)
    rainy = np.full(40, 0.3, np.float32)
    cells = {
        place("identity", F1, "none"): rainy,
        place("identity", F1): rainy,
        place("granet", F1): rainy + gains,
    }
    chosen = exemplary(study(ByImage(IDS, IDS, cells)))
    assert list(chosen) == ["00", "01", "20", "38", "39"]
    assert chosen["00"] == "among the best, deraining changes F1 by +0.39"
    assert chosen["20"].startswith("the median")
    assert chosen["39"] == "among the worst, deraining changes F1 by +0"


def test_without_a_score_quality_chooses_and_without_that_the_first_are_shown() -> None:
    psnr = {
        place(d, PSNR): np.arange(40, dtype=np.float32) * k
        for k, d in enumerate(("identity", "granet"), 1)
    }
    nothing = {place("granet", F1): np.full(40, np.nan, np.float32)}
    chosen = exemplary(study(ByImage(IDS, IDS, psnr | nothing)))
    assert next(iter(chosen)) == "39"
    assert "PSNR-Y" in chosen["39"]
    assert list(exemplary(study(ByImage(IDS, IDS, nothing)))) == list(IDS[:4])
    two = ByImage(IDS[:2], IDS[:2], {k: v[:2] for k, v in psnr.items()})
    assert len(exemplary(study(two))) == 1
