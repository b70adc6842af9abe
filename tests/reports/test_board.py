"""Many runs on one page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reports.pages.runs import board, comparison, differences
from reports.results.results import Results
from tests.reports.made import rowed
from tests.reports.test_reports import record, results


def other(**changes: object) -> Results:
    """A second run of the same images."""
    return replace(results(), run="e" * 64, **changes)  # type: ignore[arg-type]


def shifted(by: float) -> Results:
    """The same run with one derainer better by so much, on the set and on every resample."""
    run = other()
    records = [
        replace(r, value=r.value + by) if r.derainer == "b" and r.value else r for r in run.records
    ]
    draws = {k: v + by if k.condition.name == "b" else v for k, v in run.draws.items()}
    return replace(run, records=records, draws=draws)


def test_the_newest_of_the_same_number_is_shown() -> None:
    headings, rows, _ = board([other(), results()])
    assert {len(row) for row in rows} == {len(headings)}
    assert {row[-1] for row in rows} == {"e" * 12}
    seeded = replace(results(), records=[replace(r, seed=7) for r in results().records])
    assert {row[-1] for row in board([other(), seeded])[1]} == {"e" * 12, "f" * 12}


def test_the_best_stands_first_within_its_rain() -> None:
    rates = [f"physical:rate_mm_h={rate}" for rate in (100, 25, 5)]
    scores = (("identity", 0.2), ("b", 0.1), ("c", 0.3))
    records = [record(d, v, rain=rain) for rain in rates for d, v in scores]
    records.append(record("identity", 0.5, rain="none"))
    _, rows, notes = board([rowed(results(), records=records)])
    assert [row[:2] for row in rows[:4]] == [
        ["clean", "–"],
        ["physical:rate_mm_h=5", "c"],
        ["physical:rate_mm_h=5", "rainy"],
        ["physical:rate_mm_h=5", "b"],
    ]
    assert [row[0].partition("=")[2] for row in rows[4::3]] == ["25", "100"]
    assert "the best first" in notes[0]


def test_a_run_does_not_differ_from_itself() -> None:
    headings, rows, notes = comparison(results(), other())
    assert {len(row) for row in rows} == {len(headings)}
    assert {row[-1] for row in rows} == {"the same"}
    assert "paired" in notes[0]
    assert all("not the same" not in line for line in differences(results(), other()))


def test_a_shift_of_every_resample_is_significant() -> None:
    rows = {row[1]: row for row in comparison(results(), shifted(0.05))[1]}
    assert rows["b"][-1] == "higher"
    assert rows["b"][6].startswith("+0.050")
    rows = {row[1]: row for row in comparison(shifted(0.05), results())[1]}
    assert rows["b"][-1] == "lower"


def test_runs_of_other_images_are_not_paired() -> None:
    made = replace(results().provenance, data_fingerprint="x")
    elsewhere = replace(shifted(0.0), provenance=made)
    _, _, notes = comparison(results(), elsewhere)
    assert "independent sets" in notes[0]
    assert "The data: not the same." in differences(results(), elsewhere)


def test_runs_resampled_another_number_of_times_are_not_paired() -> None:
    more = {cell: np.concatenate([d, d[:40]]) for cell, d in shifted(0.05).draws.items()}
    _, rows, notes = comparison(results(), replace(shifted(0.05), draws=more))
    assert "independent sets" in notes[0]
    assert {row[1]: row[-2] for row in rows}["b"].startswith("[+0.0")


def test_words_that_differ_are_told() -> None:
    told = differences(results(), other(spec={**results().spec, "limit": 5}))
    assert "limit: none in the first, 5 in the second." in told


def test_draws_of_few_images_say_nothing() -> None:
    few = replace(shifted(0.05), provenance=replace(results().provenance, groups=5))
    assert {row[-1] for row in comparison(replace(few, run="a"), few)[1]} == {"the same"}
    assert all(np.isfinite(d).all() for d in few.draws.values())
    assert {row[-2] for row in comparison(results(), few)[1]} == {"–"}
