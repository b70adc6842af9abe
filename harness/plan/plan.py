"""From the words of a RunSpec to what they stand for, before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from datasets.rain import Rain, digest
from harness.machine.device import device_of, worker_count
from harness.plan import keys
from harness.plan.data import kind_of, open_dataset
from harness.plan.derainers import DerainerPlan, derainer_plan, stage_plan
from harness.plan.manifest import manifest_of
from harness.plan.networks import TaskPlan, network_of, task_plan
from harness.plan.rains import rains_of
from harness.spec import RunSpec, UsageError, known
from tasks import TASKS, quality


@dataclass(frozen=True)
class Condition:
    """One way the images look."""

    rain: str
    """Name of a rain, or ``none``."""
    derainer: DerainerPlan

    @property
    def is_shown(self) -> bool:
        """Whether tasks see the image; intermediate outputs are judged by quality alone."""
        return self.derainer.stage is None


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
    device = device_of(spec.device)
    kind_of(spec)
    if spec.save and spec.out is None:
        raise UsageError("--save predictions needs --out, the folder to write them below")
    if spec.address is not None and spec.engine != "ray":
        raise UsageError(f"--address {spec.address} is of --engine ray: give that too")
    for task in spec.task:
        known(task, TASKS, "task")
    if spec.rain is None:
        default = "given" if spec.dataset == "pairs" or spec.pair else "photoshop-heavy"
        spec = spec.model_copy(update={"rain": (default,)})
    named = dict(pair for word in spec.rain or () for pair in rains_of(word))
    rains = {name: rain for name, rain in named.items() if rain is not None}
    try:
        metrics = quality.chosen(spec.quality, spec.protocol)
    except ValueError as error:
        raise UsageError(str(error)) from error
    for task in spec.model:
        known(task, {t: None for t in TASKS if t != "none"}, "task in --model")
    networks = {t: network_of(t, spec) for t in dict.fromkeys(spec.task) if t != "none"}
    dataset = open_dataset(spec)
    if "given" in named and any(s.rainy_path is None for s in dataset.samples):
        choose = ", choose them with --where" if dataset.unclean else ""
        brings = "is not rainy in every image" if dataset.unclean else "brings no rainy images"
        raise UsageError(f"--rain given: data set {spec.dataset} {brings}{choose}")
    if not dataset.has_clean and set(named) != {"given"}:
        raise UsageError(
            "photographs of real rain have no clean image: give --rain given alone, or leave them "
            "out with --where"
        )
    tasks = tuple(task_plan(t, network, dataset, device) for t, network in networks.items())
    conditions = _conditions(spec, own, dataset, tuple(named))
    for condition in conditions:
        _require_its_rain(condition, rains, spec.seed)
    return Plan(
        spec, dataset, rains, conditions, tasks, metrics, device, worker_count(spec, device)
    )


def _conditions(
    spec: RunSpec, own: Mapping[str, Any], dataset: Dataset, rains: tuple[str, ...]
) -> tuple[Condition, ...]:
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
    names = [d.name for d in derainers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--derainer: two are called {twice}: rename a file or folder")
    folder = next((d.name for d in derainers if d.folders), None)
    if folder is not None and len(rains) > 1:
        raise UsageError(f"--derainer {folder}: restored images are of one rain: name one --rain")
    falling = [r for r in rains if r != "none"]
    conditions = [Condition("none", identity)] if dataset.has_clean else []
    conditions += [Condition(r, identity) for r in falling]
    for derainer in derainers:
        conditions += [Condition(r, derainer) for r in rains]
    for word in spec.intermediate:
        having = [d for d in derainers if word in d.stages]
        if not having:
            known(word, dict.fromkeys(s for d in derainers for s in d.stages), "--intermediate")
        conditions += [Condition(r, stage_plan(d, word)) for d in having for r in falling]
    return tuple(conditions)


def _require_its_rain(condition: Condition, rains: Mapping[str, Rain], seed: int) -> None:
    """Refuse a folder of restored images that says it was made of another rain."""
    for folder in condition.derainer.folders:
        made = manifest_of(folder)
        rain = rains.get(condition.rain)
        wanted = None if rain is None else digest(rain)
        if made is not None and (made["rain_sha256"], made["seed"]) != (wanted, seed):
            raise UsageError(
                f"dir:{folder.name} was made of {made['rain']} with seed {made['seed']}, "
                f"this run is of {condition.rain} with seed {seed}: give the same --rain and --seed"
            )


def run_digest(plan: Plan, fingerprint: str) -> str:
    """Name of a run by its contents: no path, no worker count, no host."""
    return keys.key(
        "run",
        data=fingerprint,
        dataset=[plan.dataset.name, plan.dataset.split],
        rains={name: digest(rain) for name, rain in plan.rains.items()},
        conditions=[[c.rain, c.derainer.name, c.derainer.key] for c in plan.conditions],
        tasks=[[t.name, t.model_key, t.evidence_version] for t in plan.tasks],
        metrics={m: quality.version(m) for m in plan.metrics},
        seed=plan.spec.seed,
        dtype=plan.spec.dtype,
        device=plan.device,
    )
