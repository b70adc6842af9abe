"""What the task networks of a run found, as rows."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.ledger.ledger import Ledger
from harness.ledger.predictions import Predictions
from harness.plan.unit_keys import Entry, cell
from harness.runs.export import predictions_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from harness.plan.plan import Plan

SIDES = ("left_px", "top_px", "right_px", "bottom_px")


def found_objects(plan: Plan, entries: Sequence[Entry], workspace: Path) -> pd.DataFrame:
    """A row for each object that a task network found: where, what and how sure.

    Args:
        plan: The run.
        entries: The images that finished everywhere.
        workspace: Where its predictions are kept.

    Returns:
        Columns ``sample``, ``rain``, ``derainer``, ``task``, ``network``, ``class``,
        ``confidence`` and `SIDES`; networks that name pixels have no rows.

    Raises:
        UsageError: If predictions were removed meanwhile.
    """
    import pandas as pd

    parts = []
    ledger = Ledger(workspace)
    with contextlib.closing(ledger):
        for condition in (c for c in plan.conditions if c.is_shown):
            with contextlib.closing(Predictions(workspace, cell(plan, condition))) as store:
                for task in plan.tasks:
                    found = predictions_of(plan, condition, task, entries, ledger, store)
                    for sample, prediction in found:
                        if not hasattr(prediction, "boxes_xyxy_px"):
                            break
                        about = {
                            "sample": sample.id,
                            "rain": condition.rain,
                            "derainer": condition.derainer.name,
                            "task": task.name,
                            "network": task.model,
                        }
                        known = _names(plan, task.task)
                        names = [known[int(c)] for c in prediction.categories]
                        said = {"class": names, "confidence": prediction.scores}
                        boxes = dict(
                            zip(SIDES, np.asarray(prediction.boxes_xyxy_px).T, strict=True)
                        )
                        parts.append(pd.DataFrame(about | said | boxes))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _names(plan: Plan, task: Any) -> Mapping[int, str]:
    """Name of each category: the data set's, or the network's own where the set has no labels."""
    if plan.dataset.categories:
        return plan.dataset.categories
    found: Mapping[int, str] = task.named()
    return found
