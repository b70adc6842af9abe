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
    is_done: bool
    """False where it was stopped before its last step."""


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
            It may raise `OutOfTimeError`, and the training then ends there without them.
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
    is_due = _validations(crops, learner.steps_per_epoch)
    count = Count(crops, state, means.hardware, means.dtype)
    source = iter(loader(crops, state.step, means.workers, *learner.place))
    try:
        while state.step < crops.steps:
            groups = _next(source, learner, count)
            loss = learner.step(groups, state)
            if not math.isfinite(loss):
                raise DerainerError(
                    f"loss or gradient became {loss} at step {state.step + 1}: the last checkpoint "
                    f"stays in {checkpoint.file.parent}; train in fp32, or from another seed"
                )
            state.losses.append(loss)
            state.step += 1
            is_last = state.step == crops.steps
            ends = learner.any_of(stop(state.step, loss))
            is_row = is_due(state.step) or is_last
            scores = _scores(learner, validate, state) if is_row else None
            if scores is not None:
                epoch = state.step / learner.steps_per_epoch
                count.row(learner.learning_rate, epoch, scores)
            if is_row or ends or learner.any_of(count.uncounted_s > SAVED_AT_LEAST_EVERY_S):
                count.count()
                learner.save(checkpoint, state)
            if scores is not None:
                told(state.rows[-1])
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
    return Trained(learner.best(), state, state.step == crops.steps)


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
