"""What names a unit of work: chained keys over all that decides its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import datasets.image as image_io
from datasets.label_png import decode_labels
from datasets.rain import digest
from datasets.rain.rain import origin
from datasets.sample import Half, Sample
from harness.machine import about
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.stages import made_by, source_of
from tasks import quality
from tasks.rows import TASKS

T = TypeVar("T")


class once(Generic[T]):
    """A property that is computed when first asked for.

    Python 3.11's ``functools.cached_property`` holds one lock for all instances while it computes,
    and so lets no two images be derained at a time.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        value = self._function(instance)
        instance.__dict__[self._function.__name__] = value
        return value


@dataclass(frozen=True)
class Entry:
    """A sample and the digest of what it holds."""

    sample: Sample
    """Gives files with these contents alone, see `Sample.digests`."""
    content: str
    """Key of id and image files, without the labels: what pairs an image with itself."""
    image: str
    """Key of id and image file."""
    labels: str | None
    """Key of the objects, and of the label map's file and of how it is read."""
    boxes: str | None
    """Key of the labels without the masks of objects, which other tasks have read."""
    rainy: str | None
    """Key of the rainy image that the data set brings."""
    depth: str | None = None
    """Key of the file with the distances and of how it is read, where the set has one."""

    @staticmethod
    def of(sample: Sample) -> Entry:
        """Read the sample's files once to name their contents; they must then stay what they are.

        Raises:
            OSError: If one cannot be read.
        """
        files = (sample.path, sample.rainy_path, sample.label_map_path, sample.depth_path)
        digests = {file: keys.file_sha256(file) for file in dict.fromkeys(files) if file}
        image = _image_key(sample, digests[sample.path], sample.clean_half)
        rainy = None
        if sample.rainy_path is not None:
            rainy = _image_key(sample, digests[sample.rainy_path], sample.rainy_half)
        objects = sample.annotations
        labels = objects.sha256() if objects else None
        boxes = objects.sha256(masks=False) if objects else None
        if sample.label_map_path is not None:
            label_map = {"map": digests[sample.label_map_path]}
            if sample.decode_label_map is not decode_labels:
                label_map["decoder"] = keys.decoder(sample.decode_label_map)
            labels, boxes = (keys.key("labels", objects=of, **label_map) for of in (labels, boxes))
        depth = None if sample.depth_path is None else _depth_key(sample, digests)
        named_depth = {} if depth is None else {"depth": depth}
        content = keys.key("content", image=image, rainy=rainy, **named_depth)
        named = replace(sample, labels=objects, digests=digests)
        return Entry(named, content, image, labels, boxes, rainy, depth)

    def labels_for(self, task: str) -> str | None:
        """Key of the labels that a task compares with."""
        return self.labels if TASKS[task].needs_masks else self.boxes

    def distances(self, stage: str) -> dict[str, str]:
        """What a depth adds to a key of a stage that uses it: nothing where there is none."""
        decode = self.sample.decode_depth
        named = {} if self.depth is None else {"depth": self.depth}
        if self.depth is None or decode is image_io.decode_depth:
            return named
        source = source_of(decode, stage)
        return named if source is None else {**named, "depth_source": source}

    def map_source(self, stage: str) -> dict[str, str]:
        """What the source of a label map's decoder adds to a key: nothing where it is of ours."""
        decode = self.sample.decode_label_map
        if self.sample.label_map_path is None or decode is decode_labels:
            return {}
        source = source_of(decode, stage)
        return {} if source is None else {"map_source": source}


def images_sha256(entries: Sequence[Entry]) -> str:
    """Digest of a set's images, whatever their order and labels."""
    return keys.key("data", contents=sorted(e.content for e in entries))


def labels_sha256(entries: Sequence[Entry], tasks: Iterable[str]) -> dict[str, str]:
    """Digests of the labels that some tasks compare with, by task."""
    return {
        task: keys.key("labels", of=sorted([e.content, e.labels_for(task)] for e in entries))
        for task in tasks
    }


def _depth_key(sample: Sample, digests: Mapping[Path, str]) -> str:
    """The digest of the file; with what decodes it, where that is not streetsim's own form."""
    assert sample.depth_path is not None
    sha256 = digests[sample.depth_path]
    if sample.decode_depth is image_io.decode_depth:
        return sha256
    return keys.key("depth", bytes=sha256, decoder=keys.decoder(sample.decode_depth))


def _image_key(sample: Sample, sha256: str, half: Half | None) -> str:
    return keys.key(
        "image",
        **({} if half is None else {"half": half}),
        version=image_io.VERSION,
        id=sample.id,
        bytes=sha256,
        versions=about.versions(("opencv-python",)),
    )


