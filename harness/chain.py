"""What names a unit of work: chained keys over all that decides its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import datasets.image as image_io
from datasets.rain import digest
from datasets.sample import Half, Sample
from harness import keys
from harness.plan import Condition, Plan
from harness.task_plan import TaskPlan
from tasks import quality

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
    content: str
    """Key of id, image file and labels."""
    image: str
    """Key of id and image file, without the labels."""
    labels: str | None
    rainy: str | None
    """Key of the rainy image that the data set brings."""
    depth: str | None = None
    """Digest of the file with the distances, where the set has one."""

    @staticmethod
    def of(sample: Sample) -> Entry:
        """Read the image file once to name its content.

        Raises:
            OSError: If it cannot be read.
        """
        image = _image_key(sample, sample.path, sample.clean_half)
        rainy = None
        if sample.rainy_path is not None:
            rainy = _image_key(sample, sample.rainy_path, sample.rainy_half)
        labels = sample.annotations.sha256() if sample.annotations else None
        if sample.label_map_path is not None:
            labels = keys.key("labels", objects=labels, map=keys.file_sha256(sample.label_map_path))
        depth = None if sample.depth_path is None else keys.file_sha256(sample.depth_path)
        content = keys.key("content", image=image, labels=labels, rainy=rainy, **_named(depth))
        return Entry(sample, content, image, labels, rainy, depth)


def _named(depth: str | None) -> dict[str, str]:
    """What a depth adds to a key: nothing where there is none."""
    return {} if depth is None else {"depth": depth}


def _image_key(sample: Sample, file: Path, half: Half | None) -> str:
    return keys.key(
        "image",
        **({} if half is None else {"half": half}),
        version=image_io.VERSION,
        id=sample.id,
        bytes=keys.file_sha256(file),
        versions=keys.versions(("opencv-python",)),
    )


@dataclass(frozen=True)
class UnitKeys:
    """The chained keys of one image under one condition."""

    plan: Plan
    condition: Condition
    entry: Entry

    @once
    def restored(self) -> str:
        """Key of the image that the tasks are shown."""
        plan, condition = self.plan, self.condition
        rainy = self.entry.image
        if condition.rain == "given":
            rainy = keys.key("given", image=self.entry.rainy)
        elif condition.rain != "none":
            rainy = keys.key(
                "rainy",
                image=rainy,
                **_named(self.entry.depth),
                rain=digest(plan.rains[condition.rain]),
                seed=plan.spec.seed,
                versions=keys.versions(("numpy", "opencv-python")),
            )
        if condition.derainer.is_identity:
            return keys.key("identity", image=rainy)
        tiling = {} if plan.spec.tile_px is None else {"tile_px": plan.spec.tile_px}
        return keys.key(
            "restored",
            **tiling,
            image=rainy,
            derainer=condition.derainer.key,
            dtype=plan.spec.dtype,
            device=plan.device,
            versions=keys.versions(("torch", "numpy", "opencv-python")),
        )

    def quality(self) -> dict[str, str]:
        """Key of each metric's evidence, by metric."""
        return {
            metric: keys.key(
                "quality",
                metric=metric,
                version=quality.version(metric),
                restored=self.restored,
                reference=self.entry.image,
            )
            for metric in self.plan.metrics
        }

    def prediction(self, task: TaskPlan, shown: str) -> str:
        """Key of a prediction on the image with this digest."""
        return keys.key(
            "prediction",
            shown=shown,
            model=task.model_key,
            device=self.plan.device,
        )

    def evidence(self, task: TaskPlan, shown: str) -> str:
        """Key of a task's evidence."""
        return keys.key(
            "evidence",
            task=task.name,
            version=task.evidence_version,
            prediction=self.prediction(task, shown),
            labels=self.entry.labels,
            versions=keys.versions(("pycocotools",)),
        )

    def picture(self) -> str:
        """Key of the picture kept for the page."""
        return keys.key(
            "picture-3", restored=self.restored, tasks=[t.model_key for t in self.plan.tasks]
        )

    def timing(self) -> str:
        """Key of the derainer's seconds."""
        return keys.key("seconds", restored=self.restored)
