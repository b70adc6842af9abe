"""Train a task network on a data set: checkpoint, curve, weights and their card in one folder.

Derainers are trained by `harness.training.derainer`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from datasets.labels import require_fitting
from datasets.marked import mark
from datasets.sample import Dataset, DatasetError, Sample
from harness.machine.device import device_of, training_dtype
from harness.plan.data import dataset_row, open_splits
from harness.spec import RunSpec, UsageError
from harness.training.curve import LossCurve
from harness.training.folder import (
    Begun,
    begun_with,
    image_digests,
    origin_of,
    write_card,
    write_weights,
)
from harness.training.moment import Clock, Moment
from tasks.models import MODELS

VALIDATION_SHARE = 0.1
"""Of the minutes that a training may take, what is left for its validation."""
Told = Callable[[int, float], bool]
"""Told of every epoch (number from 1, loss) once it is kept; False ends the training there."""


@dataclass(frozen=True)
class _Job:
    """All that there is to say of a network to train."""

    models: Mapping[str, str]
    """The tasks it serves, and under which name a model of `tasks.models` takes its weights."""
    scores: tuple[str, ...]
    """Metrics of those tasks that stand in the card."""
    labels: str
    """What every image must have, in words."""
    is_labelled: Callable[[Sample], bool]
    classes: Callable[[Dataset], Mapping[int, str]]
    """The names of what it tells apart, by the numbers in the labels."""
    train: Callable[[Sequence[Sample], Mapping[int, str], Any, Begun, Told, Path | None], Any]
    """Function of (samples, classes by number, recipe, what is begun, told, weights to begin
    with)."""
    recipe: Callable[[RunSpec, int | None], Any]
    """Function of (spec, epochs in place of its own)."""


def _refinenet(
    samples: Sequence[Sample],
    classes: Mapping[int, str],
    recipe: Any,
    begun: Begun,
    told: Told,
    begin: Path | None,
) -> Any:
    from tasks.training.refinenet import train

    if sorted(classes) != list(range(len(classes))):
        raise UsageError("the classes of this data set are not numbered from 0 without a gap")
    return train(samples, len(classes), recipe, begun.checkpoint, told, begin, begun.note)


def _refinenet_recipe(spec: RunSpec, epochs: int | None) -> Any:
    from tasks.training.refinenet import Recipe

    shape: dict[str, Any] = {}
    if spec.dataset == "streetsim":  # its images are larger than what a short run looks at
        shape = {"crop_px": 256, "scale": (-0.55, 0.05), "epochs": 5, "warm_up_epochs": 0.3}
    shape |= {} if epochs is None else {"epochs": epochs}
    return replace(Recipe(), dtype=training_dtype(spec), **shape)


def _yolo(
    samples: Sequence[Sample],
    classes: Mapping[int, str],
    recipe: Any,
    begun: Begun,
    told: Told,
    begin: Path | None,
) -> Any:
    from tasks.training.yolo import train

    device = device_of("auto")
    return train(samples, classes, recipe, begun.checkpoint, told, begin, device, begun.note)


def _yolo_recipe(spec: RunSpec, epochs: int | None) -> Any:
    from tasks.training.yolo import Recipe

    return replace(Recipe(), epochs=epochs or Recipe.epochs, dtype=training_dtype(spec))


def _has_masks(sample: Sample) -> bool:
    annotations = sample.annotations
    return annotations is not None and len(annotations.masks) >= len(annotations.categories)


NETWORKS = {
    "refinenet": _Job(
        models={"semantic": "refinenet"},
        scores=("miou",),
        labels="label maps",
        is_labelled=lambda sample: sample.label_map_path is not None,
        classes=lambda dataset: dataset.classes,
        train=_refinenet,
        recipe=_refinenet_recipe,
    ),
    "yolo": _Job(
        models={"detection": "yolo", "instance": "yolo-seg"},
        scores=("ap50", "mask_ap50"),
        labels="masks",
        is_labelled=_has_masks,
        classes=lambda dataset: dataset.categories,
        train=_yolo,
        recipe=_yolo_recipe,
    ),
}
"""Every task network that can be trained here, literally."""


def train_network(
    name: str,
    spec: RunSpec,
    out: Path,
    epochs: int | None = None,
    max_minutes: float | None = None,
    progress: Callable[[Moment], None] = lambda _: None,
    begin: Path | None = None,
) -> Path:
    """Train a task network.

    Args:
        name: A key of `NETWORKS`.
        spec: Data set, split (several joined by ``+``), selection and limit.
        out: Folder for checkpoint, ``curve.csv`` and the weights with their card; a training that
            was broken off goes on from the checkpoint.
        epochs: In place of the recipe's.
        max_minutes: End, with the validation, in this time; one epoch is trained at least. A
            validation that is not done by then leaves no scores in the card.
        progress: Told of every epoch.
        begin: Weights of the same network to begin with, instead of random ones.

    Returns:
        The weights, half floats: ``NAME-DATASET.safetensors``.

    Raises:
        UsageError: If labels or a package are missing, or the folder holds another training or
            damaged files.
    """
    job = NETWORKS[name]
    lacking = next((why for m in job.models.values() if (why := MODELS[m].lacking())), None)
    if lacking is not None:
        raise UsageError(f"train {name}: {lacking.partition(', or')[0]}")
    recipe = job.recipe(spec, epochs)
    split = spec.split or dataset_row(spec).training_split
    asked = {"task": tuple(job.models), "split": split, "out": str(out)}
    dataset = open_splits(spec.model_copy(update=asked))
    _require_labels(job, dataset, recipe.batch)
    out.mkdir(parents=True, exist_ok=True)
    mark(out)
    before = begun_with(begin, begin and _card_file(begin))
    run = {"network": name, "dataset": dataset.name, "split": split, "recipe": asdict(recipe)}
    run |= {"begun_with": before["begun_with"]["sha256"]} if before else {}
    classes = job.classes(dataset)
    named = {"classes": {str(number): name for number, name in classes.items()}}
    begun = Begun(out, run | named, image_digests(dataset.samples, with_labels=True))
    curve = LossCurve(out / "curve.csv", begun.goes_on)
    started = time.monotonic()
    until = math.inf if max_minutes is None else started + 60 * max_minutes
    clock = Clock(recipe.epochs, None if max_minutes is None else until)
    clock.left_s(curve.last)

    def told(epoch: int, loss: float) -> bool:
        epoch_s = curve.add(epoch, loss)
        left_s = clock.left_s(epoch)
        progress(Moment(name, epoch, recipe.epochs, "epoch", loss, None, left_s))
        is_time_left = time.monotonic() + epoch_s < until - VALIDATION_SHARE * (until - started)
        return max_minutes is None or is_time_left

    network = job.train(dataset.samples, classes, recipe, begun, told, begin)
    file = out / f"{name}-{dataset.name}.safetensors"
    write_weights(file, network)
    card = _card(run, dataset, classes, network, curve, before) | origin_of(file)
    write_card(_card_file(file), card)  # without it the validation cannot take the weights
    scores = _validation(job, file, spec, out / "validation", until)
    write_card(_card_file(file), card | {"validated_on": scores})
    return file


def _card_file(file: Path) -> Path:
    """Where the card of a task network's weights lies."""
    return file.with_name(file.name + ".json")


