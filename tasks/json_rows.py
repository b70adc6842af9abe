"""The elements of one long JSON list, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.task import TaskError

LARGEST_BYTES = 2_000_000_000
LISTS = ("frames", "annotations")
"""Keys under which an object holds the list: of BDD100K's frames, of COCO's objects."""
_BLANK = " \t\r\n"


def json_rows(file: Path) -> Iterator[Any]:
    """The elements of a file that holds one JSON list, alone or under one of `LISTS`.

    Raises:
        TaskError: If it is too large, no JSON, or holds no such list.
    """
    text = _text(file)
    at = _next(text, 0)
    if text[at : at + 1] == "{":
        yield from _listed(file, text)
        return
    if text[at : at + 1] != "[":
        raise TaskError(f"{file.name}: expected a list of COCO results or of BDD100K's frames")
    at = _next(text, at + 1)
    while text[at : at + 1] != "]":
        row, at = _decoded(file, text, at)
        yield row
        at = _next(text, at)
        if text[at : at + 1] == ",":
            at = _next(text, at + 1)
        elif text[at : at + 1] != "]":
            raise TaskError(f"{file.name}: not a JSON file (it ends early at character {at})")
    if _next(text, at + 1) < len(text):
        raise TaskError(f"{file.name}: not a JSON file (more follows after its list)")


def shown(value: Any) -> str:
    """A value for a message: short, and none of a deep structure."""
    if isinstance(value, list):
        return f"[{', '.join(shown(v) for v in value[:4] if not isinstance(v, list | dict))}]"
    return repr(value)[:60] if isinstance(value, int | float | str) else type(value).__name__


def _text(file: Path) -> str:
    """What stands in the file, without a mark of its byte order."""
    if not file.is_file():
        raise TaskError(f"{file}: no such file")
    if file.stat().st_size > LARGEST_BYTES:
        raise TaskError(
            f"{file.name}: {file.stat().st_size / 1e9:.1f} GB, at most {LARGEST_BYTES / 1e9:g} GB "
            "are read: leave out boxes of low score"
        )
    data = file.read_bytes()
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise TaskError(f"{file.name}: not a JSON file") from error


def _listed(file: Path, text: str) -> list[Any]:
    """The list that an object holds under one of `LISTS`."""
    content, at = _decoded(file, text, _next(text, 0))
    if _next(text, at) < len(text):
        raise TaskError(f"{file.name}: not a JSON file (more follows after its object)")
    found = [content[key] for key in LISTS if isinstance(content.get(key), list)]
    if not found:
        raise TaskError(
            f"{file.name}: expected a list of COCO results or of BDD100K's frames, got an object "
            f"without {' or '.join(LISTS)}"
        )
    rows: list[Any] = found[0]
    return rows


def _decoded(file: Path, text: str, at: int) -> tuple[Any, int]:
    """The JSON value that begins at a place, and where it ends."""
    try:
        return json.JSONDecoder(parse_constant=float).raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        reason = "nested too deep" if deep else " ".join(str(error).split())[:100]
        raise TaskError(f"{file.name}: not a JSON file ({reason})") from error


def _next(text: str, at: int) -> int:
    """The next place that is not blank."""
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
