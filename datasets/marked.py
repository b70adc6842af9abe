"""What lies in a folder of data and is none: what the harness wrote there, and hidden files.

A file in them says so of folders that the harness wrote. A copy of a data set is data by itself,
but none of a folder around it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

MARKER = ".derain-harness"
"""Name of that file."""
LINE = "derain-harness wrote this folder: nothing in it or below it is data."

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
"""Endings of image files."""


def mark(folder: Path) -> None:
    """Say of a folder that it is no data; what stands there already stays."""
    file = folder / MARKER
    if not file.exists():
        file.write_text(LINE + "\n", encoding="utf-8")


def is_marked(folder: Path) -> bool:
    """Whether the harness wrote a folder."""
    return (folder / MARKER).is_file()


def why_not(folder: Path) -> str | None:
    """Why a folder must not be marked, in words: a user's images in it would be no data any more.

    Returns:
        None where it is marked already, or holds no image itself.
    """
    if is_marked(folder) or not folder.is_dir():
        return None
    images = (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file())
    first = min((f.name for f in images), default=None)
    if first is None:
        return None
    return f"{folder} holds images ({first}), which would be no data then: name another folder"


HIDDEN = ("@eaDir", "#recycle", "$RECYCLE.BIN")
"""Folders without a dot in which desktops and servers keep thumbnails and what is deleted."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name was put there by a system, and is not shown in it."""
    return name.startswith(".") or name in HIDDEN


def shown(files: Iterable[Path], folder: Path) -> list[Path]:
    """Those below a folder that are not hidden there, sorted; the folder itself may be."""
    return sorted(f for f in files if not any(map(is_hidden, f.relative_to(folder).parts)))


MANIFEST = "manifest.jsonl"
"""Name of a copy's list. First line: rain, seed and format; then one line per image."""
HEAD = frozenset({"rain", "rain_sha256", "seed"})
"""What its first line says at least."""
LONGEST_LINE = 2**20


def is_copy(folder: Path) -> bool:
    """Whether the harness wrote a folder's images: as a rainy, derained or saved copy."""
    try:
        with (folder / MANIFEST).open(encoding="utf-8", errors="replace") as lines:
            head = json.loads(lines.readline(LONGEST_LINE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(head, dict) and head.keys() >= HEAD
