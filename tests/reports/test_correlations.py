"""Rank correlations of single images: intervals need twenty groups that have a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.findings.correlations import correlations
from reports.results.cell import Cell, Condition
from reports.results.metrics import TaskRow
from reports.results.provenance import Provenance
from reports.results.record import Correlation
from reports.results.results import ByImage, Results
from reports.results.written import parse, to_json
from tasks.operating_point import F1
from tests.reports.made import COCO, record, rowed

N, B = 60, 500


def found(varying: int, groups: int = N) -> dict[str | None, Correlation]:
    """By derainer, of images of which so many have other scores under other derainers."""
    rng = np.random.default_rng(0)
    values = {}
    for name in ("identity", "a", "b"):
        score = rng.normal(size=N)
        score[varying:] = 0.5
        here = Condition(COCO, "heavy", 0, name)
        values[Cell(here, "detection", "yolo", F1)] = score.astype(np.float32)
        psnr = rng.normal(size=N).astype(np.float32)
        values[Cell(here, "quality", None, "psnr_y_db")] = psnr
    units = np.array([str(i % groups) for i in range(N)])
    names, member = np.unique(units, return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    counts = rng.multinomial(len(names), share, size=B)[:, member]
    by_image = ByImage(tuple(map(str, range(N))), tuple(units), values)
    tasks = {"detection": TaskRow("Detection", "", F1, "boxes", None)}
    made = correlations(by_image, tasks, counts)
    return {c.derainer: c for c in made if not c.is_learned}


@pytest.mark.parametrize(("varying", "has_interval"), [(60, True), (20, True), (19, False)])
def test_images_of_ties_count_for_no_interval(varying: int, has_interval: bool) -> None:
    within = found(varying)[None]
    assert within.n == varying
    assert (within.ci is not None) == has_interval


def test_groups_are_what_is_counted() -> None:
    assert all(one.ci is not None for one in found(60, groups=20).values())
    few = found(60, groups=19)
    assert few.keys() == {None, "identity", "a", "b"}
    assert all(one.ci is None for one in few.values())


def test_a_comparison_of_before_is_read_by_its_older_name() -> None:
    told = Correlation("heavy", None, "detection", F1, "psnr_y_db", 0.5, (0.4, 0.6), N)
    told = replace(told, other_task=0.3, other_task_ci=(0.2, 0.4))
    score = {"task": "detection", "metric": F1, "value": 0.5, "n": N, "unit": "fraction"}
    scored = record(rain="heavy", derainer="identity", **score)
    run = rowed(Results("0", {}, Provenance(), [], [], [scored], {}, correlations=[told]))
    text = to_json(run)
    older = text.replace('"other_task', '"ceiling')
    assert '"ceiling_ci"' in older
    assert parse(text, {}).correlations == parse(older, {}).correlations == [told]
    assert to_json(parse(older, {})) == text
