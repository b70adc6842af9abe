"""The card of a weight file: how it came about, in JSON beside it. Needs no torch."""

from __future__ import annotations

import json
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
