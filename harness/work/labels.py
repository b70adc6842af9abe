"""What a reader of numbers must know of the labels: are they counted, do networks know them?

What a network calls its classes is asked once, and kept in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from datasets.labels import notes, unmatched
from harness.ledger.ledger import Ledger
from harness.machine.device import one_thread_each
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import Plan
from harness.plan.stages import made_by
from harness.plan.unit_keys import Entry
from tasks.rows import TASKS


def ask(plan: Plan, ledger: Ledger) -> None:
    """Keep how each network calls the classes of the data set.

    Raises:
        TaskError: If a network cannot be loaded, or knows none of them.
    """
    wanted = _keys(plan)
    known = ledger.has("doubts", wanted)
    for key, task in wanted.items():
        if key not in known:
            with one_thread_each(plan.device):
                matched = dict(task.task.matched())
            with ledger.transaction():
                ledger.put("doubts", {key: json.dumps(matched)})


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
        task = wanted[key]
        said += unmatched(f"{task.name} by {task.model}", json.loads(text), dataset, samples)
    return replace(plan, dataset=replace(dataset, notes=(*dataset.notes, *said)))


def _keys(plan: Plan) -> dict[str, TaskPlan]:
    """The tasks with their networks, under the keys of what the networks call their classes."""
    return {
        keys.key("classes", task=task.name, model=task.model_key, **made_by("prediction")): task
        for task in plan.tasks
    }
