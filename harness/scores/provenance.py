"""What made a run: code, versions, hardware, data. No host, user, path or remote is told."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from datasets.rain import digest
from datasets.upright import upright_px
from harness.machine.about import accelerator, machine
from harness.plan import keys
from harness.plan.keys import canonical
from harness.plan.stages import installed, made_by
from harness.scores.replicates import VERSION as REPLICATES
from reports.results.provenance import Provenance
from reports.results.training import Training
from tasks import quality

if TYPE_CHECKING:
    from datasets import Dataset
    from harness.plan.derainers import DerainerPlan
    from harness.plan.plan import Plan


def provenance(plan: Plan, fingerprint: str, elapsed_s: float) -> Provenance:
    """Everything that depends on clock and host, and the digests that name the inputs."""
    return Provenance(
        **machine(elapsed_s) | {"versions": installed()},
        device=plan.device,
        accelerator=accelerator(plan.device),
        workers=plan.workers,
        data_fingerprint=fingerprint,
        size_px=_size(plan.dataset),
        data_notes=(*plan.dataset.notes, *_untold(plan)),
        weights=tuple(sorted({c.derainer.said for c in plan.conditions if c.derainer.said})),
        code={c.derainer.name: _code(c.derainer) for c in plan.conditions},
        models={
            task.name: "+".join(sorted(t.model_sha256 for t in plan.tasks if t.name == task.name))
            for task in plan.tasks
        },
        trainings=_trainings(plan),
        gates=_gates(plan),
        rains={name: digest(rain) for name, rain in plan.rains.items()},
        metric_versions={
            **{m: quality.version(m) for m in plan.metrics},
            **{t.name: t.evidence_version for t in plan.tasks},
            "resamples": REPLICATES,
        },
        protocols=quality.captions(plan.metrics),
    )


def _trainings(plan: Plan) -> dict[str, dict[str, Training]]:
    """How the task networks were trained, as far as that is known."""
    found: dict[str, dict[str, Training]] = {}
    for task in plan.tasks:
        found.setdefault(task.name, {})[task.model] = task.learned.training
    return found


def _untold(plan: Plan) -> list[str]:
    """Of which restored images nothing says whether they had the run's rain."""
    names = dict.fromkeys(name for c in plan.conditions for name in c.derainer.untold)
    return [
        f"nothing says of which images those of {name} were made, and so whether of this rain"
        for name in names
    ]


def _gates(plan: Plan) -> dict[str, str]:
    """The derainer behind each gate."""
    derainers = [c.derainer for c in plan.conditions]
    names = {canonical(d.key): d.name for d in derainers}
    gates = {d.name: canonical(d.parts[0].key) for d in derainers if d.gate is not None}
    return {name: names[behind] for name, behind in gates.items() if behind in names}


def _size(dataset: Dataset) -> str | None:
    """The size of most images, and whether there are others."""
    sizes = Counter(upright_px(sample.path) for sample in dataset.samples)
    (size, _) = max(sizes.items(), key=lambda item: (item[1], str(item[0])), default=(None, 0))
    if size is None:
        return None
    return f"{size[1]} × {size[0]}" + (" and others" if len(sizes) > 1 else "")


def _code(derainer: DerainerPlan) -> str:
    """Digest of all that decides what a derainer does: what it is, and what we do to run it."""
    stage = "identity" if derainer.is_identity else "restored"
    return keys.key("derainer", key=derainer.key, code=made_by(stage)["code"])
