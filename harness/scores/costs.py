"""What deraining an image took, and looking at it, as the ledger has noted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.results.record import Cost

if TYPE_CHECKING:
    from harness.ledger.ledger import Ledger
    from harness.plan.networks import TaskPlan
    from harness.plan.plan import ConditionPlan, Plan
    from harness.plan.unit_keys import UnitKeys


def of_derainer(
    plan: Plan, condition: ConditionPlan, timings: Sequence[str], ledger: Ledger
) -> list[Cost]:
    """What deraining took, where the ledger knows it; reading images restored elsewhere is none."""
    if condition.derainer.folders:
        return []
    seconds = sorted(ledger.get("timings", timings).values())
    tiles = ledger.get("tiles", timings).values()
    workers = [*ledger.get("workers", timings).values()]
    is_one = len(workers) == len(seconds) and len(set(workers)) == 1
    if not seconds:
        return []
    return [
        Cost(
            condition=condition.place,
            n=len(seconds),
            median_s_per_image=float(np.median(seconds)),
            workers=workers[0] if is_one else None,
            device=plan.device,
            tiled=len(tiles),
            smallest_tile_px=min(tiles, default=None),
            mean_s_per_image=float(np.mean(seconds)),
        )
    ]


def of_network(
    task: TaskPlan, units: Sequence[UnitKeys], shown: Mapping[str, str], ledger: Ledger
) -> Collection[float]:
    """Seconds of a task network for images, where the ledger knows them.

    Args:
        task: The network's.
        units: The images under one condition.
        shown: Digests of what was shown, by the key of the restored image.
        ledger: Holds them.
    """
    keys = [u.prediction(task, shown[u.restored]) for u in units]
    return ledger.get("timings", keys).values()
