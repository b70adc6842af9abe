"""Of many frames of few drives the drives are what is resampled, and what is counted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.class_png import CLASSES
from datasets.sample import Annotations, Sample
from harness.api import run
from harness.ledger.ledger import Ledger
from harness.scores.elsewhere import Made, numbers
from harness.scores.kept import Scored, draws
from harness.scores.replicates import Resampling
from harness.spec import RunSpec
from reports.results.cell import Data
from reports.results.provenance import Provenance
from reports.results.results import Results
from reports.tables.summary import summary
from tasks.coco_ap import Detections
from tasks.detection import Detection
from tasks.rows import TASKS
from tasks.task import Evidence

FRAMES = 1100
IMAGES = [f"frame {i}" for i in range(FRAMES)]
DRIVES = [f"drive {i // 50}" for i in range(FRAMES)]
TASK, ROW = Detection({1: "car", 2: "dog"}), TASKS["detection"].scores


def frame(*categories: int, is_found: bool) -> Evidence:
    """A frame of an object of each category, which are found where they are or beside that."""
    boxes = np.array([[100.0 * c, 0.0, 100.0 * c + 50, 50.0] for c in categories])
    named, scores = np.array(categories), np.full(len(categories), 0.5, np.float32)
    truth = Annotations(boxes, named, np.full(len(boxes), 2500.0), np.zeros(len(boxes), np.bool_))
    guessed = Detections((boxes + 60 * (not is_found)).astype(np.float32), scores, named)
    return TASK.evidence(guessed, Sample("a", Path("a"), "a", labels=truth))


@pytest.fixture(scope="module")
def found() -> list[Evidence]:
    """Every frame holds a car, and those of one drive a dog; drives are hard and easy."""
    cars, dogs = ([frame(*held, is_found=each) for each in (False, True)] for held in ([1], [1, 2]))
    return [(dogs if i < 50 else cars)[i % 7 > i // 50 % 4] for i in range(FRAMES)]


def scored(found: list[Evidence], units: list[str]) -> Results:
    made = Made(Data("made", "val"), "derained", "detection", IMAGES, units, "f")
    held = numbers(made, TASK, ROW, found)
    told = Provenance(groups=len(set(units)))
    return Results(
        *("r", {}, told, [], [], held.records, held.draws, held.metrics, held.tasks),
    )


def test_few_drives_are_judged_by_what_holds_for_few(found: list[Evidence]) -> None:
    results = scored(found, DRIVES)
    assert results.primary("detection") == "ap_pooled"
    assert {results.groups(r) for r in results.records} == {FRAMES // 50}
    told = {r.metric: r.ci is not None for r in results.records}
    assert [m for m in ("ap", "ap50", "ap/dog", "ap_pooled", "ap/car") if told[m]] == [
        *("ap_pooled", "ap/car"),
    ]
    assert not {"ap", "ap50", "ap/dog"} & {cell.metric for cell in results.draws}
    assert any("so few groups lose whole classes" in note for note in summary(results)[2])


def test_as_many_images_of_their_own_are_judged_by_ap(found: list[Evidence]) -> None:
    results = scored(found, IMAGES)
    assert results.primary("detection") == "ap"
    assert {"ap", "ap50", "ap/car", "ap/dog"} <= {cell.metric for cell in results.draws}


def test_a_run_keeps_the_draws_that_hold(found: list[Evidence], tmp_path: Path) -> None:
    ledger, asked = Ledger(tmp_path), Scored("detection", TASK, ROW)
    try:
        for units, holds in ((DRIVES, False), (IMAGES, True)):
            sets = Resampling("f", units, 100)
            kept = draws(asked, found, [[name] for name in IMAGES], sets, ledger)
            assert ("ap" in kept) == ("ap/dog" in kept) == holds
            assert {"ap_pooled", "ap/car"} <= kept.keys()
    finally:
        ledger.close()


NETWORK = """
import numpy as np

def see(image):
    return (image[..., 0] > 127).astype(np.uint8)

see.names = %r

def build():
    return see
"""


def test_a_city_has_no_level_of_miou_either(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(48):
        city, key = f"city{i % 2}", f"city{i % 2}_{i:06}_000000"
        road = np.where(rng.random((16, 32)) < 0.5, 7, 8).astype(np.uint8)
        noise = rng.integers(0, 256, (16, 32, 3), np.uint8)
        for name, picture in (
            (f"leftImg8bit/val/{city}/{key}_leftImg8bit.png", noise),
            (f"gtFine/val/{city}/{key}_gtFine_labelIds.png", road),
        ):
            file = tmp_path / "set" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), picture)
    own = tmp_path / "own.py"
    own.write_text(NETWORK % (tuple(CLASSES),))
    results = run(
        RunSpec(
            dataset="cityscapes",
            data_root=str(tmp_path / "set"),
            split="leftImg8bit/val",
            task=("semantic",),
            model={"semantic": (f"{own}:build",)},
            derainer=("identity",),
            rain=("none",),
            workspace=str(tmp_path / "w"),
        )
    )
    told = {r.metric: r for r in results.records if r.task == "semantic"}
    assert {"miou", "miou/city=city0", "miou/city=city1"} <= told.keys()
    assert all(told[m].ci is None for m in told if m.partition("/")[0] == "miou")
    assert told["pixel_accuracy"].ci is not None
    assert {"miou", "miou/city=city0"} <= {cell.metric for cell in results.draws}
