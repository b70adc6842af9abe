"""Whether classes are numbered as the data set's: others score near 0 without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.error_types import CONFIDENCE, TYPES
from tasks.task import Evidence

FEWEST = 20
"""Of fewer objects on which something was found their classes say nothing."""
SHOWN = 5
"""Of many classes, those that are named."""
_OF_CLASS = TYPES.index("class")
_PREFIXES = ("", "mask_")
"""How names in evidence of objects begin, of boxes and of masks."""


def _no_pixels() -> NDArray[np.int64]:
    return np.zeros((0, 0), np.int64)


@dataclass(frozen=True)
class ClassOrder:
    """How often classes agree with the labels where something was found."""

    right: int = 0
    """Boxes, or masks, on objects of their class."""
    wrong: int = 0
    """On objects of another class."""
    pixels: NDArray[np.int64] = field(default_factory=_no_pixels)
    """Confusion matrix of label maps, see `tasks.confusion`; of objects of nothing."""
    classes: frozenset[int] = frozenset()
    """Of the labelled objects."""

    @classmethod
    def of(cls, evidences: Sequence[Evidence]) -> ClassOrder:
        """That of some images; of none where there are no labels."""
        right = wrong = 0
        pixels, classes = _no_pixels(), set[int]()
        for evidence in evidences:
            for prefix in _PREFIXES:
                if {f"{prefix}errors", f"{prefix}matched"} <= evidence.keys():
                    sure = evidence[f"{prefix}score"].astype(np.float32) >= np.float32(CONFIDENCE)
                    hits = evidence[f"{prefix}matched"][0, 0] & ~evidence[f"{prefix}ignored"][0, 0]
                    right += int((sure & hits).sum())
                    wrong += int(evidence[f"{prefix}errors"][_OF_CLASS])
                    classes |= {*evidence[f"{prefix}truth_category"].tolist()}
            if "confusion" in evidence:
                pixels = _sum(pixels, evidence["confusion"])
        return cls(right, wrong, pixels, frozenset(classes))

    def __add__(self, other: ClassOrder) -> ClassOrder:
        """That of both."""
        pixels, classes = _sum(self.pixels, other.pixels), self.classes | other.classes
        return ClassOrder(self.right + other.right, self.wrong + other.wrong, pixels, classes)

    def doubt(self, whose: str, names: Mapping[int, str]) -> list[str]:
        """What to say where most classes are others than the labels', if anything.

        Args:
            whose: The network or file that found them.
            names: Those of the data set by number.
        """
        total = self.right + self.wrong
        if total >= FEWEST and self.wrong > self.right:
            known = {number: name for number, name in names.items() if number in self.classes}
            return [
                f"{whose}: {self.wrong:,} of {total:,} finds on labelled objects are of another "
                f"class than these: {_remedy(known)}"
            ]
        true, predicted = self._pairs()
        agree, best = self.pixels.trace(), self.pixels[true, predicted].sum()
        # Of a network that finds one class everywhere no order is good.
        if 2 * best < self.pixels.sum() or 2 * agree >= best:
            return []
        return [
            f"{whose}: {agree / self.pixels.sum():.0%} of the pixels are of the labels' classes, "
            f"{best / self.pixels.sum():.0%} would be in another order: {_remedy(names)}"
        ]

    def _pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each true class the predicted one, so that most pixels agree."""
        from scipy.optimize import linear_sum_assignment

        true, predicted = linear_sum_assignment(self.pixels[:, :-1], maximize=True)
        return true, predicted


def _remedy(names: Mapping[int, str]) -> str:
    """How classes are to be numbered."""
    known = ", ".join(f"{number} {name}" for number, name in sorted(names.items())[:SHOWN])
    more = ", …" if len(names) > SHOWN else ""
    return f"see that its classes are numbered or named as the data set's, {known}{more}"


def _sum(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of two matrices, where one may be of nothing."""
    return one + other if one.size and other.size else one if one.size else other
