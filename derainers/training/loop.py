"""The training loop: from crops and a recipe to weights, by way of a checkpoint."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.training.data import Crops, Group, loader
from derainers.training.learner import Learner, Means, State
from derainers.training.recipes import Plateau

VALIDATED_AT_LEAST_EVERY_STEPS = 500
ON_CPU = Means()
"""The processor alone, in single floats."""


class OutOfTimeError(Exception):
    """A validation was broken off: the training has no more time."""


@dataclass(frozen=True)
class Row:
    """One row of the curve: what happened since the row before."""

    step: int
    epoch: float
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


@dataclass(frozen=True)
class Trained:
    """Where a training ended."""

    network: nn.Module
    """The best by the validation, averaged where the recipe says so."""
    steps: int
    is_done: bool
    """False where it was stopped before its last step."""
    best: float
    """The validation's score of these weights."""
    spent_s: float
    """Time since the last row."""


def train(
    derainer: Derainer,
    crops: Crops,
    checkpoint: Path,
    validate: Callable[[Derainer], Mapping[str, float]],
    told: Callable[[Row], None] = lambda _: None,
    stop: Callable[[int], bool] = lambda _: False,
    means: Means = ON_CPU,
    note: Callable[[Path], None] = lambda _: None,
) -> Trained:
    """Train a derainer, or go on from its checkpoint.

    Args:
        derainer: Network with its convention; trained in place.
        crops: What it sees, with recipe and number of steps.
        checkpoint: PyTorch file with everything that going on needs; written at every validation.
        validate: Scores of a derainer; the first one chooses the best weights, higher is better.
            It may raise `OutOfTimeError`, and the training then ends there without them.
        told: Told of every row of the curve once it is in the checkpoint.
        stop: Told of every step (its number from 1), whether to end there; the checkpoint is then
            written.
        means: Device, number format, processes.
        note: Told of a new checkpoint before it takes the old one's place.

    Returns:
        The weights that the validation chose.

    Raises:
        DerainerError: If the loss becomes NaN or infinite, or a process that makes crops ends;
            the last checkpoint stays as it is.
    """
    learner = Learner(derainer, crops, means)
    state = learner.restored(checkpoint) if checkpoint.is_file() else State()
    every = _validated_every(crops, learner.steps_per_epoch)
    stretch = _Stretch()
    source = iter(loader(crops, state.step, means.workers, *learner.place))
    try:
        while state.step < crops.steps:
            groups = stretch.waited_for(source)
            if isinstance(groups, Exception):
                raise groups
            loss = learner.step(groups, state)
            if not math.isfinite(loss):
                raise DerainerError(
                    f"the loss became {loss} at step {state.step + 1}: the checkpoint of the last "
                    f"validation stays in {checkpoint.parent}; train in fp32, or from another seed"
                )
            state.losses.append(loss)
            state.step += 1
            is_last = state.step == crops.steps
            ends = stop(state.step)
            is_row = state.step % every == 0 or is_last
            scores = _scores(learner, validate, state) if is_row else None
            if scores is not None:
                row = stretch.row(learner, state, scores)
                state.losses, state.spent_s = [], 0.0
                learner.save(checkpoint, state, note)
                told(row)
                stretch = _Stretch()
            elif ends or is_row:
                state.spent_s += stretch.elapsed_s
                learner.save(checkpoint, state, note)
            if (ends or (is_row and scores is None)) and not is_last:
                break
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DerainerError(
            "a process that makes crops was ended from outside, by a lack of memory perhaps: take "
            "fewer --workers; the same command goes on from the last checkpoint"
        ) from error
    finally:
        # Its workers end with it; an error keeps the frames that it passed, and what they hold.
        _clear_frames(sys.exception())
        del source
    is_done = state.step == crops.steps
    return Trained(learner.best(), state.step, is_done, state.best, state.spent_s)


class _Stretch:
    """What is counted from one row of the curve to the next."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._waited_s = 0.0
        self._images = 0

    def waited_for(self, source: Iterator[list[Group] | Exception]) -> list[Group] | Exception:
        """The crops of the next step, or what is wrong with them."""
        asked = time.monotonic()
        groups = next(source)
        self._waited_s += time.monotonic() - asked
        if isinstance(groups, Exception):
            return groups
        self._images += sum(len(rainy) for rainy, _ in groups)
        return groups

    @property
    def elapsed_s(self) -> float:
        """Time since the last row, in this process."""
        return time.monotonic() - self._began

    def row(self, learner: Learner, state: State, scores: Mapping[str, float]) -> Row:
        """The row that ends the stretch."""
        elapsed_s = self.elapsed_s
        return Row(
            step=state.step,
            epoch=state.step / learner.steps_per_epoch,
            learning_rate=learner.learning_rate,
            loss=sum(state.losses) / len(state.losses),
            images_per_s=self._images * learner.place[1] / elapsed_s,
            waiting_share=self._waited_s / elapsed_s,
            elapsed_s=state.spent_s + elapsed_s,
            scores=dict(scores),
        )


def _clear_frames(error: BaseException | None) -> None:
    """Let go of what the frames hold that an error, and what it came of, passed."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _scores(
    learner: Learner, validate: Callable[[Derainer], Mapping[str, float]], state: State
) -> Mapping[str, float] | None:
    """What the validation gives; None where there is no time for it."""
    try:
        return learner.validated(validate, state)
    except OutOfTimeError:
        return None


def _validated_every(crops: Crops, steps_per_epoch: int) -> int:
    """Steps from one validation to the next: whole epochs, one where the decay needs each."""
    if isinstance(crops.recipe.decay, Plateau):
        return steps_per_epoch
    epochs = max(1, round(VALIDATED_AT_LEAST_EVERY_STEPS / steps_per_epoch))
    return min(epochs * steps_per_epoch, VALIDATED_AT_LEAST_EVERY_STEPS)
