"""Who computes the units of a run: threads of this process, or actors on a Ray cluster."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Protocol

from harness.ledger.images import ImageCache
from harness.ledger.predictions import Predictions
from harness.machine.device import one_thread_each
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.work.todo import Chunk
from harness.work.unit import Finished, Worker
from reports.results.record import ImageError

Call = tuple[Chunk, dict[str, str], frozenset[str]]
"""What `harness.work.unit.Worker.run` is given."""
Outcomes = list[Finished | ImageError]
Work = Callable[[Iterator[Call]], Iterator[Outcomes]]
"""Computes calls; yields outcomes as they come, in any order, together what is there together."""


class Executor(Protocol):
    """Computes units; writes nothing into the ledger."""

    @property
    def workers(self) -> int:
        """Images at a time."""
        ...

    def work(
        self, condition: ConditionPlan, predictions: Predictions, pictured: frozenset[str]
    ) -> Work:
        """Load what a condition needs.

        Args:
            condition: Of the plan.
            predictions: Those of the condition that are kept already.
            pictured: Ids of the images whose pictures for the page are made too.
        """
        ...

    def close(self) -> None:
        """End, without waiting for what is in work."""
        ...


class PerThread:
    """A copy of the tasks for each thread: some networks keep state in a forward."""

    def __init__(self, tasks: tuple[TaskPlan, ...]) -> None:
        """Take the tasks, whose networks are loaded before a thread first asks."""
        self._tasks, self._local = tasks, threading.local()

    def __call__(self) -> tuple[TaskPlan, ...]:
        """The calling thread's own."""
        if not hasattr(self._local, "tasks"):
            self._local.tasks = copy.deepcopy(self._tasks)
        own: tuple[TaskPlan, ...] = self._local.tasks
        return own


class Threads:
    """Threads of this process, which share a derainer's weights; an `Executor`."""

    def __init__(self, plan: Plan, cache: ImageCache) -> None:
        """Start the threads of one run."""
        self._plan, self._cache = plan, cache
        self._threads = ThreadPoolExecutor(plan.workers)
        self._networks = PerThread(plan.tasks)

    @property
    def workers(self) -> int:
        """Images at a time."""
        return self._plan.workers

    def work(
        self, condition: ConditionPlan, predictions: Predictions, pictured: frozenset[str]
    ) -> Work:
        """Load the derainer and the tasks' networks, once for all threads."""
        with one_thread_each(self._plan.device):
            for task in self._plan.tasks if condition.is_shown else ():
                task.task.load()
            kept = self._cache, predictions
            worker = Worker(self._plan, condition, *kept, pictured, self._networks)
        return partial(self._parallel, worker)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _parallel(self, worker: Worker, calls: Iterator[Call]) -> Iterator[Outcomes]:
        """Call on threads with one call waiting per thread."""
        pending: set[Future[Outcomes]] = set()
        done: SimpleQueue[Future[Outcomes]] = SimpleQueue()
        with one_thread_each(self._plan.device), contextlib.ExitStack() as stack:
            stack.callback(_abandon, pending)
            while True:
                room = 2 * self.workers - len(pending)
                for call in islice(calls, room):
                    future = self._threads.submit(worker.run, *call)
                    pending.add(future)
                    future.add_done_callback(done.put)
                if not pending:
                    return
                ready = [done.get()]
                while not done.empty():
                    ready.append(done.get())
                pending.difference_update(ready)
                yield [outcome for future in ready for outcome in future.result()]


def _abandon(pending: set[Future[Outcomes]]) -> None:
    """Start nothing more; wait for what is in work."""
    for future in pending:
        future.cancel()
    wait(pending)
