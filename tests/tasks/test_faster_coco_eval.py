"""All precision and recall arrays against faster-coco-eval, where it is installed (extra fast)."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from test_instance import CATEGORIES, as_json, random_set

from tasks.coco_ap import Kind, precision_recall
from tasks.matching import match

faster = pytest.importorskip("faster_coco_eval", reason="needs the extra fast")


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(3))
def test_all_arrays_are_equal(kind: Kind, seed: int, tmp_path: Path) -> None:
    """To 1e-15: a few precisions differ in their last bit."""
    pairs = random_set(seed, images=30)
    labels, found = as_json(pairs, kind)
    for shape in [*labels["annotations"], *found]:
        if "segmentation" in shape:
            shape["segmentation"]["counts"] = shape["segmentation"]["counts"].decode()
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    (tmp_path / "found.json").write_text(json.dumps(found))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = faster.COCO(str(tmp_path / "labels.json"))
        results = truth.loadRes(str(tmp_path / "found.json"))
        evaluation = faster.COCOeval_faster(truth, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
    ours = precision_recall([match(d, t, kind) for d, t in pairs], sorted(CATEGORIES))
    assert np.abs(ours.precision - evaluation.eval["precision"][..., -1]).max() < 1e-15
    assert np.abs(ours.recall - evaluation.eval["recall"][..., -1]).max() < 1e-15
    assert (ours.precision > 0).sum() > 100
