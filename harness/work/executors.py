"""Who computes the units of a run: threads of this process, or actors on a Ray cluster."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import chain, islice
from queue import SimpleQueue
from typing import Protocol

from harness.ledger.images import ImageCache
from harness.ledger.predictions import Kept
from harness.machine.device import one_thread_each
from harness.plan.plan import Plan
from harness.work.models import Models
from harness.work.unit import Call, Outcome, Worker

Work = Callable[[Iterator[Call]], Iterator[list[Outcome]]]
"""Computes calls; yields outcomes as they come, in any order, together what is there together."""
Store = Callable[[int], Kept]
"""Gives the predictions that are kept of a condition, by its place in the plan."""


class Executor(Protocol):
    """Computes units; writes nothing into the ledger."""

    @property
    def workers(self) -> int:
        """Images at a time."""
        ...

    def work(self, predictions: Store, pictured: frozenset[str]) -> Work:
        """Be ready for calls; what conditions need is loaded when a call is of them.

        Args:
            predictions: Those that are kept already.
            pictured: Ids of the images whose pictures for the page are made too.
        """
        ...

    def said(self) -> list[str]:
        """How devices were used, in words."""
        ...

    def close(self) -> None:
        """End, without waiting for what is in work."""
        ...


class Threads:
    """Threads of this process, which share a derainer's weights; an `Executor`."""

    def __init__(self, plan: Plan, cache: ImageCache) -> None:
        """Start the threads of one run."""
        self._plan, self._cache = plan, cache
        self._threads = ThreadPoolExecutor(plan.workers)
        self._models, self._worked_s = Models(plan), 0.0

    @property
    def workers(self) -> int:
        """Images at a time."""
        return self._plan.workers

    def work(self, predictions: Store, pictured: frozenset[str]) -> Work:
        """Be ready; derainers and networks are loaded once for all threads."""
        worker = Worker(self._plan, self._cache, predictions, pictured, self._models)
        return partial(self._parallel, worker)

    def said(self) -> list[str]:
        """How busy devices were, and what batches change; nothing where the processor computed."""
        seats, device = self._models.seats.of_devices, self._plan.device
        if not seats or not self._worked_s:
            return []
        busy = sum(seat.busy_s for seat in seats) / len(seats) / self._worked_s
        return [
            f"{device} was busy for {busy:.0%} of the {self._worked_s:.1f} s of work",
            *(
                f"{name}: an image in a batch differs by up to {by:.1g} of white from it alone"
                for name, by in self._models.batch_differs.items()
            ),
        ]

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _parallel(self, worker: Worker, calls: Iterator[Call]) -> Iterator[list[Outcome]]:
        """Call on threads with one call waiting per thread."""
        first = next(calls, None)
        if first is None:  # then nothing heavy is imported
            return
        calls, begun, is_limited = chain([first], calls), time.perf_counter(), False
        pending: set[Future[None]] = set()
        done: SimpleQueue[Outcome | Future[None]] = SimpleQueue()

        ended = threading.Event()

        def compute(call: Call) -> None:
            for outcome in worker.run(call):
                done.put(outcome)
                if ended.is_set():  # the rest of an image may take minutes
                    return

        with contextlib.ExitStack() as limits, contextlib.ExitStack() as stack:
            stack.callback(self._count, begun)
            stack.callback(_abandon, pending)
            stack.callback(ended.set)
            while True:
                room = 2 * self.workers - len(pending)
                for call in islice(calls, room):
                    self._models.load(call.places)
                    if not is_limited and "torch" in sys.modules:  # filters do without
                        limits.enter_context(one_thread_each(self._plan.device))
                        is_limited = True
                    future = self._threads.submit(compute, call)
                    pending.add(future)
                    future.add_done_callback(done.put)
                if not pending:
                    return
                ready = [done.get()]
                while not done.empty():
                    ready.append(done.get())
                yield [each for each in ready if isinstance(each, Outcome)]
                for future in [each for each in ready if isinstance(each, Future)]:
                    pending.remove(future)
                    future.result()

    def _count(self, begun: float) -> None:
        self._worked_s += time.perf_counter() - begun


def _abandon(pending: set[Future[None]]) -> None:
    """Start nothing more; wait for what is in work."""
    for future in pending:
        future.cancel()
    wait(pending)
