"""Whether boxes were cut at a confidence before they were ranked: AP is of all, however unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.coco_ap import MAX_DETECTIONS
from tasks.task import Evidence

PREFIXES = ("", "mask_")
"""How names in evidence of objects begin, of boxes and of masks."""
FEWEST = 20
"""The lowest of fewer may be high by chance."""
CUT = 0.1
"""torchvision's and detectron2's detectors are cut at 0.05 by their own defaults, with which their
authors measure AP; the lowest of few boxes may lie above that."""


@dataclass(frozen=True)
class Confidences:
    """How many objects are ranked, and the lowest confidence among them."""

    number: int = 0
    lowest: float = 1.0

    @classmethod
    def of(cls, evidences: Sequence[Evidence]) -> Confidences:
        """Those of some images; of none where evidence is not of objects, or without labels.

        Images with as many of one class as are ranked do not count: what is lower there was left
        out by number.
        """
        found = [np.zeros(0)]
        for evidence in evidences:
            for prefix in PREFIXES:
                score, category = f"{prefix}score", f"{prefix}category"
                if {score, category} <= evidence.keys() and _has_room(evidence[category]):
                    found.append(evidence[score])
        every = np.concatenate(found)
        return cls(len(every), float(every.min(initial=1)))

    def __add__(self, other: Confidences) -> Confidences:
        """Those of both."""
        return Confidences(self.number + other.number, min(self.lowest, other.lowest))

    def doubt(self, whose: str, what: str) -> list[str]:
        """What to say where they were cut, if anything.

        Args:
            whose: The network or file that found them.
            what: They are: boxes, masks; nothing where a task ranks nothing.
        """
        if not what or self.number < FEWEST or self.lowest < CUT:
            return []
        return [
            f"{whose}: none of {self.number:,} ranked {what} has a confidence below "
            f"{floor(100 * self.lowest) / 100:g}, so AP is of a ranking that was cut there; export "
            "or predict with conf=0.001 where that can be set"
        ]


def _has_room(categories: NDArray[Any]) -> bool:
    """Whether more of every class would have been ranked."""
    _, counts = np.unique(categories, return_counts=True)
    return bool(counts.max(initial=0) < MAX_DETECTIONS)
