"""The card of a weight file: how it came about, in JSON beside it. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from derainers.errors import DerainerError
from derainers.shards import card_file


def read_card(file: Path) -> dict[str, Any]:
    """The card beside a weight file (same name, ``.json``), or an empty dict.

    Raises:
        DerainerError: If the card is no JSON object.
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
    return content
