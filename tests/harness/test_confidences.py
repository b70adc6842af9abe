"""AP of boxes that were cut at a confidence is told wherever its numbers stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import RunSpec, run
from harness.scores.confidences import CUT, FEWEST, Confidences
from harness.scores.predictions import score_predictions
from reports.tables.summary import summary

DETECTOR = """
import numpy as np


def build():
    def find(image):
        scores = np.linspace(0.01, 0.9, 30)
        scores = scores[scores > LEAST]
        boxes = [[2 * i, 10, 2 * i + 30, 60] for i in range(len(scores))]
        masks = np.zeros((len(scores), *image.shape[:2]))
        masks[:, 20:30, 70:80] = 1
        return {"boxes": boxes, "scores": scores, "classes": ["car"] * len(scores), "masks": masks}

    return find
"""
SAID = "none of {n} ranked {what} has a confidence below {least}, so AP is of a ranking that was"


def notes(told: tuple[str, ...]) -> list[str]:
    return [note for note in told if "confidence below" in note]


@pytest.mark.parametrize(
    ("task", "least", "said"),
    [
        ("detection", 0.25, SAID.format(n=176, what="boxes", least=0.25)),
        ("instance", 0.5, SAID.format(n=112, what="masks", least=0.5)),
        ("detection", 0.05, None),
    ],
)
def test_a_run_says_that_a_networks_boxes_were_cut(
    task: str, least: float, said: str | None, coco_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine_cut.py").write_text(DETECTOR.replace("LEAST", str(least)))
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("identity",),
        rain=("none", "photoshop-light"),
        task=(task,),
        model={task: (f"{tmp_path / 'mine_cut.py'}:build",)},
        quality=("none",),
        limit=4,
        images=False,
        workspace=str(tmp_path / "runs"),
    )
    results = run(spec)
    found = notes(results.provenance.data_notes)
    assert len(found) == (said is not None)
    for note in found:
        assert str(said) in note
        assert note.startswith(f"{task} by mine_cut:build: ")
        assert note.endswith("conf=0.001 where that can be set")
        assert f"Data: {note}." in summary(results)[2]
    again = run(spec.model_copy(update={"rain": ("none",)}))  # of predictions that are kept
    assert len(notes(again.provenance.data_notes)) == len(found)


@pytest.mark.parametrize("task", ["detection", "instance"])
def test_scored_files_say_it_too(task: str, coco_root: Path, tmp_path: Path) -> None:
    spec = RunSpec(dataset="coco", data_root=str(coco_root), task=(task,))
    mask = {"size": [120, 160], "counts": [20, 30, 120 * 160 - 50]}

    def told(least: float, number: int) -> list[str]:
        rows = [
            {"image_id": 1, "category_id": 3, "bbox": [i, 10, 20, 20], "score": float(score)}
            | ({"segmentation": mask} if task == "instance" else {})
            for i, score in enumerate(np.linspace(least, 0.9, number))
        ]
        (tmp_path / "cut.json").write_text(json.dumps(rows))
        return notes(score_predictions(tmp_path / "cut.json", spec).provenance.data_notes)

    what = "boxes" if task == "detection" else "masks"
    [note] = told(0.25, 40)
    assert note.startswith(f"cut.json: {SAID.format(n=40, what=what, least=0.25)}")
    assert told(0.001, 40) == []
    assert told(0.25, FEWEST - 1) == []


def of(least: float, number: int, prefix: str = "") -> dict[str, Any]:
    """Evidence of one image with so many boxes of one class."""
    scores = np.linspace(1, least, number)
    return {f"{prefix}score": scores, f"{prefix}category": np.zeros(number, np.int32)}


def test_those_of_several_conditions_are_looked_at_together() -> None:
    sure = Confidences.of([of(0.6, FEWEST), of(1, 0), {}])
    assert sure == Confidences(FEWEST, 0.6)
    unsure = Confidences.of([{**of(CUT / 2, 2, "mask_"), "truth_score": np.zeros(2)}])
    assert unsure == Confidences(2, CUT / 2)
    assert Confidences() + sure == sure
    assert sure.doubt("a", "boxes")
    assert (sure + unsure).doubt("a", "boxes") == []
    assert Confidences.of([{"confusion": np.zeros((2, 2))}]) == Confidences()
    assert sure.doubt("a", "") == []  # a task that ranks nothing


def test_what_the_number_of_boxes_left_out_is_not_taken_for_cut() -> None:
    """The official 100 of one class in an image."""
    assert Confidences.of([of(0.6, 99)]).doubt("a", "boxes")
    assert Confidences.of([of(0.6, 100)]) == Confidences()
