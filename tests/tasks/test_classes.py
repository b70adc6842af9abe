"""Classes of networks and data sets by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from datasets.bdd100k import OBJECTS
from datasets.categories import SETS
from datasets.image import NDArrayByte
from datasets.sample import Annotations, LabelledObject, Sample
from datasets.voc import NAMES as VOC
from tasks.classes import matched
from tasks.coco_ap import Detections
from tasks.detection import Detection
from tasks.semantic import Semantic

COCO = ("person", "car", "traffic light", "dining table")


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        (["person", "car"], ["person", "car"]),
        (["Person", "CAR"], ["person", "car"]),
        (["traffic_light", "diningtable", "Traffic-Light "], [None, "dining table", None]),
        (["traffic_light"], ["traffic light"]),
        (["person", "Person"], ["person", None]),
        (["rider", "人"], [None, None]),
        (["pedestrian", "cars"], ["person", None]),
        (["Pedestrian", "Diningtable"], ["person", "dining table"]),
        (["pedestrian", "person"], [None, "person"]),
        (["pedestrian", "Person"], [None, "person"]),
        (["sofa"], [None]),
    ],
)
def test_names_go_together_where_there_is_no_doubt(
    ours: list[str], found: list[str | None]
) -> None:
    assert list(matched(ours, COCO).values()) == found


def test_other_words_for_a_class_go_together_where_there_is_no_doubt() -> None:
    assert matched(["person"], ["pedestrian", "rider"]) == {"person": "pedestrian"}
    assert matched(["person"], ["person", "pedestrian"]) == {"person": "person"}
    assert matched(["human", "person"], ["pedestrian"]) == {"human": None, "person": "pedestrian"}
    assert matched(["sofa", "couch"], ["couch"]) == {"sofa": None, "couch": "couch"}
    assert matched(["sofa", "settee"], ["Sofa", "couch"]) == {"sofa": "Sofa", "settee": None}


def test_a_detector_of_coco_knows_the_classes_of_voc_and_of_bdd100k() -> None:
    assert None not in matched(VOC, SETS["coco"]).values()
    unknown = [name for name, theirs in matched(OBJECTS, SETS["coco"]).items() if theirs is None]
    assert unknown == ["rider", "traffic sign"]


def test_a_network_that_learned_from_bdd100k_of_2018_knows_all_its_classes() -> None:
    names = ("person", "rider", "car", "bus", "truck", "bike", "motor", "traffic light")
    assert None not in matched(OBJECTS, (*names, "traffic sign", "train")).values()


def test_signs_that_differ_in_their_capitals_stay_apart() -> None:
    letters = ["a", "A", "b", "B"]
    assert matched(letters, letters) == {name: name for name in letters}
    assert matched(["c", "C"], ["c", "C", "d"]) == {"c": "c", "C": "C"}
    assert matched(["a"], ["A", "Ä"]) == {"a": "A"}


class Fixed:
    """Finds one box of each of its classes wherever it looks."""

    names = ("person", "car")

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Two boxes."""
        boxes = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)
        return [Detections(boxes, np.array([0.9, 0.8], np.float32), np.arange(2)) for _ in images]


def labelled(*categories: int) -> Sample:
    boxes = [(0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 40.0, 40.0)]
    rows = [
        LabelledObject(box, category, 100.0, is_crowd=False)
        for box, category in zip(boxes, categories, strict=True)
    ]
    return Sample("1", None, "1", Annotations.of(rows))  # type: ignore[arg-type]


def scores_of(categories: dict[int, str], *truth: int) -> dict[str, Any]:
    task = Detection(categories, Fixed)
    [found] = task.predict([np.zeros((50, 50, 3), np.uint8)])
    evidence = task.evidence(found, labelled(*truth))
    return {metric: score.value for metric, score in task.reduce([evidence]).items()}


def test_a_class_spelt_otherwise_is_scored_as_the_same() -> None:
    assert scores_of({1: "Person", 3: "car"}, 1, 3)["ap"] == pytest.approx(1)
    assert scores_of({1: "Human", 3: "car"}, 1, 3)["ap"] == pytest.approx(0.5)
    assert Detection({1: "Human", 3: "car"}, Fixed).matched() == {"Human": None, "car": "car"}


@pytest.mark.parametrize("truth", [(1, 3), (7, 3)])
def test_a_class_that_is_named_twice_is_one(truth: tuple[int, ...]) -> None:
    scores = scores_of({1: "person", 3: "car", 7: "person"}, *truth)
    assert scores["ap"] == pytest.approx(1)
    assert scores["ap/person"] == pytest.approx(1)


def test_label_maps_take_classes_spelt_otherwise() -> None:
    class Flat:
        names = ("Road", "sky")

        def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
            return [np.ones(image.shape[:2], np.uint8) for image in images]

    task = Semantic({0: "sky", 3: "road"}, Flat)
    assert task.predict([np.zeros((4, 4, 3), np.uint8)])[0].max() == 0
    assert task.matched() == {"sky": "sky", "road": "Road"}
