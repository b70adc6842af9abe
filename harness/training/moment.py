"""Where a training stands, for whoever waits for it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

LOSSES = 50
"""The loss that is shown is the mean of so many steps: that of one tells of its crops."""


@dataclass(frozen=True)
class Moment:
    """One moment of a training."""

    name: str
    done: int
    total: int
    unit: str
    """What is counted: ``step`` or ``epoch``."""
    loss: float | None
    gain_db: float | None
    """What the best validation so far gained over the rainy input."""
    left_s: float | None
    """Until the end of the training, or of its minutes."""

    def line(self) -> str:
        """All of it on one line."""
        said = [f"{self.name}: {self.unit} {self.done:,} of {self.total:,}"]
        said += [] if self.loss is None else [f"loss {self.loss:.4f}"]
        said += [] if self.gain_db is None else [f"validation {self.gain_db:+.2f} dB"]
        said += [] if self.left_s is None else [f"{duration(self.left_s)} left"]
        return ", ".join(said)


def duration(seconds: float) -> str:
    """As people say it: ``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


class Clock:
    """Estimates how long a training still takes by the work that was done since it began here."""

    def __init__(self, total: float, until: float | None) -> None:
        """Begin.

        Args:
            total: The work of the whole training, in any unit.
            until: When it ends in any case, by the monotonic clock.
        """
        self._total, self._until = total, until
        self._first: tuple[float, float] | None = None
        self._losses: deque[float] = deque(maxlen=LOSSES)

    def loss(self, loss: float) -> float:
        """The mean of the last steps."""
        self._losses.append(loss)
        return sum(self._losses) / len(self._losses)

    def left_s(self, done: float) -> float | None:
        """Seconds to the end; None before there is anything to go by."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
        began, already = self._first
        bounds = [] if self._until is None else [max(0.0, self._until - now)]
        if done > already:
            bounds.append((self._total - done) * (now - began) / (done - already))
        return min(bounds, default=None)
