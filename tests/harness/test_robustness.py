"""What deraining gives back and breaks, as numbers; and enough resamples for many derainers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from harness import RunSpec, run
from harness.scores.replicates import DRAWS, MOST, draws_for
from reports.findings.robustness import with_robustness
from reports.results.intervals import two_sided
from reports.results.record import Record
from reports.results.results import ByImage, Results
from tests.reports.test_effects import CELLS, study

NOTHING_CLEAR = "what the rain cost, or what came back, cannot be told from nothing"


def robustness(results: Results) -> list[Record]:
    """What is derived of a run."""
    derived = with_robustness(results)
    records = derived.records[len(results.records) :]
    assert derived.records == [*results.records, *records]
    return records


def found() -> dict[str, Record]:
    """What is derived of the good derainer, by metric."""
    known = study(CELLS)
    values = {
        known.records[place].cell.of("f1@c25-iou50"): np.array(scores, np.float32)
        for place, scores in ((2, [0.1, 0.2, 0.3, 0.4]), (3, [0.2, 0.1, 0.4, 0.5]))
    }
    derived = robustness(replace(known, by_image=ByImage(values=values)))
    assert {r.task for r in derived} == {"robustness"}
    assert len({r.cell for r in derived}) == len(derived)
    return {r.metric: r for r in derived if r.derainer == "good"}


def test_recovery_harm_and_worse_images_are_numbers() -> None:
    of = found()
    assert set(of) == {"recovery/ap_pooled", "harm/ap_pooled", "worse/ap_pooled"}
    recovery, harm, worse = (of[f"{name}/ap_pooled"] for name in ("recovery", "harm", "worse"))
    assert recovery.value == pytest.approx(0.5)
    assert recovery.ci is not None
    assert recovery.ci[0] < 0.5 < recovery.ci[1]
    assert (recovery.rain, harm.rain, worse.rain) == ("heavy", "none", "heavy")
    assert harm.value == pytest.approx(-0.02)
    assert worse.value == 0.25
    assert worse.ci is None


def test_numbers_are_of_the_images_and_weights_that_they_are_of() -> None:
    known = study(CELLS)
    for place, record in enumerate(known.records):
        if not record.condition.is_dry:
            known.records[place] = replace(record, seen=("rain",))
    floor, good = known.records[2:4]
    values = {
        floor.cell.of("f1@c25-iou50"): np.array([0.1, np.nan, 0.3], np.float32),
        good.cell.of("f1@c25-iou50"): np.array([0.0, 0.2, 0.4], np.float32),
    }
    derived = robustness(replace(known, by_image=ByImage(values=values)))
    of = {r.metric: r for r in derived if r.derainer == "good"}
    worse, harm = of["worse/ap_pooled"], of["harm/ap_pooled"]
    assert (worse.value, worse.n) == (0.5, 2)
    assert (harm.seen, worse.seen) == ((), ("rain",))


def test_a_share_of_an_unclear_cost_is_absent_with_its_reason() -> None:
    unclear = study(CELLS | {("none", "identity"): 0.32})
    shares = [r for r in robustness(unclear) if r.metric == "recovery/ap_pooled"]
    assert {(r.value, r.why) for r in shares} == {(None, NOTHING_CLEAR)}


def test_decibels_have_no_share() -> None:
    decibels = robustness(study(CELLS, metric="psnr_y_db", unit="dB"))
    assert {(r.metric, r.unit) for r in decibels} == {("harm/psnr_y_db", "dB")}


@pytest.mark.parametrize(
    ("family", "groups", "draws"),
    [
        (1, 20, DRAWS),
        (7, 20, DRAWS),
        (12, 20, 2384),
        (60, 500, 2616),
        (333, 32, MOST),
        (60, 3, DRAWS),
    ],
)
def test_a_verdict_is_possible_whatever_the_number_of_derainers(
    family: int, groups: int, draws: int
) -> None:
    assert draws_for(family, groups) == draws
    if groups >= 20 and draws < MOST:
        assert two_sided(np.ones(draws), groups) < 0.05 / family


class Same:
    """A derainer that does nothing."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArray[np.float32]:
        return np.asarray(image / 255, np.float32)


def test_many_derainers_on_few_images_are_resampled_as_any(coco_root: Path, tmp_path: Path) -> None:
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("identity",),
        task=("none",),
        quality=("psnr_y_db",),
        limit=1,
        images=False,
        workspace=str(tmp_path),
    )
    results = run(spec, derainers={f"same{i}": Same() for i in range(59)})
    assert {len(draws) for draws in results.draws.values()} == {DRAWS}
    assert results.gallery == []
