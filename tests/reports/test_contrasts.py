"""Differences that were named before: one family, over images, seeds of the rain and trainings."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reports.findings.contrasts import Judged, judged
from reports.findings.over_repeats import Repeated
from reports.findings.remedies import Number
from reports.results.intervals import Family, interval, two_sided
from reports.results.metrics import MetricRow

ROW = MetricRow("AP pooled", "fraction", 3, True)
N, B = 60, 1000


def number(table: NDArray[Any], groups: int = N) -> Number:
    """A difference by its repeats on resampled sets, three axes before the sets."""
    return Number(float(table.mean()), None, int(table[..., 0].size), groups, table)


def drawn(shift: float, seed: int) -> NDArray[np.float64]:
    """Of one seed and one training."""
    return np.random.default_rng(seed).normal(shift, 0.01, (1, 1, 1, B))


def test_without_repeats_a_family_is_judged_as_any_other() -> None:
    tables = [drawn(shift, seed) for seed, shift in enumerate((0.03, 0.0, -0.05, 0.012, 0.022))]
    found = judged([number(t) for t in tables], ROW)
    flat = [t[0, 0, 0] for t in tables]
    assert [j.p_value for j in found] == pytest.approx(Family.of(flat, N).p_values)
    assert [j.ci for j in found] == [interval(d, N) for d in flat]
    assert [j.verdict for j in found] == [
        "better",
        "no significant difference",
        "worse",
        "no significant difference",
        "no significant difference",
    ]
    for judge, draws in zip(found, flat, strict=True):
        assert (judge.p_value or 0) >= two_sided(draws, N)
    falling = judged([number(t) for t in tables], replace(ROW, higher_is_better=False))
    assert [j.verdict for j in falling][0::2] == ["worse", "better", "no significant difference"]


def test_as_long_as_one_is_missing_none_has_a_verdict() -> None:
    some = [number(drawn(0.05, 0)), number(drawn(0.05, 1))]
    assert all(j.verdict == "better" for j in judged(some, ROW))
    for lacking in (None, some[0]._replace(table=None)):
        found = judged([*some, lacking], ROW)
        assert all(j.verdict is None and j.p_value is None for j in found)
        assert found[0].ci is not None
        assert found[2].ci is None
    few = [each._replace(groups=19) for each in some]
    assert judged(few, ROW) == [Judged(None, None, None)] * 2


def test_trainings_that_disagree_take_a_verdict_away() -> None:
    """By hand: means 0.01, 0.03, 0.05 have the error 0.02/√3, of which t(2) at 2.5 % is 4.303."""
    shared = np.random.default_rng(0).normal(0, 1e-4, B)
    table = np.array([0.01, 0.03, 0.05])[None, :, None, None] + shared
    (apart,) = judged([number(table, 10**6)], ROW)
    assert apart.verdict == "no significant difference"
    assert apart.ci == pytest.approx((0.03 - 0.0497, 0.03 + 0.0497), abs=0.003)
    (alike,) = judged([number(np.broadcast_to(0.03 + shared, (1, 3, 1, B)))], ROW)
    assert alike.verdict == "better"


@pytest.fixture(scope="module")
def simulated() -> Any:
    """The script that simulates studies of nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent.parent / "benchmarks"))
        return importlib.import_module("contrasts")


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_a_family_errs_at_most_as_often_as_one(simulated: Any, spread: float) -> None:
    """In 200 studies; 19 and more of them come of a level of 5 % once in two hundred times."""
    errs = 0
    for i in range(200):
        found = judged(simulated.study(np.random.default_rng([i, 7]), spread), ROW)
        errs += any(j.verdict != "no significant difference" for j in found)
    assert errs < 19


def test_intervals_over_trainings_cover_as_often_as_they_say(simulated: Any) -> None:
    """Of 200 differences that are nothing, where a training moves more than the images do.

    20 and more are missed once in three hundred times if 5 % are.
    """
    missed = 0
    for i in range(200):
        *_, last = simulated.study(np.random.default_rng([i, 11]), 2.0)
        low, high = Repeated.of(last.table).interval(N) or (0.0, 0.0)
        missed += not low <= 0 <= high
    assert missed < 20


def test_a_family_finds_what_is_there(simulated: Any) -> None:
    """A difference of six errors of the mean over images, among four that are nothing."""
    found = 0
    for i in range(40):
        first, *others = simulated.study(np.random.default_rng([i, 8]), 0.3)
        assert first.table is not None
        shift = 6 * float(first.table.mean((0, 1, 2)).std())
        moved = number(first.table + (shift - first.value))
        found += judged([moved, *others], ROW)[0].verdict == "better"
    assert found > 32
