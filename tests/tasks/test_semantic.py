"""Semantic segmentation: by hand, against plain counting, and class maps that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from datasets.image import NDArrayByte
from datasets.label_png import encode_labels
from datasets.sample import IGNORED, Sample
from harness.ledger.packed import pack, unpack
from tasks.confusion import confusion
from tasks.rows import FEW_FOR_LEVELS, TASKS
from tasks.semantic import Semantic
from tasks.task import Evidence, TaskError

CLASSES = {0: "sky", 2: "road", 5: "car"}


def sample(folder: Path, truth: NDArrayByte | None, name: str = "a") -> Sample:
    if truth is None:
        return Sample(name, Path(name), name)
    file = folder / f"{name}.png"
    file.write_bytes(encode_labels(truth))
    return Sample(name, Path(name), name, label_map_path=file)


def random_maps(seed: int) -> tuple[NDArrayByte, NDArrayByte]:
    """A label map with ignored pixels, and a prediction that is right in most places."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 2, 5, IGNORED], (13, 17), p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)
    guess = rng.choice([0, 2, 5, IGNORED], (13, 17)).astype(np.uint8)
    return truth, np.where(rng.random((13, 17)) < 0.6, truth, guess)


def evidences(folder: Path, seeds: Sequence[int]) -> list[Evidence]:
    task = Semantic(CLASSES)
    found: list[Evidence] = []
    for seed in seeds:
        truth, predicted = random_maps(seed)
        kept = task.unpack(unpack(pack(task.pack(predicted))))
        found.append(unpack(pack(task.evidence(kept, sample(folder, truth)))))
    return found


def test_scores_by_hand(tmp_path: Path) -> None:
    # truth: 4 sky, 2 road, 1 ignored; predicted: 3 sky right, 1 as road, 1 road right, 1 as nothing
    truth = np.array([[0, 0, 0, 0, 2, 2, IGNORED]], np.uint8)
    predicted = np.array([[0, 0, 0, 2, 2, IGNORED, 5]], np.uint8)
    task = Semantic(CLASSES)
    evidence = task.evidence(predicted, sample(tmp_path, truth))
    assert evidence["confusion"].dtype == np.int64
    assert evidence["confusion"].tolist() == [[3, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]]
    scores = task.reduce([evidence])
    assert scores["iou/sky"].value == 3 / 4
    assert scores["iou/road"].value == 1 / 3
    assert scores["iou/car"].value is None
    assert scores["iou/car"].why == "not in the truth"
    assert scores["miou"].value == pytest.approx((3 / 4 + 1 / 3) / 2)
    assert scores["miou"].why == "left out, not in the truth: car"
    assert scores["mpa"].value == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert scores["pixel_accuracy"].value == pytest.approx(4 / 6)
    assert scores["fwiou"].value == pytest.approx((4 * 3 / 4 + 2 * 1 / 3) / 6)


def test_a_set_is_scored_as_one_large_picture(tmp_path: Path) -> None:
    found = evidences(tmp_path, range(4))
    pictures = [random_maps(seed) for seed in range(4)]
    truth = np.concatenate([t for t, _ in pictures])
    predicted = np.concatenate([p for _, p in pictures])
    scores = Semantic(CLASSES).reduce(found)
    for label, name in CLASSES.items():
        both = ((truth == label) & (predicted == label)).sum()
        either = ((truth == label) | ((predicted == label) & (truth != IGNORED))).sum()
        assert scores[f"iou/{name}"].value == pytest.approx(both / either, abs=1e-15)
    counted = truth != IGNORED
    right = (truth == predicted)[counted].mean()
    assert scores["pixel_accuracy"].value == pytest.approx(right, abs=1e-15)


def test_a_stray_pixel_of_an_absent_class_costs_its_own_pixel_alone(
    tmp_path: Path,
) -> None:
    truth = np.array([[0] * 50 + [2] * 50], np.uint8)
    stray = truth.copy()
    stray[0, 0] = 5  # a car
    task = Semantic(CLASSES)
    found = [task.evidence(predicted, sample(tmp_path, truth)) for predicted in (truth, stray)]
    assert task.reduce(found[:1])["miou"].value == 1
    assert task.reduce(found[1:])["miou"].value == pytest.approx((49 / 50 + 1) / 2)
    assert task.reduce(found[1:])["iou/car"].value is None
    assert task.by_image(found)["miou"].tolist() == pytest.approx([1, 0.99])
    drawn = task.resample(found, np.array([[2, 0], [0, 2]]), range(2))["miou"]
    assert drawn.tolist() == pytest.approx([1, 0.99])


