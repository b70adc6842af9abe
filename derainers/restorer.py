"""What the engine sees of a derainer: ``restore(image, sample_id)``, whatever stands behind it."""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from derainers.errors import DerainerError

FAR = 0.5
"""Values further below 0 or above 1 than this are no overshoot, but of another range."""


class Restorer(Protocol):
    """Anything that restores images: a network, a filter, a folder of files."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Rainy ``uint8 (H, W, 3) RGB`` to ``float32 (H, W, 3) RGB`` in [0, 1], same size.

        What overshoots is cut; ``uint8`` may be returned too, see `restored`.
        """
        ...


class Restored(NamedTuple):
    """An image that a derainer made, and how."""

    image: NDArrayFloat
    """What `Restorer.restore` returns."""
    tile_px: int | None
    """Side of the smallest tiles that it was made of; None = whole."""


class Filter:
    """A classical derainer: a pure function from bytes to bytes."""

    def __init__(self, function: Callable[[NDArrayByte], NDArrayByte]) -> None:
        """Wrap the function, which must leave its argument as it is."""
        self._function = function

    def __deepcopy__(self, memo: dict[int, Any]) -> Filter:
        """The same: it keeps nothing."""
        return self

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Filter one image; division and later rounding give the same bytes back."""
        levels: NDArrayFloat = self._function(image).astype(np.float32) / np.float32(255.0)
        return levels


class Computing(ABC):
    """A derainer that computes with torch, which nothing here imports: a network, or a chain."""

    @abstractmethod
    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `Restorer`."""

    @abstractmethod
    def measured(self, image: NDArrayByte, sample_id: str) -> Restored:
        """Restore one image, and say what the smallest tiles were that it was made of."""

    @abstractmethod
    def per_thread(self, shares_weights: bool) -> Computing:
        """The same for one thread alone, see the function of that name."""

    @abstractmethod
    def in_turn(self, turn: AbstractContextManager[object]) -> Computing:
        """The same, whose networks enter a turn for as long as they compute."""


def restored(restorer: Restorer, image: NDArrayByte, sample_id: str) -> Restored:
    """One image restored by whatever it may be; what is neither network nor chain has no tiles.

    It may write into what it is given, which others are given too.

    Raises:
        DerainerError: If what is no network returns what is no array, whole numbers other than
            ``uint8``, values far outside of [0, 1], or such that are not finite.
    """
    if isinstance(restorer, Computing):
        return restorer.measured(image, sample_id)
    return Restored(_levels(restorer.restore(image.copy(), sample_id)), None)


def _levels(made: Any) -> NDArrayFloat:
    """What an object's ``restore`` returned, as floats in [0, 1] but for what overshoots."""
    wanted = "return float32 in [0, 1], or uint8"
    try:
        levels = np.asarray(made)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DerainerError(
            f"the derainer's restore returned {type(made).__name__} ({error}): {wanted}"
        ) from error
    if levels.dtype == np.uint8:
        return levels.astype(np.float32) / np.float32(255.0)
    if levels.dtype.kind != "f":
        found = f"values of {levels.dtype}" if levels.ndim else type(made).__name__
        raise DerainerError(f"the derainer's restore returned {found}: {wanted}")
    least, most = levels.min(initial=0), levels.max(initial=0)
    if not np.isfinite([least, most]).all():
        raise DerainerError("the derainer returned non-finite values")
    if least < -FAR or most > 1 + FAR:
        raise DerainerError(
            f"the derainer's restore returned values from {least:g} to {most:g}: {wanted}"
        )
    return levels


class OneAtATime:
    """What cannot be copied, for one thread at a time: another's image may lie in it meanwhile."""

    def __init__(self, restorer: Restorer) -> None:
        """Take any."""
        self._restorer, self._lock = restorer, threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> OneAtATime:
        """The same: there is one."""
        return self

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `Restorer`."""
        with self._lock:
            return self._restorer.restore(image, sample_id)


def per_thread(restorer: Restorer, shares_weights: bool = False) -> Restorer:
    """A copy for one thread, since a network, or an object of a user's, may keep state in a call.

    Args:
        restorer: Any.
        shares_weights: Whether copies have one set of weights, as no forward writes into them.
    """
    if isinstance(restorer, Computing):
        return restorer.per_thread(shares_weights)
    return copy.deepcopy(restorer)


def in_turn(restorer: Restorer, turn: AbstractContextManager[object]) -> Restorer:
    """A derainer whose networks compute within a turn, and all else outside of it.

    Filters take none; what is not known is taken for a network.
    """
    if isinstance(restorer, Computing):
        return restorer.in_turn(turn)
    return restorer if isinstance(restorer, Filter) else _InTurn(restorer, turn)


class _InTurn:
    """Whatever restores images, within a turn."""

    def __init__(self, restorer: Restorer, turn: AbstractContextManager[object]) -> None:
        self._restorer, self._turn = restorer, turn

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `Restorer`."""
        with self._turn:
            return self._restorer.restore(image, sample_id)
