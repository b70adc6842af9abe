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
from datasets.sample import Dataset, DatasetError, Sample
from harness.machine.device import device_of, training_dtype
from harness.plan import keys
from harness.plan.data import dataset_row, open_dataset, open_splits
from harness.spec import RunSpec, UsageError
from harness.training.curve import LossCurve
from harness.training.ending import VALIDATION_SHARE
from harness.training.folder import (
    Begun,
    alone_in,
    begun_with,
    image_digests,
    origin_of,
    write_card,
    write_weights,
)
from harness.training.moment import Clock, Moment
from harness.training.weather import View, weather_of
from tasks.models import MODELS, TRAINED_ON
from tasks.rows import TASKS, TaskRow

Told = Callable[[int, float], bool]
"""Told of every epoch (number from 1, loss) once it is kept; False ends the training there."""


@dataclass(frozen=True)
class _Job:
    """All that there is to say of a network to train."""

    models: Mapping[str, str]
    """The tasks it serves, the one that needs most labels last, and under which name a model of
    `tasks.models` takes its weights."""
    scores: tuple[str, ...]
    """Metrics of those tasks that stand in the card."""
    train: Callable[[_Work], Any]
    recipe: Callable[[RunSpec, NetworkOptions], Any]
    steps_per_epoch: Callable[[int, Any], int]
    """Function of (images, recipe)."""
    described: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    """What the card says of the trained network's layers."""

    @property
    def task(self) -> TaskRow:
        """Of the task whose labels every image must have."""
        return TASKS[[*self.models][-1]]


@dataclass(frozen=True)
class _Work:
    """One training of a network."""

    samples: Sequence[Sample]
    classes: Mapping[int, str]
    """By their numbers in the labels."""
    recipe: Any
    begun: Begun
    told: Told
    begin: Path | None
    """Weights to begin with."""
    view: View | None
    """What is seen of an image in an epoch; None: the image itself."""


def _refinenet(work: _Work) -> Any:
    from tasks.training.checkpoint import Checkpoint
    from tasks.training.refinenet import train

    classes, begun = work.classes, work.begun
    if sorted(classes) != list(range(len(classes))):
        raise UsageError("the classes of this data set are not numbered from 0 without a gap")
    kept = Checkpoint(begun.checkpoint, begun.note)
    told, begin, view = work.told, work.begin, work.view
    return train(work.samples, len(classes), work.recipe, kept, told, begin, view)


def _refinenet_steps(images: int, recipe: Any) -> int:
    from tasks.training.refinenet import steps_per_epoch

    return steps_per_epoch(images, recipe)


def _refinenet_recipe(spec: RunSpec, options: NetworkOptions) -> Any:
    from tasks.training.refinenet import Recipe

    shape: dict[str, Any] = {}
    if spec.dataset == "streetsim":  # its images are larger than what a short run looks at
        shape = {"crop_px": 256, "scale": (-0.55, 0.05), "epochs": 5, "warm_up_epochs": 0.3}
    shape |= {} if options.epochs is None else {"epochs": options.epochs}
    return replace(Recipe(), dtype=training_dtype(spec), seed=spec.seed, **shape)


def _yolo(work: _Work) -> Any:
    from tasks.training.checkpoint import Checkpoint
    from tasks.training.yolo import train

    kept = Checkpoint(work.begun.checkpoint, work.begun.note)
    told, begin, view, device = work.told, work.begin, work.view, device_of("auto")
    return train(work.samples, work.classes, work.recipe, kept, told, begin, view, device)


def _yolo_steps(images: int, recipe: Any) -> int:
    from tasks.training.yolo import steps_per_epoch

    return steps_per_epoch(images, recipe)


def _yolo_recipe(spec: RunSpec, options: NetworkOptions) -> Any:
    from tasks.training.yolo import Recipe, seen_px

    shape: dict[str, Any] = {} if options.epochs is None else {"epochs": options.epochs}
    shape["image_px"] = seen_px(options.begin)
    return replace(Recipe(), dtype=training_dtype(spec), seed=spec.seed, **shape)


def _yolo_described(network: Any) -> Mapping[str, Any]:
    from tasks.training.yolo import described

    return described(network)


