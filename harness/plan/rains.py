"""The rains that words of a spec name."""

from __future__ import annotations

from datasets.rain import RAINS, Rain, RainError, parse
from harness.spec import UsageError, known


def rains_of(word: str) -> list[tuple[str, Rain | None]]:
    """The rains that one word of ``--rain`` names, by the name in records.

    Raises:
        UsageError: For an unknown name or key, or a value out of its range.
    """
    known(word.partition(":")[0], RAINS, "rain", "given", "none")
    if word in {"given", "none"}:
        return [(word, None)]
    try:
        return list(parse(word))
    except RainError as error:
        raise UsageError(str(error)) from error
