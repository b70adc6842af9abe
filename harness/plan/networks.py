"""From the words of ``--task`` and ``--model`` to tasks with their networks, not loaded yet."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from datasets.names import text_of
from datasets.sample import Dataset
from datasets.torchscript import is_torchscript
from derainers.shards import combined
from derainers.words import Part
from harness.machine import about
from harness.machine.environment import FETCHED
from harness.machine.sources import SOURCES
from harness.plan import keys
from harness.plan.trained_on import Learned, of_weights, said_by
from harness.spec import RunSpec, UsageError, known
from reports.results.training import Training
from tasks.models import (
    BUNDLED,
    DEFAULTS,
    ENDINGS,
    MODELS,
    OF_CONTENT,
    OF_DATASET,
    PREFIXES,
    RUNS_CODE,
    WEIGHTS,
)
from tasks.rows import TASKS

if TYPE_CHECKING:
    from harness.plan.own_code import Identity
    from tasks.task import Task

FORMS = (
    "FILE.py:FACTORY[@WEIGHTS], MODULE:FACTORY, FILE.onnx, torchscript:FILE, transformers:FOLDER, "
    "detectron2@CONFIG.yaml@WEIGHTS"
)
"""Networks that have no family's name."""
_IMGSZ = re.compile(r",imgsz=(?P<imgsz>[^,@]*)$")
_OF_ULTRALYTICS = re.compile(r"(yolo|rtdetr|fastsam)[\w.-]*$", re.IGNORECASE)


def _unknown_px() -> None:
    """No size is known, or it is a usual one."""


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
    learned: Learned
    identity: Identity | None = None
    """What names a user's code, which is complete once it was called."""
    trained_px: Callable[[], str | None] = _unknown_px
    """Reads the size of its training from its file, where it sees pictures at an unusual one."""
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
    build: Callable[[str, Sequence[str]], Any]
    """Loads it on a device, to be used with a data set's classes by name."""
    learned: Learned
    identity: Identity | None = None
    """What names a user's code."""
    trained_px: Callable[[], str | None] = _unknown_px
    """See `TaskPlan`."""

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
    family's name, `FORMS`, or the name of an ultralytics checkpoint in ``--model-dir``. Behind it
    ``,imgsz=N`` may stand, the size in pixels at which it sees pictures.

    Raises:
        UsageError: If there is none such, or it cannot run here.
    """
    if not word:
        raise UsageError(f"--task {task} needs a network: give --model {task}=FILE or NAME@FILE")
    word, imgsz = (word, None) if Path(word).is_file() else _sized(task, word)
    if (task, word) in BUNDLED:
        file = WEIGHTS / f"{word}.safetensors"
        if not file.is_file():
            family, _, dataset = word.partition("-")
            raise UsageError(
                f"network {word} has no weights yet: python -m harness train {family} --dataset "
                f"{dataset} --data-root DIR --out DIR makes them, --model {task}={family}@FILE "
                "takes them"
            )
        name = word if imgsz is None else f"{word},imgsz={imgsz}"
        return replace(_of_family(task, BUNDLED[task, word], [file], imgsz), name=name)
    if (file := Path(word)).is_file():
        return _of_family(task, _family(task, file), [file], imgsz)
    prefix, _, behind = word.partition(":")
    name, weights = _cut(word) if prefix not in PREFIXES else (prefix, behind)
    full = name + ENDINGS.get(task, "")
    family = full if full in MODELS else name
    if family in MODELS:
        return _of_family(task, family, _given(task, word, family, weights), imgsz)
    if ":" in name:
        if imgsz is not None:
            raise UsageError(
                f"--model {task}={word}: what sees pictures is your code: set it there"
            )
        return _own(task, name, _existing(task, Path(weights)) if weights else None)
    if _OF_ULTRALYTICS.match(word):
        file = _found(task, word, spec)
        return _of_family(task, _family(task, file), [file], imgsz)
    if weights or not file.suffix:
        _unknown(task, name)
    bare, _, option = word.partition(",")
    why = f"unknown option '{option}', there is imgsz=N alone"
    raise UsageError(f"--model {task}={word}: {why if Path(bare).is_file() else 'no such file'}")


def _cut(word: str) -> tuple[str, str]:
    """A word before and behind the ``@`` of weights, of which the path of code may hold another."""
    made = Part(word).factory
    if made is not None and Path(made["source"]).is_file():
        return f"{made['source']}:{made['name']}", made["weights"] or ""
    name, _, weights = word.partition("@")
    return name, weights


def source_of(word: str) -> list[str]:
    """The file or module whose code a network's word would run, if it would."""
    name, file = _cut(word)
    if Path(word).is_file():
        return []
    if file and name in RUNS_CODE:
        return [_IMGSZ.sub("", file)]
    prefix, _, behind = word.partition(":")
    if prefix in PREFIXES:
        return [_IMGSZ.sub("", behind)] if prefix in RUNS_CODE else []
    return [name.rpartition(":")[0]] if ":" in name else []


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
    classes = row.names(dataset)
    return TaskPlan(
        name=name,
        model=network.name,
        model_sha256=network.sha256,
        model_key={**network.key, "categories": {str(k): v for k, v in classes.items()}},
        evidence_version=row.version,
        task=make(dataset, lambda: network.build(device, list(classes.values()))),
        learned=network.learned,
        identity=network.identity,
        trained_px=network.trained_px,
    )


def _family(task: str, file: Path) -> str:
    """The family of a file that is named alone."""
    families = OF_CONTENT.get(task, {})
    _require_no_code(task, file)
    if file.suffix not in families:
        names = [name for name, row in MODELS.items() if row.task == task]
        alone = f"a file alone is {' or '.join(families)}; else " if families else ""
        raise UsageError(
            f"--model {task}={file.name}: {alone}say what it is, NAME@FILE: {', '.join(names)}"
        )
    return families[file.suffix]


