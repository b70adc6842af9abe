"""The manifest beside rainy images: which rain and seed made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.spec import UsageError

MANIFEST = "manifest.jsonl"
"""First line: rain, seed and format; then one line per image."""
LONGEST_LINE = 2**20


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """First line of a folder's manifest; None where it has none.

    Raises:
        UsageError: If there is one that `synthesize` did not write.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", errors="replace") as lines:
        return head_of(lines.readline(LONGEST_LINE), file)


def head_of(line: str, file: Path) -> dict[str, Any]:
    """A manifest's first line.

    Raises:
        UsageError: If it is none.
    """
    try:
        content = json.loads(line)
        if isinstance(content, dict) and {"rain_sha256", "seed"} <= content.keys():
            return content
    except (ValueError, RecursionError):
        pass
    raise UsageError(f"{file} is no manifest of synth: name another folder")