def test_resampling_is_scoring_copies_and_order_does_not_matter(tmp_path: Path) -> None:
    task, found = Semantic(CLASSES), evidences(tmp_path, range(6))
    counts = np.random.default_rng(0).multinomial(6, [1 / 6] * 6, 5)
    drawn = task.resample(found, counts, range(6))
    for b in range(5):
        copies = [e for e, count in zip(found, counts[b], strict=True) for _ in range(count)]
        for metric, score in task.reduce(copies[::-1]).items():
            if metric in drawn:
                assert drawn[metric][b] == pytest.approx(score.value, abs=1e-15), metric
    assert set(drawn) == {"miou", "mpa", "pixel_accuracy", "fwiou"}


def test_means_over_classes_of_few_images_have_no_interval() -> None:
    for images in (FEW_FOR_LEVELS - 1, FEW_FOR_LEVELS):
        has = partial(TASKS["semantic"].scores.has_level, units=images)
        assert has("miou") == has("mpa") == (images >= FEW_FOR_LEVELS)
        assert has("pixel_accuracy")
        assert has("iou/road")


def test_classes_are_resampled_that_stand_in_enough_images(tmp_path: Path) -> None:
    task, found = Semantic(CLASSES), evidences(tmp_path, range(20))
    drawn = task.resample(found, np.ones((1, 20), np.int64), range(20))
    scores = task.reduce(found)
    for metric in ("iou/sky", "iou/road", "iou/car"):
        assert drawn[metric][0] == pytest.approx(scores[metric].value, abs=1e-15)
    one_less = task.resample(found[1:], np.ones((1, 19), np.int64), range(19))
    assert not [metric for metric in one_less if "/" in metric]
    one_drive_less = task.resample(found, np.ones((1, 20), np.int64), [0, *range(19)])
    assert not [metric for metric in one_drive_less if "/" in metric]


def test_perfect_maps_score_one_and_empty_ones_zero(tmp_path: Path) -> None:
    task = Semantic(CLASSES)
    truth = random_maps(0)[0]
    best = task.reduce([task.evidence(truth, sample(tmp_path, truth))])
    nothing = np.full_like(truth, IGNORED)
    worst = task.reduce([task.evidence(nothing, sample(tmp_path, truth))])
    for metric in ("miou", "mpa", "pixel_accuracy", "fwiou", "iou/car"):
        assert best[metric].value == 1, metric
        assert worst[metric].value == 0, metric


class Fixed:
    """A segmenter that answers with one label map."""

    def __init__(self, names: Sequence[str], labels: NDArrayByte) -> None:
        self.names = names
        self.labels = labels

    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        return [self.labels for _ in images]


def test_a_permuted_class_map_is_put_right_by_name() -> None:
    labels = np.array([[0, 1, 2, 3]], np.uint8)
    network = Fixed(["car", "background", "road", "sky"], labels)
    image = np.zeros((1, 4, 3), np.uint8)
    assert Semantic(CLASSES, lambda: network).predict([image])[0].tolist() == [[5, IGNORED, 2, 0]]


@pytest.mark.parametrize("names", [["sky", "road"], ["sky", "road", "auto"], ["sky"] * 2])
def test_classes_of_another_data_set_are_told_with_both_lists(names: list[str]) -> None:
    network = Fixed(names, np.zeros((1, 1), np.uint8))
    with pytest.raises(TaskError, match=r"it knows sky.*; the data set has sky, road, car"):
        Semantic(CLASSES, lambda: network).load()


def test_wrong_sizes_and_unknown_labels_are_told(tmp_path: Path) -> None:
    task, truth = Semantic(CLASSES), random_maps(0)[0]
    with pytest.raises(TaskError, match=r"image a: the label map is 17x13 pixels, .* 13x17"):
        task.evidence(truth.T, sample(tmp_path, truth))
    truth[3, 3] = 7
    with pytest.raises(TaskError, match="image a: the label map holds 7, which is no class"):
        task.evidence(truth, sample(tmp_path, truth))


def test_images_without_label_maps_give_no_numbers(tmp_path: Path) -> None:
    task = Semantic({})
    nothing = [task.evidence(random_maps(0)[1], sample(tmp_path, None))]
    assert task.reduce(nothing)["miou"].why == "no labels to score against"
    assert task.resample(nothing, np.ones((1, 1), np.int64), range(1)) == {}


def test_all_256_values_have_a_place() -> None:
    truth = np.arange(255, dtype=np.uint8)[None]
    matrix = confusion(truth, truth[:, ::-1], range(255))
    assert matrix.shape == (255, 256)
    assert matrix.sum() == 255
