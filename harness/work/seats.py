"""Where networks compute: with each thread on the CPU; apart from it on devices, one at a time.

On a device the threads of a run read, rain, measure and write, and take turns at its networks, so
that it waits for none of them as long as one is ready.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from harness.machine.device import Placement

T = TypeVar("T")


class Seat:
    """Networks that one thread at a time may use, and how long they computed."""

    def __init__(self, device: str) -> None:
        """Take ``cpu`` or ``cuda``."""
        self.busy_s = 0.0
        self._device, self._lock = device, threading.Lock()
        self._begun = 0.0

    def __enter__(self) -> None:
        """Take the turn."""
        self._lock.acquire()
        self._begun = time.perf_counter()

    def __exit__(self, *raised: object) -> None:
        """Give it up, once the device has done what it was given."""
        try:
            if self._device == "cuda":
                import torch

                torch.cuda.synchronize()
        finally:
            self.busy_s += time.perf_counter() - self._begun
            self._lock.release()


class Seats:
    """The seats of a run: one for each device, or one for each thread on the CPU."""

    def __init__(self, place: Placement) -> None:
        """Make those of the devices; threads on the CPU get theirs when they ask."""
        self.of_devices = tuple(Seat(place.device) for _ in range(place.devices))
        self._device, self._local = place.device, threading.local()
        self._turn = itertools.count()

    def own(self) -> Seat:
        """The calling thread's; threads are dealt out to the devices one by one."""
        if not hasattr(self._local, "seat"):
            if self.of_devices:
                self._local.seat = self.of_devices[next(self._turn) % len(self.of_devices)]
            else:
                self._local.seat = Seat(self._device)
        own: Seat = self._local.seat
        return own


class PerSeat(Generic[T]):
    """Something that each seat has its own of, made when a thread of the seat first asks."""

    def __init__(self, seats: Seats, make: Callable[[Seat], T]) -> None:
        """Take what makes it; it is called by one thread at a time."""
        self._seats, self._make = seats, make
        self._made: dict[Seat, T] = {}
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """That of the calling thread's seat."""
        seat = self._seats.own()
        with self._lock:
            if seat not in self._made:
                self._made[seat] = self._make(seat)
            return self._made[seat]
