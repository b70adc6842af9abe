"""The card of a weight file: how it came about, in JSON beside it. Needs no torch."""

from __future__ import annotations

import contextlib
import glob
import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from derainers.errors import DerainerError
from derainers.shards import card_file, weights_sha256

FIELDS = {"trained_on", "sha256", "licence", "note"}
"""A JSON object without one of these is written over by no card."""


def read_card(file: Path, sha256: str | None = None) -> dict[str, Any]:
    """The card beside a weight file (same name, ``.json``), or an empty dict.

    Where the card is that of other weights of this name, which are there, this file has none.

    Args:
        file: The weights.
        sha256: Their digest; a card that names another is of other weights.

    Raises:
        DerainerError: If the card is damaged, or of weights that are not there.
    """
    card = card_file(file)
    content = _content(card) or {}
    named = content.get("sha256")
    if sha256 is None or named in (None, sha256):
        return content
    if _owner(file, named) is not None:
        return {}
    raise DerainerError(
        f"{card} is the card of other weights (sha256 {str(named)[:12]}…, not {sha256[:12]}…): "
        f"write it anew, by {_anew(file, content)} if what it says holds of these too, "
        "or move it away"
    )


def _anew(file: Path, content: Mapping[str, Any]) -> str:
    """The command that says of some weights what the card of others says."""
    trained = content.get("trained_on", {})
    said = []
    for flag, key, form in (("rain", "rain_families", "NAME"), ("data", "datasets", "NAME/SPLIT")):
        names = trained.get(key)
        is_told = isinstance(names, list) and all(isinstance(name, str) for name in names)
        said += [f"--{flag}", (",".join(names) or "none") if is_told else form]
    return shlex.join(["derain-harness", "card", str(file), *said])


def card_to_write(file: Path) -> dict[str, Any]:
    """What a card that is written anew keeps of the one that is there.

    Args:
        file: The weights.

    Raises:
        DerainerError: If what is there is no card, a damaged one, or that of other weights, which
            are there too.
    """
    card = card_file(file)
    content = _content(card)
    if card.exists() and not (content or {}).keys() & FIELDS:
        raise DerainerError(f"{card} is no card: move it away")
    other = _owner(file, (content or {}).get("sha256"))
    if other is not None:
        raise DerainerError(f"{card} is the card of {other.name}: rename that or {file.name}")
    return content or {}


def _content(card: Path) -> dict[str, Any] | None:
    """A card; None where there is none, or what is there is another thing."""
    if not card.is_file():
        return None
    data = card.read_bytes()
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and isinstance(content.get("trained_on", {}), dict):
        return content
    if b'"trained_on"' in data:
        raise DerainerError(f"{card}: damaged: expected an object with an object 'trained_on'")
    return None


def _owner(file: Path, sha256: Any) -> Path | None:
    """The other weights with the same place for a card that have a digest."""
    card = card_file(file)
    for other in sorted(card.parent.glob(f"{glob.escape(card.stem)}*")):
        is_another = other not in (file, card) and (other.is_file() or other.is_dir())
        if is_another and card_file(other) == card:
            with contextlib.suppress(OSError, DerainerError):
                if weights_sha256(other) == sha256:
                    return other
    return None


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
