"""From the words of ``--task`` and ``--model`` to tasks with their networks, not loaded yet."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.names import text_of
from datasets.sample import Dataset
from harness.machine import about
from harness.machine.environment import FETCHED
from harness.machine.sources import SOURCES
from harness.plan import keys
from harness.plan.trained_on import images
from harness.spec import RunSpec, UsageError
from tasks.models import (
    BUNDLED,
    DEFAULTS,
    MODELS,
    OF_CONTENT,
    OF_DATASET,
    TRAINED_ON,
    WEIGHTS,
)
from tasks.rows import TASKS

if TYPE_CHECKING:
    from harness.plan.own_code import Identity
    from tasks.task import Task


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
    trained_on: frozenset[str] | None
    """Images that the network was trained on, see `trained_on.images`; None = unknown."""
    identity: Identity | None = None
    """What names a user's code, which is complete once it was called."""
    draws: bool = False
    """Whether it draws from the random generators of the process."""

    @property
    def is_own(self) -> bool:
        """Whether a user's function made the network, so that it is tried before work starts."""
        return self.identity is not None


@dataclass(frozen=True)
class Network:
    """What a word of ``--model`` names."""

    name: str
    """Its name in records."""
    sha256: str
    key: dict[str, Any]
    """All that decides its predictions."""
    build: Callable[[str], Any]
    """Loads it on a device."""
    trained_on: frozenset[str] | None = None
    """Images, where they are known."""
    identity: Identity | None = None
    """What names a user's code."""

    def __post_init__(self) -> None:
        # Files may have any name, and what is told of them is text.
        object.__setattr__(self, "name", text_of(self.name))


def networks_of(task: str, spec: RunSpec) -> list[Network]:
    """The networks of a task, each under a name of its own.

    Raises:
        UsageError: As `network_of`, and where two words mean one network.
    """
    default = OF_DATASET.get((spec.dataset or "", task), DEFAULTS.get(task, ""))
    words = spec.model.get(task, (default,))
    found = [network_of(task, word, spec) for word in words]
    names = Counter(network.name for network in found)
    # Trainings leave files of one name in many folders: best.pt.
    found = [
        network
        if names[network.name] == 1
        else replace(network, name=f"{network.name}@{network.sha256[:8]}")
        for network in found
    ]
    names = Counter(network.name for network in found)
    twice = next((name for name in names if names[name] > 1), None)
    if twice is not None:
        raise UsageError(f"--model {task}: {twice} is named twice: leave one out")
    return found


def network_of(task: str, word: str, spec: RunSpec) -> Network:
    """The network that a word names for a task.

    Words are a bundled network's name, a file (its suffix tells the family), ``NAME@FILE`` with a
    family's name, the name of an ultralytics checkpoint in ``--model-dir``, or
    ``FILE.py:FACTORY[@WEIGHTS]``.

    Raises:
        UsageError: If there is none such, or it cannot run here.
    """
    if not word:
        raise UsageError(f"--task {task} needs a network: give --model {task}=FILE or NAME@FILE")
    if (task, word) in BUNDLED:
        file = WEIGHTS / f"{word}.safetensors"
        if not file.is_file():
            family, _, dataset = word.partition("-")
            raise UsageError(
                f"network {word} has no weights yet: python -m harness train {family} --dataset "
                f"{dataset} --data-root DIR --out DIR makes them, --model {task}={family}@FILE "
                "takes them"
            )
        return replace(_of_family(task, BUNDLED[task, word], file), name=word)
    if (file := Path(word)).is_file():
        return _of_family(task, _family(task, file), file)
    name, _, weights = word.partition("@")
    if name in MODELS:
        if not weights:
            raise UsageError(f"--model {task}={word}: give its weights, {task}={word}@FILE")
        return _of_family(task, name, _existing(task, Path(weights)))
    if ":" in name:
        return _own(task, name, _existing(task, Path(weights)) if weights else None)
    if file.name == word and not file.suffix:
        return _of_family(task, _family(task, Path(f"{word}.pt")), _found(task, word, spec))
    raise UsageError(f"--model {task}={word}: no such file")


def source_of(word: str) -> list[str]:
    """The file or module of which a network's word would run a function, if it would."""
    name = word.partition("@")[0]
    return [name.rpartition(":")[0]] if ":" in name and not Path(word).is_file() else []


def scoring_task(name: str, dataset: Dataset, build: Callable[[], Any] | None = None) -> Task:
    """A task on a data set, with what loads its network; without, for scoring alone.

    Raises:
        UsageError: If the data set lacks the labels that the task compares with.
    """
    row = TASKS[name]
    samples = dataset.samples
    lacking = sum(not row.has_labels(s) for s in samples)
    if lacking:
        said = f" ({'; '.join(dataset.notes)})" if dataset.notes else ""
        raise UsageError(
            f"--task {name}: {dataset.name} {dataset.split} lacks {row.labels} of {lacking} of its "
            f"{len(samples)} images{said}: name another task (none for image "
            "quality alone) or data set"
        )
    return row.make(dataset, build)


