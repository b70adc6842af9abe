"""A first look at every derainer that came from elsewhere, kept in the ledger."""

from __future__ import annotations

from dataclasses import replace

from harness.ledger.ledger import Ledger
from harness.machine.device import one_thread_each
from harness.plan import keys
from harness.plan.derainers import DerainerPlan
from harness.plan.plan import Plan


def check(plan: Plan, ledger: Ledger) -> list[str]:
    """Send a clean photograph through each derainer that is not ours, once in a workspace.

    Returns:
        What looked wrong, in words.

    Raises:
        DerainerError: If one fails on it.
    """
    wanted = _keys(plan)
    said = ledger.has("doubts", wanted)
    for key, derainer in wanted.items():
        if key in said:
            continue
        from derainers.derainer import Derainer
        from derainers.plausible import doubt

        restorer = derainer.load(replace(plan.placement, tile_px=None))
        if isinstance(restorer, Derainer):
            with one_thread_each(plan.device):
                text = doubt(restorer, derainer.name)
            with ledger.transaction():
                ledger.put("doubts", {key: text or ""})
    return doubts(plan, ledger)


def doubts(plan: Plan, ledger: Ledger) -> list[str]:
    """What looked wrong."""
    return [text for text in ledger.get("doubts", _keys(plan)).values() if text]


def _keys(plan: Plan) -> dict[str, DerainerPlan]:
    """The derainers under the keys of what was thought of them."""
    return {
        keys.key(
            "doubt", derainer=c.derainer.key, device=plan.device, dtype=plan.placement.dtype
        ): c.derainer
        for c in plan.conditions
        if c.derainer.is_foreign
    }
