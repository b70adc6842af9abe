"""From which rain rate on deraining pays."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reports.findings.break_even import break_evens, crossing
from reports.results.provenance import Provenance
from reports.results.results import Results
from reports.tables.break_even import table
from tests.reports.made import record, rowed

RATES = (5, 25, 50, 100)


def made(gains: dict[str, tuple[float, ...]], n: int = 100, spread: float = 0.0) -> Results:
    """Rainy images lose, and each derainer gains as it is said, at each rate and when dry."""
    rains = ["none", *(f"physical:rate_mm_h={rate}" for rate in RATES)]
    records, draws = [], {}
    for place, rain in enumerate(rains):
        for derainer in ("identity", *gains):
            gain = 0.0 if derainer == "identity" else gains[derainer][place]
            about = {"task": "detection", "model": "m", "metric": "ap_pooled", "unit": "fraction"}
            value = 0.5 - 0.05 * place + gain
            one = record(rain=rain, derainer=derainer, value=value, n=n, **about)
            records.append(one)
            noise = np.random.default_rng([place, len(derainer)]).normal(0, spread, 2000)
            draws[one.cell] = np.asarray(value + noise, np.float32)
    told = Provenance(data_fingerprint="f", groups=n)
    return rowed(Results("r", {"dataset": "coco"}, told, [], [], records, draws))


@pytest.mark.parametrize(
    ("gains", "rate"),
    [
        ((-0.02, -0.01, 0.03, 0.05, 0.06), 5 + 20 * 0.25),
        ((0.01, 0.01, 0.03, 0.05, 0.06), 0.0),
        ((-0.02, 0.02, -0.02, 0.02, 0.05), 25 + 25 * 0.5),
        ((0.02, 0.02, 0.02, 0.05, -0.01), math.inf),
        ((-0.02, 0.0, 0.02, 0.05, 0.01), 5.0),
    ],
)
def test_the_rate_is_where_the_gain_stays_above_nothing(
    gains: tuple[float, ...], rate: float
) -> None:
    (found,) = break_evens(made({"granet": gains}))
    assert list(found.rates_mm_h) == [0, *RATES]
    assert found.rate_mm_h == pytest.approx(rate)
    assert found.ci == pytest.approx((rate, rate), abs=1e-4)


def test_dry_images_are_no_rate_of_a_rain_with_layers() -> None:
    run = made({"granet": (-0.02, -0.01, 0.03, 0.05, 0.06)})
    layered = {
        r.cell: replace(r, rain=f"{r.rain}+overcast") for r in run.records if r.rain != "none"
    }
    records = [layered.get(r.cell, r) for r in run.records]
    draws = {layered[c].cell if c in layered else c: d for c, d in run.draws.items()}
    (found,) = break_evens(replace(run, records=records, draws=draws))
    assert (found.rain, list(found.rates_mm_h)) == ("physical+overcast", list(RATES))


def test_an_interval_may_end_beyond_what_was_measured() -> None:
    gains = (-0.05, -0.04, -0.03, -0.02, 0.004)
    found = {b.derainer: b for b in break_evens(made({"a": gains}, spread=0.01))}
    assert 50 < found["a"].rate_mm_h < 100
    assert found["a"].ci is not None
    assert found["a"].ci[1] == math.inf
    assert 5 < found["a"].ci[0] < found["a"].rate_mm_h
    _, rows, _ = table(made({"a": gains}, spread=0.01))
    assert rows[0][:2] == ["physical", "a"]
    assert rows[0][5].endswith(", > 100]")
    assert rows[0][6] == "0/5/25/50/100"
    (few,) = break_evens(made({"a": gains}, n=19, spread=0.01))
    assert few.ci is None


def test_undefined_draws_have_no_rate() -> None:
    gains = np.array([[-1.0, np.nan, 1.0], [1.0, 1.0, 2.0]])
    assert crossing(np.array([0.0, 10.0]), gains) == pytest.approx([5, np.nan, 0], nan_ok=True)
