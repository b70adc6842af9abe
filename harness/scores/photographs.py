"""What images are drawn with: their drive or scene, and those that show the same photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Raised whenever other images are held to be alike."""
SHOWN = 3
"""Pairs of alike images that a note names."""


@dataclass(frozen=True)
class Photographs:
    """The groups of a set's images."""

    units: list[str]
    """What each image is drawn with: a group, of those that share a photograph the first."""
    notes: tuple[str, ...] = ()
    """What a reader must know of it."""


def photographs(
    names: Sequence[str], groups: Sequence[str], first: NDArray[np.int64]
) -> Photographs:
    """Groups put together that share a photograph.

    Args:
        names: Of the images.
        groups: Each one's own.
        first: As `datasets.duplicates.first_alike` gives it.
    """
    leader = {group: group for group in groups}

    def found(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    twice = []
    for place, before in enumerate(first):
        ours, theirs = found(groups[place]), found(groups[before])
        if ours != theirs:
            leader[ours] = theirs
            twice.append(f"{names[before]} and {names[place]}")
    if not twice:
        return Photographs(list(groups))
    shown = "; ".join(twice[:SHOWN]) + ("; …" if len(twice) > SHOWN else "")
    note = (
        f"{len(groups):,} images show {len(np.unique(first)):,} photographs: alike ones ({shown}) "
        "are resampled as one"
    )
    return Photographs([found(group) for group in groups], (note,))
