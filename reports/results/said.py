"""What is said of a run's numbers in a line: names that it lacks, images that failed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.results.record import ImageError


def unknown(name: str, word: str | None, known: Iterable[str | None]) -> str:
    """That the run holds no such word, and which it does."""
    names = [str(each) for each in known]
    near = difflib.get_close_matches(str(word), names, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"this run has no {name} '{word}'{hint}: known are {', '.join(names) or 'none'}"


def image_count(n: int) -> str:
    """So many images, in words."""
    return "1 image" if n == 1 else f"{n:,} images"


def failures(errors: Sequence[ImageError]) -> str:
    """How many images failed, and why the first did; at least one."""
    first, failed = errors[0], len({error.sample for error in errors})
    said = f"{image_count(failed)} failed, {first.sample} first ({first.stage}): {first.message}"
    return "".join(c if c.isprintable() else " " for c in said)


def failures_of(runs: Mapping[str, Sequence[ImageError]]) -> str:
    """The same of some runs, each by what it is called; empty where no image failed."""
    told = (f"{name} {failures(errors)}" for name, errors in runs.items() if errors)
    return "; ".join(told)
