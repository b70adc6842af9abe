"""The card of a weight file: how it came about, in JSON beside it. Needs no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from derainers.errors import DerainerError
from derainers.shards import card_file


def read_card(file: Path, sha256: str | None = None) -> dict[str, Any]:
    """The card beside a weight file (same name, ``.json``), or an empty dict.

    Args:
        file: The weights.
        sha256: Their digest; a card that names another is of other weights.

    Raises:
        DerainerError: If the card is no JSON object, or of other weights.
    """
    card = card_file(file)
    if not card.is_file():
        return {}
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DerainerError(f"{card}: not a JSON file ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("trained_on", {}), dict):
        raise DerainerError(f"{card}: expected an object with an object 'trained_on'")
    named = content.get("sha256")
    if sha256 is not None and named is not None and named != sha256:
        raise DerainerError(
            f"{card} is the card of other weights (sha256 {str(named)[:12]}…, not {sha256[:12]}…): "
            f"write it anew with derain-harness card {file.name}, or move it away"
        )
    return content


FEW = 0.05
"""Weights of a smaller share of their recipe's steps than this are named so."""
STILL_RISING_DB = 0.1
"""Who gains more than this on the validation in the last quarter of its crops was not done."""


def learning(card: Mapping[str, Any]) -> str | None:
    """What a reader must know of how long some weights learned; None where nothing is known amiss.

    Args:
        card: Theirs.
    """
    done, recipe = (_number(card.get(key)) for key in ("steps_done", "recipe_steps"))
    before = card.get("begun_with")
    earlier = _number(before.get("steps")) if isinstance(before, dict) else None
    rose_db = _number(card.get("last_quarter_db"))
    if done is not None and recipe:
        share = (done + (earlier or 0)) / recipe
        if share < FEW:
            return f"trained for {100 * share:.2g} % of its recipe's {recipe:,.0f} steps"
    if rose_db is not None and rose_db > STILL_RISING_DB:
        return f"not converged, its validation rose by {rose_db:.2f} dB in the last quarter"
    return None


def _number(value: Any) -> float | None:
    """A finite number of a card; None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
