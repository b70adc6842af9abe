"""Verdicts: paired, corrected within a family, and silent where nothing can be said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.plan.rows import metric_rows
from reports.findings.effects import effects
from reports.findings.robustness import with_robustness
from reports.pages.runs import board
from reports.plots.plots import plots
from reports.results.provenance import Provenance
from reports.results.results import ByImage, Results
from reports.tables.answers import answers
from reports.tables.markdown import parts
from reports.tables.summary import summary
from tasks import quality
from tasks.rows import QUALITY as OF_IMAGES
from tasks.rows import TASKS
from tests.reports.made import cost, record, rowed


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
    for (rain, name), value in values.items():
        derainer, stage = ("granet", "mask") if name == "granet/mask" else (name, None)
        one = record(
            rain=rain,
            derainer=derainer,
            stage=stage,
            task=task,
            metric=metric,
            value=value,
            n=groups,
            unit=unit,
        )
        records.append(one)
        noise = shared + rng.normal(0, deviation / 2**0.5, 2000)
        draws[one.cell] = (value + noise).astype(np.float32)
    provenance = Provenance(groups=groups)
    return rowed(Results("f" * 64, {}, provenance, [], [], records, draws))


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
    found = {e.condition.name: e for e in effects(study(CELLS))}
    assert {name: e.verdict for name, e in found.items()} == {
        "good": "better",
        "bad": "worse",
        "idle": "no significant difference",
    }
    good = found["good"]
    assert good.difference == pytest.approx(0.15)
    assert good.ci == pytest.approx((0.15 - 0.0196, 0.15 + 0.0196), abs=0.002)
    # Dunnett's two-sided 5 % for three against one floor is 2.37; of the other 80 % 0.845.
    assert good.smallest == pytest.approx(0.01 * (2.37 + 0.845), rel=0.04)
    assert good.needed == pytest.approx(100 * (2.37 + 0.845) ** 2, rel=0.08)
    assert good.recovery == pytest.approx(0.5)
    assert good.recovery_ci is not None
    assert good.recovery_ci[0] < 0.5 < good.recovery_ci[1]
    assert good.harm == pytest.approx(-0.02)
    assert found["bad"].harm is None


def test_identical_conditions_differ_by_nothing() -> None:
    same = study({("heavy", "identity"): 0.3, ("heavy", "twin"): 0.3})
    cells = [r.cell for r in same.records]
    same.draws[cells[1]] = same.draws[cells[0]]
    (twin,) = effects(same)
    assert (twin.difference, twin.ci, twin.p_value) == (0.0, (0.0, 0.0), 1.0)
    assert twin.verdict == "no significant difference"


def test_too_few_groups_give_no_verdict() -> None:
    found = effects(study(CELLS, groups=19))
    assert len(found) == 3
    for effect in found:
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
    assert {e.condition.name for e in effects(study(cells))} == {"good", "bad", "idle"}


def test_the_primary_metric_depends_on_the_number_of_images() -> None:
    assert study(CELLS).primary("detection") == "ap_pooled"
    assert study(CELLS, groups=1000).primary("detection") is None
    assert study(CELLS, metric="ap", groups=1000).primary("detection") == "ap"
    assert study(CELLS, metric="psnr_y_db@pil-y", unit="dB").primary("quality") is not None
    assert study(CELLS).primary("none") is None


def whole(task: str, metrics: tuple[str, ...], images: int) -> Results:
    """A run with all metrics of a task that might be the primary one."""
    known = study(CELLS, groups=images)
    rng = np.random.default_rng(2)
    records, draws, values = [], {}, {}
    for metric in metrics:
        for old in known.records:
            new = replace(old, task=task, metric=metric)
            records.append(new)
            draws[new.cell] = known.draws[old.cell]
            values[new.cell.of("f1@c25-iou50")] = rng.random(9).astype(np.float32)
    took = [cost("heavy", name, 0.1) for name in ("identity", "good", "bad")]
    numbers = ByImage(values=values)
    return rowed(known, records=records, draws=draws, by_image=numbers, cost=took)


@pytest.mark.parametrize(
    ("task", "metrics", "images", "metric", "heading"),
    [
        ("detection", ("ap", "ap_pooled"), 999, "ap_pooled", "AP pooled"),
        ("detection", ("ap", "ap_pooled"), 1000, "ap", "AP"),
        ("instance", ("mask_ap", "mask_ap_pooled"), 999, "mask_ap_pooled", "mask AP pooled"),
        ("instance", ("mask_ap", "mask_ap_pooled"), 1000, "mask_ap", "mask AP"),
    ],
)
def test_all_is_said_of_one_metric_of_a_task(
    task: str, metrics: tuple[str, ...], images: int, metric: str, heading: str
) -> None:
    known = whole(task, metrics, images)
    assert known.primary(task) == metric
    found = {e.condition.name: (e.metric, e.verdict) for e in effects(known)}
    assert found["good"] == (metric, "better")
    assert found["bad"] == (metric, "worse")
    assert len(effects(known)) == 3
    headings = summary(known)[0]
    assert headings.count("against rainy") == 1
    assert headings[headings.index("against rainy") - 1] == heading
    judged = next(part for part in parts(known) if part.anchor == "real")
    assert {row[judged.headings.index("metric")] for row in judged.rows} == {heading}
    (other,) = (m for m in metrics if m != metric)
    rest = next(part for part in parts(known) if part.anchor == "others")
    assert rest.headings[2:] == [known.metrics[other].heading]
    assert {row[5] for row in board([known])[1]} == {heading}
    drawn = {plot.name: plot for plot in plots(known)}
    (change,) = drawn[f"change-{task}"].figure.axes
    assert change.get_xlabel() == f"{heading}, derained − rainy"
    assert drawn[f"cost-{task}"].figure.axes[0].get_ylabel() == heading
    derived = with_robustness(known).records[len(known.records) :]
    assert {r.metric for r in derived} == {f"{n}/{metric}" for n in ("recovery", "harm", "worse")}
    (answer,) = answers(known)
    assert answer.rain.startswith(f"The rain lowers {heading}: ")


@pytest.mark.parametrize("images", [1, 999, 1000, 5000])
def test_every_task_has_one_primary_metric(images: int) -> None:
    few = images < 1000
    wanted = {
        "detection": "ap_pooled" if few else "ap",
        "instance": "mask_ap_pooled" if few else "mask_ap",
        "semantic": "miou",
    }
    for task, row in TASKS.items():
        rows = metric_rows(row.scores, row.metrics, images)
        assert [name for name, about in rows.items() if about.primary] == [wanted[task]]
    measured = {name: quality.metric_row(name) for name in quality.chosen(("all",), ("all",))}
    rows = metric_rows(OF_IMAGES, measured, images)
    assert [name for name, about in rows.items() if about.primary] == ["psnr_y_db"]
    del measured["psnr_y_db"]
    rows = metric_rows(OF_IMAGES, measured, images)
    assert [name for name, about in rows.items() if about.primary] == ["psnr_y_db@prenet"]
