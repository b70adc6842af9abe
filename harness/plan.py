"""From the words of a RunSpec to what they stand for, before any work is done."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import DATASETS, Dataset
from datasets.rain import RAINS, Rain, RainError, digest, parse
from derainers import DERAINERS
from harness import keys
from harness.spec import RunSpec, UsageError
from tasks import TASKS, quality
from tasks.models import MODELS, TRAINED_ON

if TYPE_CHECKING:
    from derainers.derainer import Restorer
    from tasks.task import Task


@dataclass(frozen=True)
class DerainerPlan:
    """A derainer that can be loaded, and all that decides what it does."""

    name: str
    """As in records: ``granet``, ``granet@1f2e3d4c``, ``mine``."""
    key: dict[str, Any]
    weights_sha256: str | None
    load: Callable[[str, str], Restorer]
    """Function of (device, dtype)."""
    rain_families: frozenset[str] | None
    """Rains its weights were trained on; None = unknown."""
    images: frozenset[str] | None
    """Data sets its weights were trained on; None = unknown."""
    is_identity: bool = False


@dataclass(frozen=True)
class TaskPlan:
    """A task with its network."""

    name: str
    model: str
    model_sha256: str
    model_key: dict[str, Any]
    """All that decides a prediction beside the image, the device and the number format."""
    evidence_version: int
    task: Task
    trained_on: tuple[str, str] | None
    """Data set and split of the network's training; None = unknown."""


@dataclass(frozen=True)
class Condition:
    """One way the images look."""

    rain: str
    """Name of a rain, or ``none``."""
    derainer: DerainerPlan


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do."""

    spec: RunSpec
    dataset: Dataset
    rains: dict[str, Rain]
    conditions: tuple[Condition, ...]
    tasks: tuple[TaskPlan, ...]
    metrics: tuple[str, ...]
    device: str
    workers: int


def make_plan(spec: RunSpec, own: Mapping[str, Any]) -> Plan:
    """Resolve every word of a spec.

    Args:
        spec: The run.
        own: The caller's derainers by name: modules, `Derainer`s or anything with ``restore``.

    Raises:
        UsageError: For an unknown or impossible word, with the known ones and the remedy.
        DatasetError: If the data set cannot be read.
    """
    device = _device(spec.device)
    if spec.dataset is None:
        raise UsageError(f"name a data set with --dataset: {', '.join(DATASETS)}")
    opened = DATASETS[known(spec.dataset, DATASETS, "data set")]
    for task in spec.task:
        known(task, TASKS, "task")
    if spec.pair is not None and spec.dataset != "pairs":
        raise UsageError("--pair belongs to --dataset pairs")
    if spec.rain is None:
        default = "given" if spec.dataset == "pairs" else "photoshop-heavy"
        spec = spec.model_copy(update={"rain": (default,)})
    named = dict(pair for word in spec.rain or () for pair in _rains(word))
    rains = {name: rain for name, rain in named.items() if rain is not None}
    derainers = [derainer_plan(word, own) for word in dict.fromkeys(spec.derainer)]
    try:
        metrics = quality.chosen(spec.quality, spec.protocol)
    except ValueError as error:
        raise UsageError(str(error)) from error
    for task in spec.model:
        known(task, {t: None for t in TASKS if t != "none"}, "task in --model")
    files = {t: _model_file(t, spec) for t in dict.fromkeys(spec.task) if t != "none"}
    if spec.data_root is None:
        raise UsageError(f"data set {spec.dataset} needs --data-root, the folder where it lies")
    root = Path(spec.data_root)
    if not root.is_dir():
        raise UsageError(f"--data-root {root}: no such folder; give the one where the data lie")
    options = {} if spec.pair is None else {"pair": spec.pair}
    dataset = opened(root, spec.split, **options).limited(spec.limit)
    if "given" in named and any(s.rainy_path is None for s in dataset.samples):
        raise UsageError(f"--rain given: data set {spec.dataset} brings no rainy images")
    tasks = tuple(_task_plan(task, file, dataset, device) for task, file in files.items())
    identity = derainer_plan("identity", {})
    falling = [r for r in named if r != "none"]
    learned = [d for d in derainers if not d.is_identity]
    conditions = [Condition("none", identity), *(Condition(r, identity) for r in falling)]
    conditions += [Condition(r, d) for d in learned for r in named]
    return Plan(
        spec, dataset, rains, tuple(conditions), tasks, metrics, device, _workers(spec, device)
    )


def _rains(word: str) -> list[tuple[str, Rain | None]]:
    """The conditions that one word of ``--rain`` names, by the name in records."""
    known(word.partition(":")[0], RAINS, "rain", "given", "none")
    if word in {"given", "none"}:
        return [(word, None)]
    try:
        return list(parse(word))
    except RainError as error:
        raise UsageError(str(error)) from error


def known(name: str, table: Iterable[str], what: str, *also: str) -> str:
    """The name, if the table has it.

    Raises:
        UsageError: Listing the known names, the most similar one first named.
    """
    names = [*table, *also]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f"unknown {what} '{name}'{hint}: known are {', '.join(names)}")
    return name


def derainer_plan(word: str, own: Mapping[str, Any]) -> DerainerPlan:
    """What ``NAME`` or ``NAME@WEIGHTS`` stands for; the caller's own names come first."""
    if word in own:
        return _own_plan(word, own[word])
    name, _, given = word.partition("@")
    known(name, [*own, *DERAINERS], "derainer")
    row = DERAINERS[name]
    if given and not row.learned:
        raise UsageError(f"derainer {name} has no weights: leave '@{given}' out")
    if row.learned and not given and row.weights is None:
        source = f": get the authors' from {row.published}" if row.published else " yet"
        raise UsageError(f"derainer {name} comes without weights{source}; give some as {name}@FILE")
    file = Path(given) if given else row.weights
    if file is not None and not file.is_file():
        raise UsageError(f"derainer {name}: weight file {file} not found: give one as {name}@FILE")
    weights = keys.file_sha256(file) if file else None
    card: dict[str, Any] = {}
    if file is not None:
        from derainers.card import read_card

        card = read_card(file)
    trained = card.get("trained_on", {}) if file else {"rain_families": [], "datasets": []}

    def load(device: str, dtype: str) -> Restorer:
        return _placed(row.build(file), device, dtype)

    return DerainerPlan(
        name=f"{name}@{weights[:8]}" if given and weights else name,
        key={"name": name, "version": row.version, "weights": weights},
        weights_sha256=weights,
        load=load,
        rain_families=_names(trained.get("rain_families")),
        images=_names(trained.get("datasets")),
        is_identity=name == "identity",
    )


