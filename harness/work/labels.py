"""What a reader of numbers must know of labels and networks: are all counted, known, seen alike?

What a network calls its classes, and at which size it sees pictures, is asked once, and kept in
the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from datasets.labels import notes, unmatched
from datasets.sample import Sample
from harness.ledger.ledger import Ledger
from harness.machine.device import one_thread_each
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import Plan
from harness.plan.stages import made_by
from harness.plan.unit_keys import Entry
from tasks.rows import TASKS


def ask(plan: Plan, ledger: Ledger) -> None:
    """Keep how each network calls the classes of the data set, and at which size it sees them.

    Raises:
        TaskError: If a network cannot be loaded, or knows none of them.
    """
    wanted = _keys(plan)
    known = ledger.has("doubts", wanted)
    for key, task in wanted.items():
        if key not in known:
            with one_thread_each(plan.device):
                told = {"classes": dict(task.task.matched()), "px": task.trained_px()}
            with ledger.transaction():
                ledger.put("doubts", {key: json.dumps(told)})


def noted(plan: Plan, entries: Sequence[Entry], ledger: Ledger) -> Plan:
    """A plan whose data set's notes say what of its labels does not count, or has no network.

    Args:
        plan: The run.
        entries: Its images.
        ledger: Holds what `ask` kept.
    """
    dataset, samples = plan.dataset, [entry.sample for entry in entries]
    said = []
    if any(TASKS[task.name].names(dataset) == dataset.categories for task in plan.tasks):
        said += notes(samples, dataset.categories)
    wanted = _keys(plan)
    for key, text in ledger.get("doubts", wanted).items():
        network, told = f"{wanted[key].name} by {wanted[key].model}", json.loads(text)
        said += unmatched(network, told["classes"], dataset, samples)
        if told["px"] is not None:
            said.append(f"{network} sees pictures at {told['px']} px, the size of its training")
    return replace(plan, dataset=replace(dataset, notes=(*dataset.notes, *said)))


def compared(samples: Sequence[Sample], tasks: Sequence[TaskPlan]) -> list[Sample]:
    """Images without label maps where no task compares with these, which may be of another size."""
    bare = [replace(sample, label_map_path=None) for sample in samples]
    needs_maps = any(
        not TASKS[task.name].has_labels(sample) for task in tasks for sample in bare[:1]
    )
    return list(samples) if needs_maps else bare


def _keys(plan: Plan) -> dict[str, TaskPlan]:
    """The tasks with their networks, under the keys of what the networks call their classes."""
    return {
        keys.key("network", task=task.name, model=task.model_key, **made_by("prediction")): task
        for task in plan.tasks
    }
