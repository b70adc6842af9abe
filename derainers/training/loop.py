"""The training loop: from crops and a recipe to weights, by way of a checkpoint."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.training.data import Crops, Group, loader
from derainers.training.learner import Checkpoint, Learner, Means
from derainers.training.own import in_one_line
from derainers.training.recipes import Plateau
from derainers.training.state import Count, Row, State

VALIDATED_AT_LEAST_EVERY_STEPS = 500
SAVED_AT_LEAST_EVERY_S = 300
ON_CPU = Means()
"""The processor alone, in single floats."""


class OutOfTimeError(Exception):
    """A validation was broken off: the training has no more time."""


@dataclass(frozen=True)
class Trained:
    """Where a training ended."""

    network: nn.Module
    """The best by the validation, averaged where the recipe says so."""
    state: State
    """With all rows of the curve, and what it ran on."""
    lacks_scores: bool = False
    """Whether the validation of the step where it ended was broken off: going on makes it up."""


def train(
    derainer: Derainer,
    crops: Crops,
    checkpoint: Checkpoint,
    validate: Callable[[Derainer], Mapping[str, float]],
    told: Callable[[Row], None] = lambda _: None,
    stop: Callable[[int, float], bool] = lambda *_: False,
    means: Means = ON_CPU,
) -> Trained:
    """Train a derainer, or go on from its checkpoint.

    Args:
        derainer: Network with its convention; trained in place.
        crops: What it sees, with recipe and number of steps.
        checkpoint: Where it is kept, at every validation and at least every
            `SAVED_AT_LEAST_EVERY_S`.
        validate: Scores of a derainer; the first one chooses the best weights, higher is better.
            It may raise `OutOfTimeError`, and the training then ends there without them; where it
            goes on, it begins with them.
        told: Told of every row of the curve once it is in the checkpoint; of those that a
            checkpoint brings, first.
        stop: Told of every step (its number from 1, its loss), whether to end there; the checkpoint
            is then written.
        means: Device, number format, processes.

    Returns:
        The weights that the validation chose. Of several processes all end where one does, the
        first validates and writes, and is told.

    Raises:
        DerainerError: If the loss becomes NaN or infinite, or a process that makes crops ends;
            the last checkpoint stays as it is.
    """
    learner = Learner(derainer, crops, means)
    state = learner.restored(checkpoint.file) if learner.finds(checkpoint.file) else State()
    for row in state.rows:
        told(row)
    count = Count(crops, state, means.hardware, means.dtype)
    course = _Course(learner, state, count, crops, checkpoint, validate, told, means.is_own)
    source = iter(loader(crops, state.step, means.workers, *learner.place))
    try:
        goes_on = course.is_validated() if course.lacks_scores() else True
        while goes_on and state.step < crops.steps:
            loss = course.step(source)
            ends = learner.any_of(stop(state.step, loss))
            if course.lacks_scores():
                goes_on = course.is_validated() and not ends
            elif ends or learner.any_of(count.uncounted_s > SAVED_AT_LEAST_EVERY_S):
                course.save()
                goes_on = not ends
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
    return Trained(learner.best(), state, course.lacks_scores())


@dataclass(frozen=True)
class _Course:
    """The steps of a training and its validations."""

    learner: Learner
    state: State
    count: Count
    crops: Crops
    checkpoint: Checkpoint
    validate: Callable[[Derainer], Mapping[str, float]]
    told: Callable[[Row], None]
    is_own: bool

    def step(self, source: Iterator[list[Group] | Exception]) -> float:
        """Make the next step; gives its loss."""
        groups, number = _next(source, self.learner, self.count), self.state.step + 1
        with in_one_line(f"step {number}, {_sizes(groups)},", self.is_own):
            loss = self.learner.step(groups, self.state)
        if not math.isfinite(loss):
            raise DerainerError(
                f"loss or gradient became {loss} at step {number}: the last checkpoint "
                f"stays in {self.checkpoint.file.parent}; train in fp32, or from another seed"
            )
        self.state.losses.append(loss)
        self.state.step = number
        return loss

    def lacks_scores(self) -> bool:
        """Whether the step that was made last is followed by a validation, which was not made."""
        step, rows = self.state.step, self.state.rows
        is_due = _validations(self.crops, self.learner.steps_per_epoch)
        is_row = step > 0 and (is_due(step) or step == self.crops.steps)
        return is_row and (not rows or rows[-1].step < step)

    def is_validated(self) -> bool:
        """Validate, and save; False where there was no time for it."""
        with in_one_line(f"the validation at step {self.state.step}", self.is_own):
            scores = _scores(self.learner, self.validate, self.state)
        if scores is not None:
            epoch = self.crops.recipe.epoch(self.state.step, self.crops.steps)
            self.count.row(self.learner.learning_rate, epoch, scores)
        self.save()
        if scores is not None:
            self.told(self.state.rows[-1])
        return scores is not None

    def save(self) -> None:
        """Keep all that going on needs."""
        self.count.count()
        self.learner.save(self.checkpoint, self.state)


def _sizes(groups: list[Group]) -> str:
    """Which crops a step sees, in words."""
    return " and ".join(
        f"{len(rainy)} crop{'s' * (len(rainy) != 1)} of {rainy.shape[3]}x{rainy.shape[2]}"
        for rainy, _ in groups
    )


def _next(source: Iterator[list[Group] | Exception], learner: Learner, count: Count) -> list[Group]:
    """The crops of the next step; what is wrong with them ends all processes."""
    asked = time.monotonic()
    groups = next(source)
    is_wrong = isinstance(groups, Exception)
    if learner.any_of(is_wrong):
        if isinstance(groups, Exception):
            raise groups
        raise DerainerError("a photograph could not be read by another process of this training")
    assert not isinstance(groups, Exception)
    count.waited(asked, sum(len(rainy) for rainy, _ in groups) * learner.place[1])
    return groups


def _clear_frames(error: BaseException | None) -> None:
    """Let go of what the frames hold that an error, and what it came of, passed."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _scores(
    learner: Learner, validate: Callable[[Derainer], Mapping[str, float]], state: State
) -> Mapping[str, float] | None:
    """What the validation gives; None where there is no time for it."""

    def in_time(derainer: Derainer) -> Mapping[str, float] | None:
        try:
            return validate(derainer)
        except OutOfTimeError:
            return None

    return learner.validated(in_time, state)


def _validations(crops: Crops, steps_per_epoch: int) -> Callable[[int], bool]:
    """Whether a step is followed by a validation.

    After so many crops where the recipe says so, else after whole epochs, after each where the
    decay needs that.
    """
    recipe = crops.recipe
    if recipe.validated_every_crops is not None:
        every_crops = recipe.validated_every_crops
        return lambda step: crops.seen(step) // every_crops > crops.seen(step - 1) // every_crops
    every = steps_per_epoch
    if not isinstance(recipe.decay, Plateau):
        epochs = max(1, round(VALIDATED_AT_LEAST_EVERY_STEPS / steps_per_epoch))
        every = min(epochs * steps_per_epoch, VALIDATED_AT_LEAST_EVERY_STEPS)
    return lambda step: step % every == 0
