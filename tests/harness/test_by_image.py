"""Numbers of single images: which are shown, and whether quality tells the task's score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from harness.plan.rows import metric_rows, task_row
from harness.scores.gallery import exemplary
from reports.findings.correlations import correlations
from reports.results.cell import Cell, Condition, Data
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
    found = correlations(known, ROWS, COUNTS)
    assert [c.derainer for c in found] == [None, "identity", "median", "granet"]
    for c in found:
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


NAMES = ("identity", "median", "granet", "prenet", "nledn")
BOTH = ROWS | {"instance": task_row(TASKS["instance"].scores)}


def test_counts_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    by_image = judged(0.5)
    n = len(by_image.samples)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=300)
    tasks = {name: task_row(row.scores) for name, row in TASKS.items()}
    whole = correlations(by_image, tasks, counts)
    monkeypatch.setattr("reports.findings.correlations.AT_ONCE_BYTES", 8 * n * 7)
    parts = correlations(by_image, tasks, counts)
    assert len(whole) == len(parts) > 2
    for one, other in zip(whole, parts, strict=True):
        assert other.value == pytest.approx(one.value, abs=1e-12)
        assert other.ci == pytest.approx(one.ci, abs=1e-12)


def judged(noise: float) -> ByImage:
    """Five conditions whose skill two tasks see through noise, and PSNR as it is."""
    rng = np.random.default_rng(3)
    values = {}
    hard = rng.normal(size=40)
    for k, derainer in enumerate(NAMES):
        skill = k + rng.normal(0, 0.5, 40)
        values[place(derainer, PSNR)] = (skill + hard).astype(np.float32)
        for task in ("detection", "instance"):
            cell = replace(place(derainer, F1), task=task)
            values[cell] = (skill + 3 * hard + noise * rng.normal(size=40)).astype(np.float32)
    values[place("identity", F1, "none")] = (3 * hard).astype(np.float32)
    return ByImage(IDS, IDS, values)


def test_another_task_stands_beside_and_the_learned_stand_alone() -> None:
    by_image = judged(0.5)
    found = correlations(by_image, BOTH, COUNTS, plain={"identity", "median"})
    within = {c.is_learned: c for c in found if c.derainer is None and c.task == "detection"}
    assert (within[False].among, within[True].among) == (5, 3)
    assert within[True].value < within[False].value
    ours, theirs = (
        np.stack([by_image.values[replace(place(d, F1), task=task)] for d in NAMES])
        for task in ("detection", "instance")
    )
    by_hand = [spearmanr(a, b).statistic for a, b in zip(ours.T, theirs.T, strict=True)]
    assert within[False].other_task == pytest.approx(np.mean(by_hand))
    alone = correlations(numbers(0.05), ROWS, COUNTS)
    assert {(c.other_task, c.partial) for c in alone if c.derainer is None} == {(None, None)}
    assert not any(c.is_learned for c in correlations(numbers(0.05), ROWS, COUNTS, {"median"}))


def test_a_measure_without_noise_tells_more_than_another_task_does() -> None:
    found = correlations(judged(2.0), BOTH, COUNTS)
    for one in (c for c in found if c.derainer is None):
        assert one.other_task is not None
        assert one.value > one.other_task + 0.1
        assert one.value == pytest.approx(np.sqrt(one.other_task), abs=0.1)


def test_a_partial_correlation_leaves_out_how_hard_images_are() -> None:
    by_image = judged(0.5)
    found = {c.derainer: c for c in correlations(by_image, BOTH, COUNTS) if c.task == "detection"}
    one = found["granet"]
    assert one.partial is not None
    assert one.partial_ci is not None
    clean = place("identity", F1, "none")
    x, y, z = (
        rankdata(by_image.values[cell])
        for cell in (place("granet", PSNR), place("granet", F1), clean)
    )
    rest_x, rest_y = (side - np.polyval(np.polyfit(z, side, 1), z) for side in (x, y))
    assert one.partial == pytest.approx(np.corrcoef(rest_x, rest_y)[0, 1])
    assert one.partial_ci[0] < one.partial < one.partial_ci[1]
    assert one.partial < one.value


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
    # An image that stays as it was, infinitely like its clean one, has no gain.
    endless = {cell: np.where(np.arange(40) == 39, np.inf, v) for cell, v in psnr.items()}
    with_records = study(ByImage(IDS, IDS, psnr | nothing))
    chosen = exemplary(replace(with_records, by_image=ByImage(IDS, IDS, endless | nothing)))
    assert next(iter(chosen)) == "38"
    two = ByImage(IDS[:2], IDS[:2], {k: v[:2] for k, v in psnr.items()})
    assert len(exemplary(study(two))) == 1


def test_rows_of_images_hold_quality_beside_each_network_s_scores() -> None:
    rng = np.random.default_rng(0)
    places = [place("median", PSNR), *(replace(place("median", F1), network=n) for n in "ab")]
    values = {cell: rng.random(40, np.float32) for cell in places}
    values[place("unseen", PSNR)] = np.ones(40, np.float32)
    found = study(ByImage(IDS, IDS, values)).images
    assert len(found) == 40 * 3
    for network in "ab":
        rows = found[found.network == network]
        assert rows[PSNR].tolist() == values[place("median", PSNR)].tolist()
        assert rows[F1].tolist() == values[replace(place("median", F1), network=network)].tolist()
    assert not np.isnan(found[[PSNR, F1]].dropna().corr().to_numpy()).any()
    alone = found[found.network.isna()]
    assert set(alone.derainer) == {"unseen"}
    assert (alone[PSNR] == 1).all()