def _require_no_code(task: str, file: Path) -> None:
    """Refuse TorchScript where its word does not ask to run it."""
    if is_torchscript(file):
        raise UsageError(
            f"--model {task}={file}: it is a TorchScript archive, which is code: "
            f"--model {task}=torchscript:{file} asks to run it"
        )


def _existing(task: str, file: Path) -> Path:
    if not file.is_file():
        raise UsageError(f"--model {task}=…@{file}: no such file")
    return file


def _sized(task: str, word: str) -> tuple[str, int | None]:
    """A word, and the size in pixels at which its network is to see pictures."""
    found = _IMGSZ.search(word)
    if found is None:
        return word, None
    imgsz = found["imgsz"]
    if not imgsz.isdecimal() or not 32 <= int(imgsz) <= 8192:
        raise UsageError(f"--model {task}={word}: expected imgsz=N, 32 to 8192 px")
    return word[: found.start()], int(imgsz)


def _given(task: str, word: str, family: str, weights: str) -> list[Path]:
    """The files that a word names for a family."""
    row = MODELS[family]
    paths = [Path(part) for part in weights.split("@", row.paths - 1) if part]
    if len(paths) != row.paths:
        name = family.removesuffix(ENDINGS.get(row.task, "")) if row.paths > 1 else word
        files = "@CONFIG.yaml@WEIGHTS" if row.paths > 1 else "@FILE"
        raise UsageError(f"--model {task}={word}: give its weights, {task}={name}{files}")
    if row.is_folder and not paths[0].is_dir():
        raise UsageError(
            f"--model {task}={word}: no such folder: nothing is downloaded, save_pretrained() of "
            "the network writes one"
        )
    return paths if row.is_folder else [_existing(task, path) for path in paths]


def _unknown(task: str, name: str) -> NoReturn:
    """Tell which families there are for a task."""
    names = [each for each, row in MODELS.items() if row.task == task]
    try:
        known(name, names, f"network for {task}", FORMS)
    except UsageError as error:
        raise UsageError(
            f"--model {task}={name}: {error}; what runs elsewhere is scored from its files: "
            f"score --task {task} --predictions"
        ) from None
    raise AssertionError(name)


def _of_family(task: str, family: str, given: Sequence[Path], imgsz: int | None = None) -> Network:
    """Files as a network of a family."""
    row = MODELS[family]
    if row.task != task:
        names = [name for name, other in MODELS.items() if other.task == task]
        raise UsageError(f"{family} is for {row.task}: for {task} there are {', '.join(names)}")
    if family not in RUNS_CODE:
        _require_no_code(task, given[-1])
    lacking = row.lacking()
    if lacking is not None:
        raise UsageError(f"--model {task}={family}: {lacking}")
    if imgsz is not None and not row.takes_imgsz:
        raise UsageError(f"--model {task}={family}: leave imgsz out: it sees {row.shown}")
    main = given[-1]
    files = {file: keys.file_sha256(file) for file in row.reads(*given)}
    sha256 = files[main] if list(files) == [main] else combined(list(files.values()))
    key = {
        "family": family,
        "weights": sha256,
        "options": row.options if imgsz is None else {**row.options, "imgsz": imgsz},
        "versions": about.versions(row.packages),
        **keys.named(row.origin),
    }
    card = main.with_name(main.name + ".json")
    if card.is_file():
        key["card"] = files[card] = keys.file_sha256(card)
    is_named = family in OF_CONTENT.get(task, {}).values() or main.is_dir()
    stem = main.name if main.is_dir() else main.stem
    name = stem if is_named or family in RUNS_CODE else f"{family}@{sha256[:8]}"
    told = of_weights(sha256, said_by(card, files.get(main, sha256)))

    def build(device: str, names: Sequence[str]) -> Any:
        network = row.build(*given, device, **({} if imgsz is None else {"imgsz": imgsz}))
        keys.require_same(files)
        return network

    if imgsz is not None:
        return Network(f"{name},imgsz={imgsz}", sha256, key, build, told)
    trained_px = partial(row.trained_px, main)
    return Network(name, sha256, key, build, told, trained_px=trained_px)


def _own(task: str, word: str, weights: Path | None) -> Network:
    """A network that a user's function makes."""
    if task not in ENDINGS:
        raise UsageError(f"--model {task}={word}: functions are for {', '.join(ENDINGS)}")
    from harness.plan.own_code import named
    from harness.plan.user_code import VARIES, built_to_run
    from tasks.models.own import copied, own_network

    source, _, factory = word.rpartition(":")
    given = {weights: keys.file_sha256(weights)} if weights else {}
    # Called now: what it made is what names the predictions.
    built = built_to_run(source, factory, weights)
    keys.require_same(given)
    identity = named(f"--model {task}={word}", built.value, built.module, built.files)
    if built.varies:
        identity.renew(f"--model {task}={word}", VARIES)
    sha256 = given[weights] if weights else identity.values
    # One function may serve several tasks, and is asked for another answer in each.
    own = {"task": task, "own": identity.key(), "weights": sha256}
    name = f"{Path(source).stem if source.endswith('.py') else source}:{factory}"
    return Network(
        name=f"{name}@{sha256[:8]}" if weights else name,
        sha256=sha256,
        key={**own, "versions": about.versions(("torch",))},
        build=lambda device, names: own_network(task, copied(built.value), word, names, device),
        learned=Learned(Training(sha256)),
        identity=identity,
    )


ULTRALYTICS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


def _found(task: str, name: str, spec: RunSpec) -> Path:
    """The file of an ultralytics checkpoint by its name, with or without ``.pt``."""
    name = name.removesuffix(".pt")
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