def task_plan(
    name: str, network: Network, dataset: Dataset, device: str, looks: bool = False
) -> TaskPlan:
    """A task and its network, not loaded yet.

    Args:
        name: One of `TASKS`.
        network: Its network.
        dataset: The images.
        device: Where the network runs.
        looks: Whether images without any labels are looked at, though nothing is scored.

    Raises:
        UsageError: If the data set lacks the labels that the task compares with.
    """
    row = TASKS[name]
    bare = looks and not any(t.has_labels(s) for t in TASKS.values() for s in dataset.samples)
    make = row.make if bare else partial(scoring_task, name)
    return TaskPlan(
        name=name,
        model=network.name,
        model_sha256=network.sha256,
        model_key={**network.key, "categories": {str(k): v for k, v in row.names(dataset).items()}},
        evidence_version=row.version,
        task=make(dataset, lambda: network.build(device)),
        trained_on=network.trained_on,
        identity=network.identity,
    )


def _family(task: str, file: Path) -> str:
    """The family of a file that is named alone."""
    families = OF_CONTENT.get(task, {})
    if file.suffix not in families:
        names = [name for name, row in MODELS.items() if row.task == task]
        alone = f"a file alone is {' or '.join(families)}; else " if families else ""
        raise UsageError(
            f"--model {task}={file.name}: {alone}say what it is, NAME@FILE: {', '.join(names)}"
        )
    return families[file.suffix]


def _existing(task: str, file: Path) -> Path:
    if not file.is_file():
        raise UsageError(f"--model {task}=…@{file}: no such file")
    return file


def _of_family(task: str, family: str, file: Path) -> Network:
    """A file as a network of a family."""
    row = MODELS[family]
    if row.task != task:
        names = [name for name, other in MODELS.items() if other.task == task]
        raise UsageError(f"{family} is for {row.task}: for {task} there are {', '.join(names)}")
    lacking = row.lacking()
    if lacking is not None:
        raise UsageError(f"--model {task}={family}: {lacking}")
    sha256 = keys.file_sha256(file)
    key = {
        "family": family,
        "weights": sha256,
        "options": row.options,
        "versions": about.versions(row.packages),
        **keys.named(row.origin),
    }
    files = {file: sha256}
    card = file.with_name(file.name + ".json")
    if card.is_file():
        key["card"] = files[card] = keys.file_sha256(card)
    name = file.stem if family in OF_CONTENT.get(task, {}).values() else f"{family}@{sha256[:8]}"
    trained_on = _trained_on(sha256, card)

    def build(device: str) -> Any:
        network = row.build(file, device)
        keys.require_same(files)
        return network

    return Network(name, sha256, key, build, trained_on)


def _trained_on(sha256: str, card: Path) -> frozenset[str] | None:
    """What a published checkpoint, or one with a card that ``train`` wrote, was trained on."""
    if sha256 in TRAINED_ON:
        return frozenset(["/".join(TRAINED_ON[sha256])])
    try:
        return images(json.loads(card.read_bytes())["trained_on"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _own(task: str, word: str, weights: Path | None) -> Network:
    """A network that a user's function makes."""
    if task != "semantic":
        raise UsageError(f"--model {task}={word}: factories are for semantic networks alone")
    from harness.plan.own_code import named
    from harness.plan.user_code import built_by
    from tasks.models.segmenter import own_segmenter

    source, _, factory = word.rpartition(":")
    given = {weights: keys.file_sha256(weights)} if weights else {}
    # Called now, once: what it made is what names the predictions.
    built = built_by(source, factory, weights)
    keys.require_same(given)
    identity = named(f"--model {task}={word}", built.value, built.module, built.files)
    sha256 = given[weights] if weights else identity.values
    own = {"own": identity.key(), "weights": sha256}
    return Network(
        name=f"{Path(source).stem}:{factory}",
        sha256=sha256,
        key={**own, "versions": about.versions(("torch",))},
        build=lambda device: own_segmenter(copy.deepcopy(built.value), word, device),
        identity=identity,
    )


ULTRALYTICS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


def _found(task: str, name: str, spec: RunSpec) -> Path:
    """The file of an ultralytics checkpoint by its name."""
    data = os.environ.get("DERAIN_HARNESS_DATA")
    folders = [Path(spec.model_dir)] if spec.model_dir else []
    folders += [Path(data) / "weights"] if data else []
    for folder in (*folders, FETCHED / "weights"):
        if (folder / f"{name}.pt").is_file():
            return folder / f"{name}.pt"
    remedy = (
        f"python -m harness fetch {name}"
        if name in SOURCES
        else f"get it from {ULTRALYTICS}/{name}.pt and give it with --model {task}=FILE"
    )
    raise UsageError(f"{task} network {name}.pt not found: {remedy}")
