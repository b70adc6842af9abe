"""Whether networks from elsewhere are fed rightly: measured once, kept in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from harness.ledger.ledger import Ledger
from harness.machine.device import one_thread_each
from harness.machine.generators import seeded
from harness.plan import keys
from harness.plan.derainers import DerainerPlan
from harness.plan.plan import Plan
from harness.spec import bare

VERSION = 4
"""Raised whenever the same network would be judged otherwise."""


def check(plan: Plan, ledger: Ledger) -> list[str]:
    """Judge each network that is not ours on images of known rain, once in a workspace.

    Returns:
        What looked wrong, in words.

    Raises:
        DerainerError: If one fails on them.
    """
    wanted = _keys(plan)
    said = ledger.has("doubts", wanted)
    for key, derainer in wanted.items():
        if key in said:
            continue
        from derainers.derainer import Derainer
        from derainers.plausible import doubt
        from harness.work.known_rain import known_rain

        # Which part of a chain enlarges is the chain's affair.
        load = replace(derainer.load, may_enlarge=True)
        restorer = load(replace(plan.placement, tile_px=None))
        if isinstance(restorer, Derainer):
            with one_thread_each(plan.device), seeded("doubt"):
                found = doubt(restorer, derainer.name, known_rain())
            with ledger.transaction():
                ledger.put("doubts", {key: json.dumps(asdict(found)) if found else ""})
    return doubts(plan, ledger)


def doubts(plan: Plan, ledger: Ledger) -> list[str]:
    """What looked wrong, in words that whoever wrote the word can act on."""
    wanted = _keys(plan)
    found = ledger.get("doubts", wanted)
    return [_said(wanted[key], json.loads(text)) for key, text in found.items() if text]


def _said(derainer: DerainerPlan, found: dict[str, Any]) -> str:
    """What was measured, and what to write."""
    channels, black, white = found["better"]
    if sign := found["sign"]:
        how, both = ("less", "x - y") if sign == "-" else ("plus", "x + y")
        return (
            f"derainer {derainer.name} restores images of known rain at "
            f"{found['declared_db']:.1f} dB, its input {how} its output does at "
            f"{found['better_db']:.1f} dB (rainy: {found['rainy_db']:.1f} dB). If it returns a "
            f"layer and not the image, wrap it in a module whose forward(x) returns {both}, of the "
            "network's y: docs/derainers.md has its lines."
        )
    shown = f"channels={channels!r}, range=({black:g}, {white:g})"
    if found["returned"]:
        least, most = found["returned"]
        return (
            f"derainer {derainer.name} restores images of known rain at "
            f"{found['declared_db']:.1f} dB, with {shown} and its output read from {least:g} to "
            f"{most:g} at {found['better_db']:.1f} dB (rainy: {found['rainy_db']:.1f} dB). If it "
            "returns other values than it takes, give it that convention and wrap it in a module "
            f"whose forward(x) returns {_between((least, most), (black, white))}, of the network's "
            "y: docs/derainers.md has such lines."
        )
    text = (
        f"derainer {derainer.name} restores images of known rain at {found['declared_db']:.1f} dB, "
        f"with {shown} at {found['better_db']:.1f} dB (rainy: {found['rainy_db']:.1f} dB). "
        "If that is how it was trained, "
    )
    if derainer.part is None:
        return f"{text}wrap it: Derainer(network, {shown})."
    own = replace(derainer.part.parameters, range=(black, white), channels=channels)
    if derainer.part.prefix == "spandrel":  # which knows the range
        own = replace(own, range=None)
    return f"{text}name it {bare(derainer.part.text)}{own.said}"


def _between(one: tuple[float, float], other: tuple[float, float]) -> str:
    """What brings a value y from one range to another, as code."""
    (least, most), (black, white) = one, other
    shifted = f"(y {'-' if least > 0 else '+'} {abs(least):g})" if least else "y"
    scaled = f" / {most - least:g}" * (most - least != 1) + f" * {white - black:g}" * (
        white - black != 1
    )
    return f"{shifted}{scaled}" + (f" {'-' if black < 0 else '+'} {abs(black):g}" if black else "")


def _keys(plan: Plan) -> dict[str, DerainerPlan]:
    """The networks under the keys of what was found about them."""
    return {
        keys.key(
            "doubt",
            version=VERSION,
            derainer=network.key,
            device=plan.device,
            dtype=plan.placement.dtype,
        ): network
        for condition in plan.conditions
        for network in _networks(condition.derainer)
        if network.is_foreign
    }


def _networks(derainer: DerainerPlan) -> Iterator[DerainerPlan]:
    """A derainer, or those that a chain is made of."""
    if not derainer.parts:
        yield derainer
    for part in derainer.parts:
        yield from _networks(part)
