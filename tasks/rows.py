"""Every task a row: its numbers, the labels it needs, its files, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from datasets.installed import Table
from datasets.sample import Sample
from tasks import detection, files, instance, label_maps, semantic
from tasks.operating_point import F1
from tasks.task import MetricRow, Task

FEW_FOR_AP = 1000
"""Below as many images, or drives of them, AP, a mean over classes, is biased when resampled;
pooled AP is not."""
FEW_FOR_LEVELS = 500
"""Below as many a level of another mean over classes has no interval: classes that stand in few
make resampled sets lie below, by more than these tell (docs/statistics.md)."""


class Labels(Protocol):
    """What a task must know of a data set: names by number."""

    @property
    def categories(self) -> Mapping[int, str]:
        """The classes of objects."""
        ...

    @property
    def classes(self) -> Mapping[int, str]:
        """The classes of pixels."""
        ...


@dataclass(frozen=True)
class ScoresRow:
    """What a reader must know of a task's scores."""

    title: str
    """Begins sentences: ``Detection``."""
    caption: str
    """How the columns of the main table are defined."""
    primary: str
    """The metric of verdicts, of the column against the rainy input and of plots."""
    bound: float
    """How far a number of one image may be off where other hardware rounds otherwise."""
    primary_of_few: str | None = None
    """Takes the place of ``primary`` below `FEW_FOR_AP` units."""
    image_metric: str | None = None
    """The score of a single image; None: that of the primary metric."""
    found: str = ""
    """What is ranked by confidence: boxes, masks."""
    colours: str | None = None
    """What its predictions colour on the page: masks, classes."""
    class_means: frozenset[str] = frozenset()
    """Metrics that are means over classes, of which resampled sets of few units lose some."""
    class_levels: frozenset[str] = frozenset()
    """Means over classes of which few units have differences with an interval, but no level."""

    def resampled(self, metric: str, units: int) -> bool:
        """Whether a metric of so many units, images or drives, holds on resampled sets of them."""
        return units >= FEW_FOR_AP or metric not in self.class_means

    def has_level(self, metric: str, units: int) -> bool:
        """Whether the interval of a metric itself, not of a difference, holds of so many units."""
        return units >= FEW_FOR_LEVELS or metric not in self.class_levels

    def primary_of(self, units: int) -> str:
        """The primary metric of so many units."""
        few = units < FEW_FOR_AP and self.primary_of_few is not None
        return str(self.primary_of_few) if few else self.primary

    @property
    def metric_of_parts(self) -> str:
        """What parts of a set are scored by: it holds for few images."""
        return self.primary_of_few or self.primary


@dataclass(frozen=True)
class TaskRow:
    """One task."""

    measures: str
    """What it measures, in a line."""
    scores: ScoresRow
    metrics: Mapping[str, MetricRow]
    """Every number of it but those of single classes."""
    version: int
    """Version of its evidence, the ``VERSION`` beside its scorer."""
    make: Callable[[Labels, Callable[[], Any] | None], Task]
    """Function of a data set and of what loads the network, which scoring alone does without."""
    names: Callable[[Labels], Mapping[int, str]]
    """The names that the network's classes are matched with."""
    labels: str
    """The labels that it compares with."""
    has_labels: Callable[[Sample], bool]
    write: Callable[[Path, Iterable[tuple[Sample, Any]]], None]
    """Writes predictions below a folder."""
    read: Callable[[Path, Sequence[Sample], Sequence[Sample], Mapping[int, str]], Mapping[str, Any]]
    """Predictions by sample id: function of a path, the samples, all of the set, their names."""
    origin: str | None = None
    """The installed package that adds the row, see `datasets.installed`; None = ours."""
    frames: str | None = None
    """File below that folder for BDD100K's own form of its objects."""
    needs_masks: bool = False
    """Whether a data set must read its objects' masks."""


def _has_masks(sample: Sample) -> bool:
    labels = sample.annotations
    return labels is not None and bool(labels.masks or not len(labels.categories))


def _read_objects(
    masks: bool,
    path: Path,
    samples: Sequence[Sample],
    whole: Sequence[Sample],
    names: Mapping[int, str],
) -> Mapping[str, Any]:
    return files.read_detections(path, whole, names, masks)


def _read_label_maps(
    path: Path, samples: Sequence[Sample], whole: Sequence[Sample], names: Mapping[int, str]
) -> Mapping[str, Any]:
    return label_maps.read_label_maps(path, samples, whole, names)


TASKS: Table[TaskRow] = Table(
    "tasks",
    TaskRow,
    {
        "detection": TaskRow(
            measures="boxes of objects: COCO average precision, precision, recall, IoU",
            scores=ScoresRow(
                title="Detection",
                caption="AP: pycocotools, boxes; AP pooled: one ranking over all classes.",
                primary="ap",
                primary_of_few="ap_pooled",
                bound=0.05,
                image_metric=F1,
                found="boxes",
                class_means=frozenset({"ap", "ap50"}),
            ),
            metrics=detection.METRICS,
            version=detection.VERSION,
            make=lambda labels, build: detection.Detection(labels.categories, build),
            names=lambda labels: labels.categories,
            labels="boxes",
            has_labels=lambda sample: sample.labels is not None,
            write=partial(files.write_detections, masks=False),
            read=partial(_read_objects, False),
            frames="detection-bdd100k.json",
        ),
        "instance": TaskRow(
            measures="boxes and masks of objects: COCO average precision of both",
            scores=ScoresRow(
                title="Instance",
                caption="Mask AP and box AP: pycocotools, by masks and by boxes; pooled: one "
                "ranking over all classes.",
                primary="mask_ap",
                primary_of_few="mask_ap_pooled",
                bound=0.05,
                image_metric=F1,
                found="masks",
                class_means=frozenset({"mask_ap", "mask_ap50", "box_ap", "box_ap50"}),
                colours="masks",
            ),
            metrics=instance.METRICS,
            version=instance.VERSION,
            make=lambda labels, build: instance.Instance(labels.categories, build),
            names=lambda labels: labels.categories,
            labels="masks",
            has_labels=_has_masks,
            write=partial(files.write_detections, masks=True),
            read=partial(_read_objects, True),
            frames="instance/bdd100k.json",
            needs_masks=True,
        ),
        "semantic": TaskRow(
            measures="class of every pixel: mean IoU, pixel accuracy, IoU of each class",
            scores=ScoresRow(
                title="Semantic",
                caption="mIoU: intersection over union, mean over classes; mPA: share of a class's "
                "pixels that are found, mean over classes; both from the pixels of all images "
                "together.",
                primary="miou",
                bound=0.01,
                image_metric="miou",
                class_levels=frozenset({"miou", "mpa"}),
                colours="classes",
            ),
            metrics=semantic.METRICS,
            version=semantic.VERSION,
            make=lambda labels, build: semantic.Semantic(labels.classes, build),
            names=lambda labels: labels.classes,
            labels="label maps",
            has_labels=lambda sample: sample.label_map_path is not None,
            write=label_maps.write_label_maps,
            read=_read_label_maps,
        ),
    },
)
"""Every task, literally, and those of installed packages; ``--task none`` is image quality
alone."""

QUALITY = ScoresRow(
    title="Image quality",
    caption="Image quality per image, then the mean.",
    primary="psnr_y_db",
    bound=0.01,
)
"""What every run measures beside its tasks, under the name ``quality``: decibels or fractions."""
