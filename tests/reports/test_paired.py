"""What pairs: means over the same images alone, and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from reports.findings.effects import effects
from reports.results.provenance import Provenance
from reports.results.record import Record
from reports.results.results import ByImage, Results
from reports.tables.summary import summary
from tests.reports.made import cost, record, rowed

N = 100
RAIN = "photoshop-heavy"


def psnr(derainer: str, value: float, n_identical: int = 0) -> Record:
    of = {"task": "quality", "metric": "psnr_y_db", "unit": "dB", "n": N}
    return record(rain=RAIN, derainer=derainer, value=value, n_identical=n_identical, **of)


def results(records: Sequence[Record], **more: object) -> Results:
    draws = {r.cell: np.full(1000, r.value, np.float32) for r in records}
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
