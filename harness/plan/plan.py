"""From the words of a RunSpec to what they stand for, before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from datasets.rain import Rain, digest
from datasets.rain.rain import origin
from harness.machine.device import Placement, placement
from harness.plan import keys
from harness.plan.data import dataset_row, kind_of, open_dataset, require_dry
from harness.plan.derainers import DerainerPlan, derainer_plan, stage_plan
from harness.plan.manifest import manifest_of
from harness.plan.networks import TaskPlan, networks_of, task_plan
from harness.plan.rains import rains_of, require_depth
from harness.plan.stages import made_by
from harness.spec import DEFAULT_RAIN, RunSpec, UsageError, known
from reports.results.cell import NO_RAIN, Condition, Data
from tasks import TASKS, quality
from tasks.quality.pyiqa import PREFIX


@dataclass(frozen=True)
class ConditionPlan:
    """One way the images will look."""

    place: Condition
    derainer: DerainerPlan

    @property
    def rain(self) -> str:
        """Name of a rain, or ``none``."""
        return self.place.rain

    @property
    def is_shown(self) -> bool:
        """Whether tasks see the image; intermediate outputs are judged by quality alone."""
        return self.place.stage is None


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do."""

    spec: RunSpec
    dataset: Dataset
    rains: dict[str, Rain]
    conditions: tuple[ConditionPlan, ...]
    tasks: tuple[TaskPlan, ...]
    """One for each network of a task, those of one task beside each other."""
    metrics: tuple[str, ...]
    placement: Placement

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.placement.device

    @property
    def workers(self) -> int:
        """Images at a time."""
        return self.placement.workers


def make_plan(spec: RunSpec, own: Mapping[str, Any], placed: Placement | None = None) -> Plan:
    """Resolve every word of a spec.

    Args:
        spec: The run.
        own: The caller's derainers by name: modules, `Derainer`s or anything with ``restore``.
        placed: Where it was computed, of a run that is there; None: what the spec says, here.

    Raises:
        UsageError: For an unknown or impossible word, with the known ones and the remedy.
        DatasetError: If the data set cannot be read.
    """
    placed = placed or placement(spec)
    kind_of(spec)
    if spec.save and spec.out is None:
        raise UsageError(f"--save {spec.save[0]} needs --out, the folder to write them below")
    if spec.address is not None and spec.engine != "ray":
        raise UsageError(f"--address {spec.address} is of --engine ray: give that too")
    for task in spec.model:
        known(task, TASKS, "task in --model")
    for task in spec.task:
        known(task, TASKS, "task", "none")
    if spec.rain is None:
        brings = dataset_row(spec).brings_rain or spec.pair
        default = "given" if brings else DEFAULT_RAIN
        spec = spec.model_copy(update={"rain": (default,)})
    named = dict(pair for word in spec.rain or () for pair in rains_of(word))
    rains = {name: rain for name, rain in named.items() if rain is not None}
    try:
        metrics = quality.chosen(spec.quality, spec.protocol)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if spec.address is not None and any(m.startswith(PREFIX) for m in metrics):
        raise UsageError(f"--quality {PREFIX}… runs on this machine alone: leave --address out")
    asked = [t for t in dict.fromkeys(spec.task) if t != "none"]
    networks = [(t, network) for t in asked for network in networks_of(t, spec)]
    dataset = open_dataset(spec)
    if "given" in named and any(s.rainy_path is None for s in dataset.samples):
        knows = any("weather" in s.attributes for s in dataset.samples)
        said = (
            "is not rainy in every image, choose them with --where"
            if knows
            else "brings no rainy images: photographs of real rain have --rain given alone"
        )
        raise UsageError(f"--rain given: data set {spec.dataset} {said}")
    if not dataset.has_clean and set(named) != {"given"}:
        raise UsageError(
            "photographs of real rain have no clean image: give --rain given alone, or leave them "
            "out with --where"
        )
    require_dry(rains, spec, dataset)
    require_depth(rains, dataset)
    looks = dataset_row(spec).is_folder
    tasks = tuple(task_plan(t, network, dataset, placed.device, looks) for t, network in networks)
    conditions = _conditions(spec, own, dataset, tuple(named))
    if "images" in spec.save and all(c.derainer.is_identity for c in conditions):
        raise UsageError(
            "--save images: nothing is derained: name a --derainer; rainy images are written by "
            "python -m harness synth"
        )
    for condition in conditions:
        _require_its_rain(condition, rains, spec.seed)
    return Plan(spec, dataset, rains, conditions, tasks, metrics, placed)


