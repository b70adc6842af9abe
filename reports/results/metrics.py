"""What tables must know of a run's tasks and metrics; it travels with the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricRow:
    """One metric of a run."""

    title: str
    """Heading, without the unit."""
    unit: str
    """``fraction`` (in [0, 1]), ``dB``, or ``score`` (a scale of its own)."""
    decimals: int
    """Places after the point in tables."""
    higher_is_better: bool
    caption: str = ""
    """What it computes, where the caption of its task does not say."""
    primary: bool = False
    """Whether verdicts of its task are given on it; true of one metric of a task."""
    is_column: bool = False
    """Whether the main table shows it."""
    is_judged: bool = False
    """Whether ``regress OLD NEW`` judges it unasked."""
    by: Literal["class", "size", "part"] | None = None
    """Whether it is of one class, object size or part of the set alone, and of what kind."""
    label: str = ""
    """That class, size or part."""
    of: str | None = None
    """The metric of the whole set that a part's number belongs to."""

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} [dB]" if self.unit == "dB" else self.title


@dataclass(frozen=True)
class TaskRow:
    """One task of a run, or ``quality``."""

    title: str
    """Begins sentences: ``Detection``."""
    caption: str
    """How the columns of the main table are defined."""
    image_metric: str | None = None
    """The score of a single image; None: that of the primary metric."""
    found: str = ""
    """What is ranked by confidence: boxes, masks."""
    colours: str | None = None
    """What its predictions colour on the page: masks, classes."""
