"""What a number's weights were trained on, as marks beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.results.record import Record

MARKS = {
    "rain": "the derainer was trained on this kind of rain",
    "images": "the derainer was trained on this data set",
    "task-rain": "the task network was trained on this kind of rain",
    "task-images": "the task network was trained on these images",
}
SIGNS = {"rain": "†", "images": "†", "task-rain": "‡", "task-images": "‡"}
"""How a value is marked: † speaks of the derainer, ‡ of the task network."""


def mark(record: Record, marked: set[str]) -> str:
    """† or ‡ where something of a number was trained on what it measures, ? where nobody knows.

    Args:
        record: The number.
        marked: Takes what the mark stands for, so that `marks` can say it below the table.
    """
    marked.update(["unknown"] if record.seen is None else record.seen)
    if record.seen is None:
        return "?"
    return "".join(dict.fromkeys(SIGNS[m] for m in MARKS if m in record.seen))


def mark_of_all(records: Iterable[Record], marked: set[str]) -> str:
    """The marks of a mean: every one that a number of it has."""
    found = "".join(mark(record, marked) for record in records)
    return "".join(sign for sign in "†‡?" if sign in found)


def marks(marked: Collection[str]) -> list[str]:
    """What the marks of a table's values stand for."""
    said = [f"{SIGNS[m]} {MARKS[m]}." for m in MARKS if m in marked]
    unknown = ["? whether the weights were trained on this is not known."]
    return said + (unknown if "unknown" in marked else [])
