"""Correlations of a results folder must be those of its images."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from harness.checks.derived import require_derived
from harness.spec import UsageError
from reports.findings.correlations import correlations
from reports.results.cell import Cell, Condition
from reports.results.provenance import Provenance
from reports.results.results import ByImage, Results
from reports.tables.by_image import by_image_csv
from tasks.operating_point import F1
from tests.reports.made import COCO, record, rowed

IMAGES = 30
DERAINERS = ("identity", "median", "guided", "dcp")


def made() -> Results:
    """A run of which quality tells something."""
    rng = np.random.default_rng(0)
    samples = tuple(f"{i:02}" for i in range(IMAGES))
    values, records = {}, []
    for derainer in DERAINERS:
        condition = Condition(COCO, "real-like", 0, derainer)
        psnr = rng.uniform(20, 40, IMAGES).astype(np.float32)
        score = (psnr / 40 + rng.normal(0, 0.1, IMAGES)).round(2).astype(np.float32)
        for task, network, metric, each in (
            ("quality", None, "psnr_y_db", psnr),
            ("detection", "yolo", F1, score),
        ):
            values[Cell(condition, task, network, metric)] = each
            value = float(each.astype(np.float64).mean())
            of = {"task": task, "model": network, "metric": metric, "n": IMAGES}
            of |= {"unit": "fraction" if network else "dB"}
            records.append(record(rain="real-like", derainer=derainer, value=value, **of))
    images = ByImage(samples, samples, values)
    run = rowed(Results("0" * 64, {"seed": 0}, Provenance(), [], [], records, {}), by_image=images)
    counts = np.ones((1, IMAGES), np.uint8)
    plain = {r.derainer for r in records if r.weights is None}
    return replace(run, correlations=correlations(images, run.tasks, counts, plain))


def require(run: Results) -> None:
    require_derived(run, list(csv.DictReader(io.StringIO(by_image_csv(run)))))


def test_correlations_follow_from_the_images() -> None:
    run = made()
    assert len(run.correlations) == 1 + len(DERAINERS)
    require(run)
    for place, found in enumerate(run.correlations):
        forged = [*run.correlations]
        forged[place] = replace(found, value=found.value + 0.05)
        with pytest.raises(UsageError, match=r"the correlation of psnr_y_db with f1.* give "):
            require(replace(run, correlations=forged))
