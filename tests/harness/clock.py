"""A clock that a test sets, so that no test asks how fast the machine is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass
class Clock:
    """In place of the module ``time`` in a module under test."""

    now_s: float = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def perf_counter(self) -> float:
        return self.now_s


def stopped(patch: pytest.MonkeyPatch, *modules: str) -> Clock:
    """A clock that these modules share, and that goes on when the test says so."""
    clock = Clock()
    for module in modules:
        patch.setattr(f"{module}.time", clock)
    return clock