def _own_plan(name: str, value: Any) -> DerainerPlan:
    """A derainer handed over in Python."""
    from harness.own import own_derainer

    if "|" in name or name in DERAINERS:
        raise UsageError(f"derainers: '{name}' is taken or holds '|': choose another name")
    restorer, key, weights = own_derainer(name, value)
    return DerainerPlan(name, key, weights, partial(_placed, restorer), None, None)


def _placed(restorer: Restorer, device: str, dtype: str) -> Restorer:
    """The derainer on its device, if it is a network."""
    from derainers.derainer import Derainer

    return restorer.to(device, dtype) if isinstance(restorer, Derainer) else restorer


def _names(value: Any) -> frozenset[str] | None:
    """A card's list of names; None where it says nothing."""
    return frozenset(value) if isinstance(value, list) else None


def _device(word: str) -> str:
    """``cpu`` or ``cuda``; torch is imported only where a GPU may be meant."""
    no_driver = os.name == "posix" and not Path("/dev/nvidiactl").exists()
    if word == "cpu" or (word == "auto" and no_driver):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if word == "cuda":
        raise UsageError("--device cuda: torch sees no CUDA device here: use --device cpu")
    return "cpu"


def _workers(spec: RunSpec, device: str) -> int:
    """Images at a time: one per core this process may use; one on CUDA, where they queue anyway."""
    if spec.workers:
        return spec.workers
    if device == "cuda":
        return 1
    cores = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return len(cores)


DEFAULT_MODELS = {"detection": "yolov8n"}
"""The network of a task where none is named."""


def _model_file(task: str, spec: RunSpec) -> Path:
    """The file of a task's network."""
    word = spec.model.get(task, DEFAULT_MODELS[task])
    path = Path(word)
    if path.is_file():
        return path
    if path.name == word and not path.suffix:
        folders = [Path(spec.model_dir)] if spec.model_dir else []
        if os.environ.get("DERAIN_HARNESS_DATA"):
            folders.append(Path(os.environ["DERAIN_HARNESS_DATA"]) / "weights")
        for folder in folders:
            if (folder / f"{word}.pt").is_file():
                return folder / f"{word}.pt"
        raise UsageError(
            f"{task} network {word}.pt not found: get it from "
            f"https://github.com/ultralytics/assets/releases/download/v8.4.0/{word}.pt "
            f"and give it with --model {task}=FILE"
        )
    raise UsageError(f"--model {task}={word}: no such file")


def _task_plan(name: str, file: Path, dataset: Dataset, device: str) -> TaskPlan:
    """A task and its network, not loaded yet."""
    from tasks import detection

    row = MODELS["ultralytics"]
    sha256 = keys.file_sha256(file)
    return TaskPlan(
        name=name,
        model=file.stem,
        model_sha256=sha256,
        model_key={
            "family": "ultralytics",
            "weights": sha256,
            "options": row.options,
            "categories": {str(k): v for k, v in dataset.categories.items()},
            "versions": keys.versions(row.packages),
        },
        evidence_version=detection.VERSION,
        task=detection.Detection(dataset.categories, lambda: row.build(file, device)),
        trained_on=TRAINED_ON.get(sha256),
    )


def seen(plan: Plan, condition: Condition, task: TaskPlan | None) -> tuple[str, ...] | None:
    """What of a cell was trained on; None where a part of the answer is unknown."""
    derainer, marks = condition.derainer, set()
    if derainer.rain_families is None or derainer.images is None:
        return None
    if condition.rain == "given" and derainer.rain_families:
        return None
    rain = plan.rains.get(condition.rain)
    if rain is not None and rain.family in derainer.rain_families:
        marks.add("rain")
    if plan.dataset.name in derainer.images:
        marks.add("images")
    if task is not None:
        if task.trained_on is None:
            return None
        if task.trained_on == (plan.dataset.name, plan.dataset.split):
            marks.add("task-images")
    return tuple(sorted(marks))


def run_digest(plan: Plan, fingerprint: str) -> str:
    """Name of a run by its contents: no path, no worker count, no host."""
    return keys.key(
        "run",
        data=fingerprint,
        dataset=[plan.dataset.name, plan.dataset.split],
        rains={name: digest(rain) for name, rain in plan.rains.items()},
        conditions=[[c.rain, c.derainer.name, c.derainer.key] for c in plan.conditions],
        tasks=[[t.name, t.model_key, t.evidence_version] for t in plan.tasks],
        metrics={m: quality.METRICS[m].version for m in plan.metrics},
        seed=plan.spec.seed,
        dtype=plan.spec.dtype,
        device=plan.device,
    )