def _conditions(
    spec: RunSpec, own: Mapping[str, Any], dataset: Dataset, rains: tuple[str, ...]
) -> tuple[ConditionPlan, ...]:
    """The clean ceiling, the rainy floors, then every derainer under every rain."""
    identity = derainer_plan("identity", {}, dataset)
    derainers = [derainer_plan(word, own, dataset) for word in dict.fromkeys(spec.derainer)]
    # Two words may mean the same weights: mspfn without its own, and mspfn-light.
    alike = {
        keys.key("derainer", name=d.name, key=d.key, of=[*map(str, d.folders)]): d
        for d in derainers
    }
    derainers = list(alike.values())
    derainers = [d for d in derainers if not d.is_identity]
    folder = next((d.name for d in derainers if d.folders), None)
    if folder is not None and len(rains) > 1:
        raise UsageError(f"--derainer {folder}: restored images are of one rain: name one --rain")

    def under(rain: str, derainer: DerainerPlan) -> ConditionPlan:
        data = Data(dataset.name, dataset.split)
        name, stage = derainer.method, derainer.stage
        return ConditionPlan(Condition(data, rain, spec.seed, name, stage), derainer)

    falling = [r for r in rains if r != NO_RAIN]
    conditions = [under(NO_RAIN, identity)] if dataset.has_clean else []
    conditions += [under(r, identity) for r in falling]
    for derainer in derainers:
        conditions += [under(r, derainer) for r in rains]
    for word in spec.intermediate:
        having = [d for d in derainers if word in d.stages]
        if not having:
            known(word, dict.fromkeys(s for d in derainers for s in d.stages), "--intermediate")
        conditions += [under(r, stage_plan(d, word)) for d in having for r in falling]
    _require_names(conditions)
    return tuple(conditions)


def _require_names(conditions: Sequence[ConditionPlan]) -> None:
    """Refuse two derainers, or stages of them, that tables would call by one name."""
    names = [(c.rain, c.place.name) for c in conditions]
    twice = next((name[1] for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--derainer: two are called {twice}: call one NAME=WORD")


def _added(plan: Plan) -> dict[str, Any]:
    """What rows of installed packages add to a run's name; a plan of our own adds nothing."""
    origins = [origin(rain) for rain in plan.rains.values()]
    origins += [quality.metric(metric).origin for metric in plan.metrics]
    origins += [TASKS[task.name].origin for task in plan.tasks]
    found = sorted({each for each in origins if each is not None})
    return {"packages": found} if found else {}


def _require_its_rain(condition: ConditionPlan, rains: Mapping[str, Rain], seed: int) -> None:
    """Refuse a folder of restored images that says it was made of another rain."""
    for folder in condition.derainer.folders:
        made = manifest_of(folder)
        rain = rains.get(condition.rain)
        if made is None or made["rain"] is None:  # each file's own input says what it is of
            continue
        # Without made rain a seed says nothing, and the name tells real rain from none.
        wanted = (None, condition.rain) if rain is None else (digest(rain), seed)
        told = made["rain"] if made["rain_sha256"] is None else made["seed"]
        if (made["rain_sha256"], told) != wanted:
            raise UsageError(
                f"dir:{folder.name} was made of {made['rain']} with seed {made['seed']}, "
                f"this run is of {condition.rain} with seed {seed}: give the same --rain and --seed"
            )


def run_digest(plan: Plan, images: str, labels: Mapping[str, str]) -> str:
    """Name of a run by its contents: no path, no worker count, no host."""
    return keys.key(
        "run",
        data=images,
        labels=dict(labels),
        dataset=[plan.dataset.name, plan.dataset.split],
        rains={name: digest(rain) for name, rain in plan.rains.items()},
        **_added(plan),
        conditions=[[c.rain, c.derainer.name, c.derainer.key] for c in plan.conditions],
        tasks=[[t.name, t.model_key, t.evidence_version] for t in plan.tasks],
        metrics={m: quality.version(m) for m in plan.metrics},
        seed=plan.spec.seed,
        dtype=plan.placement.dtype,
        device=plan.device,
        tile_px=plan.placement.tile_px,
        made_by={stage: made_by(stage) for stage in _stages(plan)},
    )


def _stages(plan: Plan) -> list[str]:
    """The stages whose keys a run holds."""
    some = {
        "identity": any(c.derainer.is_identity for c in plan.conditions),
        "rainy": bool(plan.rains),
        "restored": not all(c.derainer.is_identity for c in plan.conditions),
        "quality": bool(plan.metrics),
        "prediction": bool(plan.tasks),
        "evidence": bool(plan.tasks),
    }
    return [*(stage for stage, is_used in some.items() if is_used), "replicates", "scores"]
