"""The rains that words of a spec name."""

from __future__ import annotations

from collections.abc import Mapping

from datasets import Dataset
from datasets.rain import RAINS, Rain, RainError, base_of, needs_depth, parse
from harness.spec import UsageError, known


def rains_of(word: str) -> list[tuple[str, Rain | None]]:
    """The rains that one word of ``--rain`` names, by the name in records.

    Raises:
        UsageError: For an unknown name or key, or a value out of its range.
    """
    known(base_of(word), RAINS, "rain", "given", "none")
    if word in {"given", "none"}:
        return [(word, None)]
    try:
        return list(parse(word))
    except RainError as error:
        raise UsageError(str(error)) from error


def require_depth(rains: Mapping[str, Rain], dataset: Dataset) -> None:
    """Refuse rains that need distances where an image has none.

    Raises:
        UsageError: Naming the first such rain and image.
    """
    lacking = next((s.id for s in dataset.samples if not s.has_depth), None)
    name = next((name for name, rain in rains.items() if needs_depth(rain)), None)
    if lacking is not None and name is not None:
        raise UsageError(
            f"--rain {name}: wet ground needs distances, image {lacking} has none: give --depth "
            "DIR, or a data set that has them (streetsim, carla), or leave +wet out"
        )