def _card(
    run: Mapping[str, Any],
    dataset: Dataset,
    classes: Mapping[int, str],
    network: Any,
    curve: LossCurve,
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """What the card says of a training that has ended, before its weights are judged."""
    return {
        "network": run["network"],
        "classes": [classes[number] for number in sorted(classes)],
        "parameters": sum(p.numel() for p in network.parameters()),
        "recipe": run["recipe"],
        "epochs_done": curve.last,
        "trained_on": {
            "dataset": dataset.name,
            "split": run["split"],
            "images": len(dataset.samples),
            "terms": dataset.terms,
            **before.get("trained_on", {}),
        },
        **{k: v for k, v in before.items() if k != "trained_on"},
        "hours": round(curve.hours, 2),
    }


def _require_labels(job: _Job, dataset: Dataset, batch: int) -> None:
    """Refuse a data set without the labels to train on, with misfit ones, or too few images."""
    images = len(dataset.samples)
    lacking = sum(not job.is_labelled(sample) for sample in dataset.samples)
    if lacking or images < batch:
        raise UsageError(
            f"{dataset.name} {dataset.split}: {images} images, {lacking} of them without "
            f"{job.labels}; training needs {job.labels} of all and at least {batch} images"
        )
    require_fitting(dataset.samples)


class _OutOfTimeError(Exception):
    """The minutes of a training are over."""


def _validation(
    job: _Job, file: Path, spec: RunSpec, workspace: Path, until: float
) -> dict[str, Any] | None:
    """The network's scores on clean images of the ``val`` split.

    Returns:
        None where there is none, or the monotonic clock passes ``until``.
    """
    from harness.runs.engine import run

    def in_time(*_: object) -> None:
        if time.monotonic() > until:
            raise _OutOfTimeError

    judged = RunSpec(
        dataset=spec.dataset,
        data_root=spec.data_root,
        split="val",
        rain=("none",),
        derainer=("identity",),
        task=tuple(job.models),
        model={task: (f"{model}@{file}",) for task, model in job.models.items()},
        quality=("none",),
        workspace=str(workspace),
    )
    try:
        results = run(judged, progress=in_time)
    except (DatasetError, UsageError, _OutOfTimeError):
        return None
    found = {r.metric: r.value for r in results.records if r.metric in job.scores}
    return {"split": "val", "images": max(r.n for r in results.records), **found}