NETWORKS = {
    "refinenet": _Job(
        models={"semantic": "refinenet"},
        scores=("miou",),
        train=_refinenet,
        recipe=_refinenet_recipe,
        steps_per_epoch=_refinenet_steps,
    ),
    "yolo": _Job(
        models={"detection": "yolo", "instance": "yolo-seg"},
        scores=("ap50", "mask_ap50"),
        train=_yolo,
        recipe=_yolo_recipe,
        steps_per_epoch=_yolo_steps,
        described=_yolo_described,
    ),
}
"""Every task network that can be trained here, literally."""


@dataclass(frozen=True)
class NetworkOptions:
    """How a task network is trained, beside what a spec says."""

    epochs: int | None = None
    """In place of the recipe's."""
    learning_rate: float | None = None
    """The largest, in place of the recipe's."""
    max_minutes: float | None = None
    """End, with the validation, in this time; one epoch is trained at least. A validation that is
    not done by then leaves no scores in the card."""
    begin: Path | None = None
    """Weights of the same network to begin with, instead of random ones."""
    derained: str | None = None
    """The word of a derainer that images pass before they are seen."""


def train_network(
    name: str,
    spec: RunSpec,
    out: Path,
    options: NetworkOptions = NetworkOptions(),
    progress: Callable[[Moment], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train a task network.

    Args:
        name: A key of `NETWORKS`.
        spec: Data set, split (several joined by ``+``), selection and limit; rains that take turns
            at each image; the seed of weights, order and rain.
        out: Folder for checkpoint, ``curve.csv`` and the weights with their card; a training that
            was broken off goes on from the checkpoint.
        options: See there.
        progress: Told of every epoch.
        say: Told why the card has no scores.

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
    recipe = job.recipe(spec, options)
    if options.learning_rate is not None:
        recipe = replace(recipe, learning_rate=options.learning_rate)
    begin, max_minutes = options.begin, options.max_minutes
    split = spec.split or dataset_row(spec).training_split
    asked = {"task": tuple(job.models), "split": split, "out": str(out)}
    dataset = open_splits(spec.model_copy(update=asked))
    _require_labels(job, dataset, recipe.batch)
    weather = weather_of(spec, options.derained, dataset)
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        before = _before(begin)
        run = {"network": name, "dataset": dataset.name, "split": split, "recipe": asdict(recipe)}
        run |= {"begun_with": before["begun_with"]["sha256"]} if before else {}
        classes = job.task.names(dataset)
        named = {"classes": {str(number): name for number, name in classes.items()}}
        images = image_digests(dataset.samples, with_labels=True)
        begun = Begun(out, run | named | weather.identity(), images)
        curve = LossCurve(out / "curve.csv", begun.goes_on)
        until = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
        told = _told(name, recipe.epochs, curve, progress, until)
        view = weather.view(dataset.samples, spec)
        network = job.train(_Work(dataset.samples, classes, recipe, begun, told, begin, view))
        file = out / f"{name}-{dataset.name}.safetensors"
        write_weights(file, network)
        seen = {"digest": keys.key("images", images=images, **named), **weather.card()}
        steps = curve.last * job.steps_per_epoch(len(dataset.samples), recipe)
        done = {"epochs_done": curve.last, "steps_done": steps, "hours": round(curve.hours, 2)}
        card = _card(run, dataset, classes, network, before, seen) | done | origin_of(file)
        card |= job.described(network)
        write_card(_card_file(file), card)  # without it the validation cannot take the weights
        try:
            scores = _validation(job, file, validated_on(spec, dataset), out / "validation", until)
        except (DatasetError, UsageError, _OutOfTimeError) as error:
            say(f"{name}: not validated: {error}")
            scores = None
        write_card(_card_file(file), card | {"validated_on": scores})
        return file


def _told(
    name: str, epochs: int, curve: LossCurve, progress: Callable[[Moment], None], until: float
) -> Told:
    """What is told of every epoch: it is kept and shown, and the last for which there is time."""
    minutes_s, is_bound = until - time.monotonic(), until < math.inf
    clock = Clock(epochs, until if is_bound else None)
    clock.left_s(curve.last)

    def told(epoch: int, loss: float) -> bool:
        epoch_s = curve.add(epoch, loss)
        left_s = clock.left_s(epoch)
        progress(Moment(name, epoch, epochs, "epoch", loss, None, left_s))
        if not is_bound:
            return True
        return time.monotonic() + epoch_s < until - VALIDATION_SHARE * minutes_s

    return told


def _before(begin: Path | None) -> dict[str, Any]:
    """See `begun_with`; of published checkpoints, which have no card, it is known what they saw."""
    found = begun_with(begin, begin and _card_file(begin))
    published = TRAINED_ON.get(found["begun_with"]["sha256"]) if found else None
    if published is not None:
        found["trained_on"] = {"before": dict(zip(("dataset", "split"), published, strict=True))}
    return found


def _card_file(file: Path) -> Path:
    """Where the card of a task network's weights lies."""
    return file.with_name(file.name + ".json")


def _card(
    run: Mapping[str, Any],
    dataset: Dataset,
    classes: Mapping[int, str],
    network: Any,
    before: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> dict[str, Any]:
    """What the card says of the network and of what it saw."""
    return {
        "network": run["network"],
        "classes": [classes[number] for number in sorted(classes)],
        "parameters": sum(p.numel() for p in network.parameters()),
        "recipe": run["recipe"],
        "trained_on": {
            "dataset": dataset.name,
            "split": run["split"],
            "images": len(dataset.samples),
            "terms": dataset.terms,
            **seen,
            **before.get("trained_on", {}),
        },
        **{k: v for k, v in before.items() if k != "trained_on"},
    }


def _require_labels(job: _Job, dataset: Dataset, batch: int) -> None:
    """Refuse a data set without the labels to train on, with misfit ones, or too few images."""
    images, task = len(dataset.samples), job.task
    lacking = sum(not task.has_labels(sample) for sample in dataset.samples)
    if lacking or images < batch:
        raise UsageError(
            f"{dataset.name} {dataset.split}: {images} images, {lacking} of them without "
            f"{task.labels}; training needs {task.labels} of all and at least {batch} images"
        )
    require_fitting(dataset.samples)


class _OutOfTimeError(Exception):
    """The minutes of a training are over."""


def validated_on(spec: RunSpec, learned: Dataset) -> RunSpec:
    """What a network is validated on: clean images of the first of the set's parts for it.

    Args:
        spec: What it was trained on.
        learned: The images of that.

    Raises:
        DatasetError: If none of these is there.
        UsageError: If it learned from some of the images.
    """
    told: dict[str, Any] = {"attributes": spec.attributes} if spec.where else {}
    told |= {k: getattr(spec, k) for k in ("dataset", "data_root", "annotations", "where")}
    said = DatasetError(f"{learned.name} has no part for it")
    for number, split in enumerate(dataset_row(spec).validation_splits):
        judged = RunSpec(**told, split=split, rain=("none",), derainer=("identity",))
        try:
            held_out = open_dataset(judged).samples
        except DatasetError as error:
            said = said if number else error
            continue
        seen = {sample.path for sample in learned.samples}
        shared = sum(sample.path in seen for sample in held_out)
        if shared:
            of = f"{len(held_out):,} images of {spec.annotations or split}"
            raise UsageError(f"it learned from {shared:,} of the {of}")
        return judged
    raise said


def _validation(
    job: _Job, file: Path, judged: RunSpec, workspace: Path, until: float
) -> dict[str, Any]:
    """The network's scores on the images of a spec.

    Raises:
        _OutOfTimeError: If the monotonic clock passes ``until``.
        DatasetError, UsageError: If they cannot be had.
    """
    from harness.runs.engine import run

    def in_time(*_: object) -> None:
        if time.monotonic() > until:
            raise _OutOfTimeError("the time was over before; take more --max-minutes")

    with_network = {
        "task": tuple(job.models),
        "model": {task: (f"{model}@{file}",) for task, model in job.models.items()},
        "quality": ("none",),
        "workspace": str(workspace),
    }
    results = run(judged.model_copy(update=with_network), progress=in_time)
    found = {r.metric: r.value for r in results.records if r.metric in job.scores}
    return {"split": judged.split, "images": max(r.n for r in results.records), **found}