class Keyring:
    """What names the units of one condition; what they share is put into words once."""

    def __init__(self, plan: Plan, condition: ConditionPlan) -> None:
        """Name the units of a condition of a plan."""
        self.plan = plan
        self.condition = condition
        self._patterns: dict[tuple[str, ...], keys.Pattern] = {}

    def of(self, entry: Entry) -> UnitKeys:
        """The keys of one image."""
        return UnitKeys(self, entry)

    def key(
        self,
        stage: str,
        fixed: Callable[[], dict[str, Any]],
        *of: str,
        **varying: str | None,
    ) -> str:
        """As `keys.key`.

        Args:
            stage: The stage.
            fixed: Makes the parts that are the same for all units.
            of: Tells those of one stage apart: a metric, a task and its network.
            varying: The other parts.
        """
        name = (stage, *of, "", *varying)
        if name not in self._patterns:
            self._patterns[name] = keys.Pattern(stage, varying, **fixed())
        return self._patterns[name].key(**varying)


@dataclass(frozen=True)
class UnitKeys:
    """The chained keys of one image under one condition."""

    ring: Keyring
    entry: Entry

    @once
    def restored(self) -> str:
        """Key of the image that the tasks are shown."""
        plan, condition, key = self.ring.plan, self.ring.condition, self.ring.key
        rainy: str | None = self.entry.image
        if condition.rain == "given":
            rainy = key("given", dict, image=self.entry.rainy)
        elif condition.rain != "none":
            rainy = key(
                "rainy",
                lambda: {
                    "rain": digest(plan.rains[condition.rain]),
                    "seed": plan.spec.seed,
                    **made_by("rainy"),
                    **keys.named(origin(plan.rains[condition.rain])),
                },
                image=rainy,
                **self.entry.distances("rainy"),
            )
        if condition.derainer.is_identity:
            return key("identity", lambda: made_by("identity"), image=rainy)
        tile_px = plan.placement.tile_px
        tiling = {} if tile_px is None else {"tile_px": tile_px}
        files = condition.derainer.by_sample
        return key(
            "restored",
            lambda: {
                **tiling,
                **({"seed": plan.spec.seed} if condition.derainer.draws else {}),
                "derainer": _of_one(condition),
                "dtype": plan.placement.dtype,
                "device": plan.device,
                **made_by("restored"),
            },
            image=rainy,
            **({} if files is None else {"file": files[self.entry.sample.id]}),
        )

    def quality(self) -> dict[str, str]:
        """Key of each metric's evidence, by metric."""
        return {metric: self._quality(metric) for metric in self.ring.plan.metrics}

    def _quality(self, metric: str) -> str:
        return self.ring.key(
            "quality",
            lambda: {
                "metric": metric,
                "version": quality.version(metric),
                **made_by("quality"),
                **keys.named(quality.metric(metric).origin),
            },
            metric,
            restored=self.restored,
            reference=self.entry.image,
        )

    def prediction(self, task: TaskPlan, shown: str) -> str:
        """Key of a prediction on the image with this digest."""
        return self.ring.key(
            "prediction",
            lambda: {
                "model": task.model_key,
                "device": self.ring.plan.device,
                **made_by("prediction"),
            },
            task.name,
            task.model,
            shown=shown,
        )

    def evidence(self, task: TaskPlan, shown: str) -> str:
        """Key of a task's evidence."""
        return self.ring.key(
            "evidence",
            lambda: {
                "task": task.name,
                "version": task.evidence_version,
                **made_by("evidence"),
                **keys.named(TASKS[task.name].origin),
            },
            task.name,
            task.model,
            prediction=self.prediction(task, shown),
            labels=self.entry.labels_for(task.name),
            **self.entry.distances("evidence"),
            **self.entry.map_source("evidence"),
        )

    def picture(self) -> str:
        """Key of the picture kept for the page, with what is drawn on it: labels, predictions."""
        plan = self.ring.plan
        return self.ring.key(
            "picture-4",
            lambda: {
                "tasks": [[task.name, task.model_key] for task in plan.tasks],
                "device": plan.device,
                "prediction": made_by("prediction"),
                # What should have been found is coloured in the first condition's picture alone.
                "is_first": self.ring.condition == plan.conditions[0],
                **made_by("picture"),
            },
            restored=self.restored,
            labels=self.entry.labels,
            **self.entry.map_source("picture"),
        )

    def timing(self) -> str:
        """Key of the derainer's seconds."""
        return self.ring.key("seconds", dict, restored=self.restored)


def _of_one(condition: ConditionPlan) -> dict[str, Any]:
    """What names a derainer in the keys of one image: of files only the image's own decides."""
    derainer = condition.derainer
    return derainer.key if derainer.by_sample is None else {"dir": derainer.name}


def cell(plan: Plan, condition: ConditionPlan) -> str:
    """Names the file that holds a cell's predictions."""
    return keys.key(
        "cell",
        dataset=[plan.dataset.name, plan.dataset.split],
        rain=condition.rain,
        derainer=_of_one(condition),
        tasks=[t.model_key for t in plan.tasks],
    )
