"""Fields of label files, read strictly: every error names file, entry, field and what was found."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from datasets.image import UnreadableImageError
from datasets.sample import DatasetError

HERE = PurePosixPath()
MAX_NAME_BYTES = 255
Problems = list[str]
"""Errors that a check collects, where a reader would stop at the first."""
NO_NUMBER = "is not a number"
NO_OUTLINE = "is a box without an outline: good for detection, not for instances"
"""How the error of an object ends that is right but for the mask that it has not."""


class told:
    """Puts the error of one entry into the list; lets it rise where there is none."""

    # A class takes a fifth of a generator's time, and files have a million entries.
    def __init__(self, problems: Problems | None) -> None:
        """Take the list."""
        self._problems = problems

    def __enter__(self) -> None:
        """Begin with the entry."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Say whether the error is in the list now."""
        if self._problems is None or not isinstance(error, DatasetError | UnreadableImageError):
            return False
        self._problems.append(str(error))
        return True


def nothing_read(problems: Problems | None, said: str) -> DatasetError:
    """Why no entry of a set is left: what is wrong with the first, or ``said`` of none at all."""
    if not problems:
        return DatasetError(said)
    more = f"; none of {len(problems):,} entries can be read" if len(problems) > 1 else ""
    return DatasetError(f"{problems[0]}{more}")


def read_json(file: Path, problems: Problems | None = None) -> Any:
    """The content of a JSON file; NaN and Infinity are refused, or words for who collects problems.

    Raises:
        DatasetError: If it is no JSON, or nested too deep.
    """
    constant: Callable[[str], Any] = _refuse_constant if problems is None else str
    try:
        return json.loads(file.read_bytes(), parse_constant=constant)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError too
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        is_whole = reason.endswith(NO_NUMBER)
        remedy = "check-data names the entries" if is_whole else "download it again"
        raise DatasetError(f"{file}: not a JSON file ({reason}): {remedy}") from error


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} {NO_NUMBER}")


def field(entry: Any, key: str, where: str) -> Any:
    """A required field of one entry."""
    if not isinstance(entry, dict):
        raise DatasetError(f"{where}: expected an object, got {type(entry).__name__}")
    if key not in entry:
        raise DatasetError(f"{where}: the key '{key}' is missing")
    return entry[key]


def integer(entry: Any, key: str, where: str) -> int:
    """A required integer."""
    value = field(entry, key, where)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise DatasetError(f"{where}: '{key}' must be an integer, got {str(value)[:60]!r}")
    return value


def real(entry: Any, key: str, where: str) -> float:
    """A required finite number."""
    value = field(entry, key, where)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) < 1e15:
        raise DatasetError(f"{where}: '{key}' must be a finite number, got {str(value)[:60]!r}")
    return float(value)


def text(entry: Any, key: str, where: str) -> str:
    """A required string."""
    value = field(entry, key, where)
    if not isinstance(value, str):
        raise DatasetError(f"{where}: '{key}' must be a string, got {type(value).__name__}")
    return value


def is_too_long(path: PurePosixPath) -> bool:
    """Whether no file can have the name: asking the disk for it would be an error."""
    return any(len(part.encode(errors="replace")) > MAX_NAME_BYTES for part in path.parts)


def inner_path(entry: Any, key: str, where: str, base: PurePosixPath = HERE) -> PurePosixPath:
    """A required file name as a path inside a folder, refused where it leaves that.

    Args:
        entry: What holds it.
        key: Its key; back-slashes are slashes.
        where: What to call the entry in an error.
        base: The place inside the folder that the name starts from.
    """
    path = PurePosixPath(text(entry, key, where).replace("\\", "/"))
    if not path.parts or "\0" in str(path):
        raise DatasetError(f"{where}: '{key}' is empty or holds a null character")
    if is_too_long(path):
        raise DatasetError(f"{where}: {key} {str(path)[:60]!r}… is too long for a file's name")
    inner = PurePosixPath(posixpath.normpath(base / path))
    if path.is_absolute() or ":" in path.parts[0] or inner.parts[:1] in ((), ("..",)):
        raise DatasetError(
            f"{where}: {key} {str(path)!r} leaves the image folder: write it from there"
        )
    return inner
