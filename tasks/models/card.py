"""What a file does not say about its network stands in a card beside it, ``FILE.json``."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tasks.task import TaskError

Resize = Literal["letterbox", "stretch", "none"]
RESIZES: tuple[Resize, ...] = get_args(Resize)


@dataclass(frozen=True)
class Card:
    """What a card says; None = nothing of it."""

    classes: list[str] | None = None
    """Names, in the order of the network's numbers."""
    layout: str | None = None
    """Form of the outputs, see `tasks.models.layouts.LAYOUTS`."""
    imgsz: tuple[int, int] | None = None
    """Height and width in pixels at which pictures are seen."""
    resize: Resize | None = None
    """How they are brought to that size."""
    mean: tuple[float, float, float] | None = None
    """Subtracted from each channel, in [0, 1]."""
    std: tuple[float, float, float] | None = None
    """What each channel is then divided by."""
    channels: Literal["rgb", "bgr"] = "rgb"


def card_of(file: Path) -> Path:
    """Where the card of a file lies."""
    return file.with_name(file.name + ".json")


def read_card(file: Path) -> Card:
    """The card beside a file, an empty one where there is none.

    Other keys are left alone: ``train`` writes where the weights came from.

    Raises:
        TaskError: If it is damaged or a value is impossible, with what is expected.
    """
    path = card_of(file)
    if not path.is_file():
        return Card()
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path.name}: not JSON: {str(error)[:80]}") from error
    if not isinstance(said, dict):
        raise TaskError(f'{path.name}: expected {{"classes": ["name", …]}}')

    def taken(key: str, read: Any, expected: str) -> Any:
        if said.get(key) is None:
            return None
        value = read(said[key])
        if value is None:
            raise TaskError(f'{path.name}: expected "{key}": {expected}')
        return value

    return Card(
        classes=taken("classes", names_by_number, '["name", …]'),
        layout=taken("layout", lambda v: v if isinstance(v, str) else None, "a name"),
        imgsz=taken("imgsz", _size, "640 or [height, width]"),
        resize=taken("resize", lambda v: v if v in RESIZES else None, " | ".join(RESIZES)),
        mean=taken("mean", _three, "[r, g, b] in [0, 1]"),
        std=taken("std", _three, "[r, g, b] in [0, 1]"),
        channels=taken("channels", lambda v: v if v in ("rgb", "bgr") else None, "rgb | bgr")
        or "rgb",
    )


def names_by_number(value: Any) -> list[str] | None:
    """Names in their numbers' order: of a list, or of a dict whose keys are 0, 1, 2 … in any order.

    Text is read as JSON or as a Python literal, which is how exporters write a dict. None of
    anything else, of a gap and of a name that is no text.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return None
    if isinstance(value, dict):
        try:
            by_number = {int(key): name for key, name in value.items()}
        except (ValueError, TypeError):
            return None
        if len(by_number) != len(value) or sorted(by_number) != list(range(len(by_number))):
            return None
        value = [by_number[i] for i in range(len(by_number))]
    fits = isinstance(value, list) and bool(value) and all(isinstance(n, str) for n in value)
    return value if fits else None


def named_classes(file: Path, card: Card, said: Sequence[str] | None) -> list[str]:
    """The classes of a network: its card's, else those that its file names.

    Raises:
        TaskError: If neither names them.
    """
    names = card.classes or list(said or ())
    if not names:
        raise TaskError(
            f"{file.name}: its classes are not named: name them in {card_of(file).name}, "
            '{"classes": ["name", …]}, in the order of the network\'s numbers'
        )
    return names


def _size(value: Any) -> tuple[int, int] | None:
    sides = value if isinstance(value, list) else [value, value]
    fits = len(sides) == 2 and all(type(s) is int and 0 < s <= 1 << 14 for s in sides)
    return (sides[0], sides[1]) if fits else None


def _three(value: Any) -> tuple[float, float, float] | None:
    fits = isinstance(value, list) and len(value) == 3
    if not fits or not all(isinstance(v, int | float) and abs(v) <= 255 for v in value):
        return None
    return float(value[0]), float(value[1]), float(value[2])
