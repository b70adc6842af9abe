"""Folders that the harness wrote are never data: a file in them says so."""

from __future__ import annotations

from pathlib import Path

MARKER = ".derain-harness"
"""Name of that file."""
LINE = "derain-harness wrote this folder: nothing in it or below it is data."


def mark(folder: Path) -> None:
    """Say of a folder that it is no data; what stands there already stays."""
    file = folder / MARKER
    if not file.exists():
        file.write_text(LINE + "\n", encoding="utf-8")


def is_marked(folder: Path) -> bool:
    """Whether the harness wrote a folder."""
    return (folder / MARKER).is_file()
