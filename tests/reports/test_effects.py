"""Verdicts: paired, corrected within a family, and silent where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest

from reports.results.effects import effects, holm, two_sided
from reports.results.metrics import primary
from reports.results.record import Record
from reports.results.results import Results


def study(
    values: dict[tuple[str, str], float],
    deviation: float = 0.01,
    metric: str = "ap_pooled",
    groups: int = 100,
    unit: str = "fraction",
) -> Results:
    """A run of one task whose replicates share most of their noise."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.05, 2000)
    records, draws = [], {}
    task = "quality" if unit == "dB" else "detection"
    for (rain, derainer), value in values.items():
        one = Record(
            dataset="coco",
            split="val",
            rain=rain,
            derainer=derainer,
            weights=None,
            task=task,
            model=None,
            metric=metric,
            value=value,
            n=groups,
            ci=None,
            seen=(),
            seed=0,
            unit=unit,
        )
        records.append(one)
        noise = shared + rng.normal(0, deviation / 2**0.5, 2000)
        draws[one.cell()] = (value + noise).astype(np.float32)
    provenance = {"groups": groups}
    return Results("f" * 64, {}, provenance, [], [], records, draws)


CELLS = {
    ("none", "identity"): 0.6,
    ("none", "good"): 0.58,
    ("heavy", "identity"): 0.3,
    ("heavy", "good"): 0.45,
    ("heavy", "bad"): 0.2,
    ("heavy", "idle"): 0.301,
}


def test_verdicts_are_paired() -> None:
    """Levels swing by 0.05; differences by 0.01, and those decide."""
    found = {e.derainer: e for e in effects(study(CELLS))}
    assert {name: e.verdict for name, e in found.items()} == {
        "good": "better",
        "bad": "worse",
        "idle": "no significant difference",
    }
    good = found["good"]
    assert good.difference == pytest.approx(0.15)
    assert good.ci == pytest.approx((0.15 - 0.0196, 0.15 + 0.0196), abs=0.002)
    assert good.smallest == pytest.approx(0.028, rel=0.06)
    assert good.needed == pytest.approx(100 * 2.8**2, rel=0.12)
    assert good.recovery == pytest.approx(0.5)
    assert good.recovery_ci is not None
    assert good.recovery_ci[0] < 0.5 < good.recovery_ci[1]
    assert good.harm == pytest.approx(-0.02)
    assert found["bad"].harm is None


def test_identical_conditions_differ_by_nothing() -> None:
    same = study({("heavy", "identity"): 0.3, ("heavy", "twin"): 0.3})
    cells = [r.cell() for r in same.records]
    same.draws[cells[1]] = same.draws[cells[0]]
    (twin,) = effects(same)
    assert (twin.difference, twin.ci, twin.p_value) == (0.0, (0.0, 0.0), 1.0)
    assert twin.verdict == "no significant difference"


def test_too_few_groups_give_no_verdict() -> None:
    for effect in effects(study(CELLS, groups=19)):
        assert effect.verdict is None
        assert effect.ci is None
        assert effect.smallest is None
        assert effect.recovery is None


def test_a_share_needs_a_clear_cost_and_is_never_of_decibels() -> None:
    unclear = dict(CELLS) | {("none", "identity"): 0.32}
    assert {e.recovery for e in effects(study(unclear))} == {None}
    decibels = study(CELLS, metric="psnr_y_db", unit="dB")
    assert {e.recovery for e in effects(decibels)} == {None}
    assert len(effects(decibels)) == 3


def test_masks_and_absent_values_are_not_judged() -> None:
    cells = CELLS | {("heavy", "granet/mask"): 0.1}
    assert {e.derainer for e in effects(study(cells))} == {"good", "bad", "idle"}


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_values_are_uniform_where_nothing_differs() -> None:
    """Families of five idle derainers alarm in at most 5 % of studies, but for chance."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(400):
        estimates = rng.normal(0, 1, 5)
        p_values = [two_sided(e + rng.normal(0, 1, 2000)) for e in estimates]
        alarms += min(holm(p_values)) < 0.05
    assert alarms / 400 < 0.08


def test_the_primary_metric_depends_on_the_number_of_images() -> None:
    assert primary(study(CELLS), "detection") == "ap_pooled"
    assert primary(study(CELLS, groups=1000), "detection") is None
    assert primary(study(CELLS, metric="ap", groups=1000), "detection") == "ap"
    assert primary(study(CELLS, metric="psnr_y_db@pil-y", unit="dB"), "quality") is not None
    assert primary(study(CELLS), "none") is None
