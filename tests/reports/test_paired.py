"""What pairs: means over the same images alone, and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from reports.findings.effects import effects
from reports.pages.runs import board
from reports.pages.two_runs import comparison
from reports.results.provenance import Provenance
from reports.results.record import Record
from reports.results.results import ByImage, Results
from reports.tables.answers import answers
from reports.tables.latex import latex
from reports.tables.summary import summary
from tests.reports.made import cost, record, rowed

N = 100
RAIN = "photoshop-heavy"


def psnr(derainer: str, value: float | None, n_identical: int = 0) -> Record:
    of = {"task": "quality", "metric": "psnr_y_db", "unit": "dB", "n": N}
    return record(rain=RAIN, derainer=derainer, value=value, n_identical=n_identical, **of)


def results(records: Sequence[Record], **more: object) -> Results:
    draws = {r.cell: np.full(1000, r.value, np.float32) for r in records if r.value is not None}
    spec = {"dataset": "coco", "split": "val", "seed": 0}
    made = Results("0" * 64, spec, Provenance(), [], [], list(records), draws)
    return rowed(made, **more)


def left_out(*places: Sequence[int]) -> Results:
    """The rainy input and a derainer, whose images at some places equal their references."""
    pair = [psnr(d, v, len(p)) for d, v, p in zip(("identity", "b"), (30, 32), places, strict=True)]
    values = {}
    for one, of in zip(pair, places, strict=True):
        values[one.cell] = np.full(N, 30, np.float32)
        values[one.cell][list(of)] = np.inf
    return results(pair, by_image=ByImage(values=values))


@pytest.mark.parametrize("both", [(), (3, 4)])
def test_means_over_the_same_images_pair(both: tuple[int, ...]) -> None:
    run = left_out(both, both)
    assert [one.difference for one in effects(run)] == [2]
    assert summary(run)[1][-1][-1] == "+2.00 [+2.00, +2.00]"


@pytest.mark.parametrize("places", [((3, 4), (3,)), ((3, 4), (3, 5)), ((), (7,))])
def test_means_over_other_images_have_no_difference(places: tuple[tuple[int, ...], ...]) -> None:
    """Images that equal their reference have no PSNR, and the rest are other images."""
    run = left_out(*places)
    assert run.compare(*run.records) is None
    assert effects(run) == []
    assert summary(run)[1][-1][-1] == "–"
    (answer,) = answers(run)
    assert answer.headline == "No derainer can be set against the rainy input."
    assert answer.derainers[0].startswith("b: 32.00 dB, a mean over other images than the rainy ")
    assert "textbf" in latex(left_out((3,), (3,)))
    assert "textbf" not in latex(run)


def test_nothing_is_above_images_that_equal_their_reference() -> None:
    run = results([psnr("identity", 30), psnr("b", 32), psnr("same", None, N)])
    (answer,) = answers(run)
    assert answer.headline == "Yes: b raises PSNR-Y."
    assert answer.derainers[1:] == [
        "same: all images equal their reference, which no PSNR-Y is above."
    ]
    assert "textbf" in latex(results(run.records[:2]))
    assert "textbf" not in latex(run)
    assert [row[1] for row in board([run])[1]] == ["same", "b", "rainy"]


def test_what_two_runs_hold_without_a_difference_is_shown() -> None:
    one, two = (results([psnr("identity", 30), psnr("b", *b)]) for b in ((32,), (None, N)))
    rows = {row[1]: row[-5:] for row in comparison(one, two)[1]}
    assert rows["b"] == ["32.00", "identical", "–", "–", "–"]
    assert comparison(one, two)[2][-1].startswith("The last rows have no difference: a value")
    assert [row[-1] for row in comparison(one, one)[1]] == ["the same"] * 2
    assert [row[1] for row in comparison(two, two)[1]] == ["rainy"]


def test_which_images_are_left_out_is_not_guessed() -> None:
    run = results([psnr("identity", 30, 2), psnr("b", 32, 2)])
    assert run.compare(*run.records) is None
    assert run.compare(run.records[0], run.records[0]) is not None


def test_a_value_says_of_how_many_images_it_is() -> None:
    rows = summary(results([psnr("identity", 30), psnr("b", 32, 60)]))[1]
    assert [row[2] for row in rows] == ["30.00", "32.00 of 40"]


def test_a_gate_takes_the_mean_of_what_it_derained_and_what_it_left() -> None:
    run = results([psnr("identity", 30)])
    times = {d: cost(RAIN, d, 0.02, mean_s_per_image=0.65) for d in ("gate:b", "gate@2:b", "b")}
    assert [run.seconds(times[d]) for d in times] == [0.65, 0.65, 0.02]
    named = replace(run, provenance=Provenance(gates={"b": "c"}))
    assert named.seconds(times["b"]) == 0.65
