"""The random generators that all threads of a process share: torch's, NumPy's and Python's."""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class Turns:
    """Lets many threads work together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = self._waiting = 0
        self._is_alone = False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """With others; waits while one is alone, or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._waiting)
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Without others."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._is_alone and not self._together)
            self._waiting -= 1
            self._is_alone = True
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


TURNS = Turns()
"""Who may use the generators of this process."""


def without_chance(make: Callable[[], T], draws: bool, *words: object) -> T:
    """What a function makes, which may draw from the shared generators: always the same.

    A function that draws runs alone, from generators that are seeded and then set back. One that
    is not known to draw runs beside others; if it did draw, it runs again, alone.

    Args:
        make: Called once, or twice.
        draws: Whether it is known to draw.
        words: What the generators are seeded from.
    """
    if not draws:
        with TURNS.together():
            before = states()
            made = make()
            if _same(states(), before):
                return made
    with TURNS.alone(), seeded(*words):
        return make()


@contextlib.contextmanager
def seeded(*words: object) -> Iterator[None]:
    """Seed the generators from some words, and set them back at the end."""
    import torch

    before = states()
    seed = int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:8], "big")
    random.seed(seed)
    np.random.seed([seed >> 32, seed & 0xFFFFFFFF])  # noqa: NPY002 - a user's code draws from it
    torch.manual_seed(seed)
    try:
        yield
    finally:
        python, numpy, cpu, cuda = before
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)


def states() -> tuple[Any, Any, Any, Any]:
    """The states of Python's, NumPy's and torch's generators; None for CUDA where it is unused."""
    import torch

    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda  # noqa: NPY002


def drew(before: tuple[Any, Any, Any, Any]) -> bool:
    """Whether a generator moved since it had these states."""
    return not _same(states(), before)


def _same(some: tuple[Any, Any, Any, Any], others: tuple[Any, Any, Any, Any]) -> bool:
    import torch

    if some[0] != others[0] or some[1][2:] != others[1][2:]:
        return False
    if not np.array_equal(some[1][1], others[1][1]) or not torch.equal(some[2], others[2]):
        return False
    # CUDA's generator comes to be with the first call; then nothing says that it was used.
    return some[3] is None or others[3] is None or torch.equal(some[3], others[3])
