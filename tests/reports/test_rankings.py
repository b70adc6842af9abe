"""Kendall's τ between rankings of derainers: by hand, within a run and between runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from reports.findings.rankings import by_quality, carried, kendall
from reports.pages.runs import write_board
from reports.plots.rankings import rankings as drawn
from reports.results.provenance import Provenance
from reports.results.results import Results
from reports.tables.rankings import table
from tests.reports.made import record, rowed

ORDERS = {"light": "abcde", "heavy": "abced", "storm": "edcba"}
"""The worst derainer first, by rain."""


def ranked(
    orders: dict[str, str] = ORDERS, seed: int = 0, deviation: float = 0.001, images: str = "same"
) -> Results:
    """A run of one network that ranks derainers by rain."""
    rng = np.random.default_rng(seed)
    records, draws = [], {}
    for rain, names in orders.items():
        for score, name in enumerate(("identity", *names)):
            one = record(
                rain=rain,
                derainer=name,
                task="detection",
                model="yolo",
                metric="ap_pooled",
                value=0.3 + score / 50,
                n=100,
                unit="fraction",
            )
            records.append(replace(one, seed=seed))
            noise = rng.normal(0, deviation, 500)
            draws[records[-1].cell] = (0.3 + score / 50 + noise).astype(np.float32)
    provenance = Provenance(groups=100, data_fingerprint=images)
    return rowed(Results(f"{seed}" * 64, {}, provenance, [], [], records, draws))


def test_tau_is_scipys() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, (2, 30, 7)).astype(float)
    expected = [kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(kendall(x, y), expected)
    assert np.isnan(kendall(np.ones((1, 4)), np.arange(4.0)[None])).all()


def test_rankings_of_a_run_are_compared_by_rain() -> None:
    """Ten pairs of five: one of them is turned from light to heavy, all from light to storm."""
    found = {(c.first.rain, c.second.rain): c for c in carried([ranked()])}
    assert found["heavy", "light"].tau == pytest.approx(0.8)
    assert found["light", "storm"].tau == -1
    assert found["heavy", "light"].ci == pytest.approx((0.8, 0.8))
    assert {c.differs for c in found.values()} == {"rain"}
    wide = carried([ranked(deviation=0.05)])[0].ci
    assert wide is not None
    assert wide[0] < 0.3 < wide[1]
    assert carried([ranked({"light": "abc", "heavy": "abc"})]) == []
    plot = drawn(ranked())
    assert plot is not None
    assert "rain: heavy, light (coco val, detection, yolo) +0.80" in plot.alt


def test_image_quality_is_held_against_the_tasks_order() -> None:
    """Decibels that rise as the task's scores do, but for the last two of the heavy rain."""
    run = ranked()
    of_images = ranked({"light": "abcde", "heavy": "abcde"})
    for one in of_images.records:
        moved = replace(one, task="quality", model=None, metric="psnr_y_db", unit="dB")
        run.records.append(moved)
        run.draws[moved.cell] = of_images.draws[one.cell]
    found = {c.first.rain: c for c in by_quality(rowed(run))}
    assert {rain: c.tau for rain, c in found.items()} == pytest.approx({"light": 1, "heavy": 0.8})
    assert found["heavy"].derainers == 5
    assert found["heavy"].first.task == "quality"
    assert found["heavy"].ci == pytest.approx((0.8, 0.8))


def test_draws_of_other_resampled_sets_are_not_held_against_each_other_set_by_set() -> None:
    """Draws that move together on equal sets give one order; on others each its own."""
    first, second = (ranked({"light": "abcde"}, seed=s, deviation=0.05) for s in (0, 7))
    twins = dict(zip(second.draws, first.draws.values(), strict=True))
    second = replace(second, draws=twins)
    assert carried([first, second])[0].ci == pytest.approx((1, 1))
    versions = {"resamples": 2}
    told = replace(second.provenance, metric_versions=versions)
    ci = carried([first, replace(second, provenance=told)])[0].ci
    assert ci is not None
    assert ci[0] < 0.9


def test_runs_of_other_seeds_are_compared_and_told(tmp_path: Path) -> None:
    runs = [ranked({"light": "abcde"}), ranked({"light": "bacde"}, seed=7)]
    (pair,) = carried(runs)
    assert (pair.differs, pair.first.seed, pair.second.seed) == ("seed", 0, 7)
    assert pair.tau == pytest.approx(0.8)
    (row,) = table(runs)[1]
    assert row[:5] == ["seed", "0", "7", "coco val, light, detection, yolo", "+0.80"]
    other = ranked({"light": "bacde"}, seed=7, images="others")
    assert carried([runs[0], other]) == []  # they differ in more than the seed
    write_board(runs, tmp_path)
    assert "carried over to another" in (tmp_path / "rankings.md").read_text()
    write_board(runs[:1], tmp_path / "one")
    assert not (tmp_path / "one" / "rankings.md").exists()


def test_a_tie_of_all_is_no_ranking() -> None:
    run = ranked({"light": "abcde", "heavy": "abcde"})
    tied = [replace(r, value=0.5) if r.rain == "heavy" else r for r in run.records]
    run = replace(run, records=tied)
    assert table([run])[1] == []
    assert drawn(run) is None
