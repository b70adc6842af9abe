"""What goes on from one step of a training to the next beside networks and optimisers."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from derainers.training.data import Crops


@dataclass(frozen=True)
class Row:
    """One row of the curve: what happened since the row before."""

    step: int
    epoch: float
    crops: int
    """Crops seen so far, see `Crops.seen`."""
    learning_rate: float
    loss: float
    """Mean over the steps since the last row."""
    images_per_s: float
    waiting_share: float
    """Share of the time in which the network waited for crops."""
    elapsed_s: float
    """Time since the last row; rates and shares are those of this process alone."""
    scores: dict[str, float]
    """What the validation gave."""


@dataclass
class Leg:
    """What a training did on one machine in one number format."""

    hardware: str
    dtype: str
    steps: int = 0
    crops: int = 0
    seconds: float = 0.0


@dataclass
class State:
    """What goes on from one step to the next; in the checkpoint."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    """Since the last row."""
    best: float = -math.inf
    """Highest score of a validation so far."""
    factor: float = 1.0
    """What `Plateau` multiplies the learning rate by."""
    since: int = 0
    """Validations since the last rise."""
    spent_s: float = 0.0
    """Time since the last row."""
    rows: list[Row] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)

    @staticmethod
    def of(plain: Mapping[str, Any]) -> State:
        """From what `plain` gave."""
        rows = [Row(**row) for row in plain["rows"]]
        return State(**{**plain, "rows": rows, "legs": [Leg(**leg) for leg in plain["legs"]]})


class Count:
    """Counts time, crops and waiting into a training's state."""

    def __init__(self, crops: Crops, state: State, hardware: str, dtype: str) -> None:
        """Go on with the last leg, or begin one where hardware or number format are others."""
        self._crops, self._state = crops, state
        last = state.legs[-1] if state.legs else None
        if last is None or (last.hardware, last.dtype) != (hardware, dtype):
            state.legs.append(Leg(hardware, dtype))
        self._step = state.step
        self._began = self._counted = time.monotonic()
        self._waited_s, self._images = 0.0, 0

    def waited(self, since: float, images: int) -> None:
        """Crops came that were waited for since a time of the monotonic clock."""
        self._waited_s += time.monotonic() - since
        self._images += images

    @property
    def uncounted_s(self) -> float:
        """Time that the state does not know of yet."""
        return time.monotonic() - self._counted

    def count(self) -> None:
        """Bring the state up to now."""
        now, state, leg = time.monotonic(), self._state, self._state.legs[-1]
        state.spent_s += now - self._counted
        leg.seconds += now - self._counted
        leg.steps += state.step - self._step
        leg.crops += self._crops.seen(state.step) - self._crops.seen(self._step)
        self._counted, self._step = now, state.step

    def row(self, learning_rate: float, epoch: float, scores: Mapping[str, float]) -> Row:
        """End a stretch of the curve by a row, which is in the state then."""
        self.count()
        state, elapsed_s = self._state, max(time.monotonic() - self._began, 1e-9)
        row = Row(
            step=state.step,
            epoch=epoch,
            crops=self._crops.seen(state.step),
            learning_rate=learning_rate,
            loss=sum(state.losses) / len(state.losses),
            images_per_s=self._images / elapsed_s,
            waiting_share=self._waited_s / elapsed_s,
            elapsed_s=state.spent_s,
            scores=dict(scores),
        )
        state.rows.append(row)
        state.losses, state.spent_s = [], 0.0
        self._began, self._waited_s, self._images = time.monotonic(), 0.0, 0
        return row
