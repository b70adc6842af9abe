"""The units of a run on a Ray cluster: actors compute them, this process alone writes.

Images and labels are read where they lie, by the same paths on every node; derained images and
predictions travel with the units, so that a workspace is needed here alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from datasets.installed import installing
from harness.ledger.images import ImageCache
from harness.machine import about
from harness.plan.plan import Plan
from harness.plan.stages import computing
from harness.plan.unit_keys import Entry, Keyring
from harness.spec import UsageError
from harness.work.executors import Store, Work
from harness.work.ray_actor import Actor, Answer, Unit
from harness.work.unit import Call, Outcome
from reports.results.record import ImageError

_log = logging.getLogger(__name__)
LOSSES = 3
"""Workers that a call may take with it before its images count as failed."""
AHEAD = 2
"""Calls that an actor holds: one in work, and one so that it does not wait for the next."""
ANSWER_S = 10.0
"""For a cluster to accept a connection; Ray itself would try for two minutes."""
INSTALL = installing("derain-harness[ray]")


@dataclass(eq=False)
class _Hired:
    """An actor, and the calls it holds in the order it takes them."""

    handle: Any
    calls: deque[tuple[Any, Unit]] = field(default_factory=deque)


class Actors:
    """Actors on a Ray cluster; a `harness.work.executors.Executor`."""

    def __init__(self, plan: Plan, cache: ImageCache) -> None:
        """Serve one run; Ray is started when there is something to compute.

        Raises:
            UsageError: If Ray is not installed.
        """
        if about.version("ray") is None:
            raise UsageError(f"--engine ray needs Ray: {INSTALL}")
        self._plan, self._cache = plan, cache
        self._rings = [Keyring(plan, condition) for condition in plan.conditions]
        self._session: contextlib.ExitStack | None = None
        self._ray: Any = None
        # One actor has a GPU to itself.
        self._workers = plan.spec.workers or plan.placement.devices or plan.workers
        self._hired: list[_Hired] = []
        self._starting: dict[Any, Any] = {}
        """Actors that have not answered yet, under what they will answer."""
        self._failed_starts = 0

    @property
    def workers(self) -> int:
        """Images at a time."""
        return self._workers

    def work(self, predictions: Store, pictured: frozenset[str]) -> Work:
        """Start Ray and the actors with the first call; they load models by themselves."""
        return partial(self._spread, predictions, pictured)

    def said(self) -> list[str]:
        """Nothing: what the actors' devices did is not told here."""
        return []

    def close(self) -> None:
        """End the actors, and Ray where it was started here."""
        if self._session is not None:
            self._session.close()

    def _start(self) -> None:
        spec = self._plan.spec
        with contextlib.ExitStack() as stack:
            before = signal.getsignal(signal.SIGTERM)
            if spec.address is None:
                started = _local(stack, self._workers)
            else:
                started = _remote(stack, spec.address)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # Ray's own would end us at once
            self._ray = started
            if spec.address is not None:
                there = started.cluster_resources()
                kind = "GPU" if self._plan.device == "cuda" else "CPU"
                self._workers = spec.workers or int(there.get(kind, 0))
                if not self._workers:
                    raise UsageError(
                        f"the Ray cluster at {spec.address} has no {kind}: start its nodes first"
                    )
            bare = replace(
                self._plan, dataset=replace(self._plan.dataset, samples=[], export_labels=None)
            )
            self._pickled = started.put(_pickled(started, bare))
            for _ in range(self._workers):
                self._hire()
            stack.callback(self._dismiss)
            self._session = stack.pop_all()

    def _hire(self) -> None:
        """Ask for one more actor."""
        gpus = 1 if self._plan.device == "cuda" else 0
        kind = self._ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(Actor)
        handle = kind.remote(str(Path.cwd()), sys.path, self._pickled)
        self._starting[handle.versions.remote()] = handle

    def _dismiss(self) -> None:
        for handle in [*(hired.handle for hired in self._hired), *self._starting.values()]:
            self._ray.kill(handle)

    def _spread(
        self, predictions: Store, pictured: frozenset[str], calls: Iterator[Call]
    ) -> Iterator[list[Outcome]]:
        """Compute calls on whatever actors there are; what one loses another gets."""
        first = next(calls, None)
        if first is None:
            return
        if self._session is None:
            self._start()
        units = (self._unit(predictions, pictured, call) for call in chain([first], calls))
        lost: deque[Unit] = deque()
        while True:
            for level in range(AHEAD):
                for hired in self._hired:
                    if len(hired.calls) <= level:
                        unit = lost.popleft() if lost else next(units, None)
                        if unit is not None:
                            hired.calls.append((hired.handle.run.remote(unit), unit))
            pending = {ref: hired for hired in self._hired for ref, _ in hired.calls}
            if not pending and not lost and self._hired:
                return
            ready, _ = self._ray.wait([*pending, *self._starting], num_returns=1)
            for ref in ready:
                if ref in self._starting:
                    self._welcome(ref)
                    continue
                answer = self._answer(ref, pending[ref], lost)
                if answer is not None:
                    yield answer

    def _unit(self, predictions: Store, pictured: frozenset[str], call: Call) -> Unit:
        """A call with those of the known digests, images and predictions that concern it."""
        plan = self._plan
        digests: dict[str, str] = {}
        wanted: list[str] = []
        images: dict[str, bytes | None] = {}
        kept: dict[str, bytes | None] = {}
        for place in call.places:
            condition = plan.conditions[place]
            for unit in map(self._rings[place].of, call.entries):
                wanted += unit.quality().values()
                digest = call.shown.get(unit.restored)
                if digest is None:
                    continue
                digests[unit.restored] = digest
                images[unit.restored] = self._cache.read(unit.restored)
                for task in plan.tasks if condition.is_shown else ():
                    wanted.append(unit.evidence(task, digest))
                    key = unit.prediction(task, digest)
                    kept[key] = predictions(place).get(key)
        entries = [_with_labels(entry) for entry in call.entries]
        return Unit(
            Call(entries, call.places, digests, call.have.intersection(wanted)),
            pictured,
            images={key: data for key, data in images.items() if data is not None},
            predictions={key: data for key, data in kept.items() if data is not None},
        )

    def _welcome(self, ref: Any) -> None:
        """Take an actor in that has answered for the first time."""
        handle = self._starting.pop(ref)
        try:
            theirs = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts > LOSSES * self._workers:
                said = f"workers on Ray cannot be started: {_last_line(error)}"
                raise UsageError(said) from error
            self._hire()
            return
        ours = computing()
        if theirs != ours:
            differ = ", ".join(f"{p} {theirs.get(p)}" for p in ours if theirs.get(p) != ours[p])
            here = ", ".join(f"{p} {ours[p]}" for p in ours if theirs.get(p) != ours[p])
            raise UsageError(
                f"a node of the Ray cluster has {differ}, here is {here}: install the same versions"
            )
        self._hired.append(_Hired(handle))

    def _answer(self, ref: Any, hired: _Hired, lost: deque[Unit]) -> list[Outcome] | None:
        """The outcomes of a call; None if its actor is lost, whose calls are then to do again."""
        exceptions = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(ref)
        except exceptions.RayTaskError as error:
            raise error.cause from error
        except exceptions.RayError:
            return self._replace(hired, lost)
        hired.calls = deque(call for call in hired.calls if call[0] != ref)
        for line in answer.warnings:
            _log.warning("%s", line)
        for key, data in answer.images.items():
            self._cache.write(key, data)
        return answer.outcomes

    def _replace(self, hired: _Hired, lost: deque[Unit]) -> list[Outcome] | None:
        """Hire another; the call that was in work is to blame, or else nobody knows what is."""
        self._hired.remove(hired)
        self._ray.kill(hired.handle)
        self._hire()
        (_, first), *others = hired.calls
        lost.extend(unit for _, unit in others)
        first.losses += 1
        names = [entry.sample.id for entry in first.call.entries]
        if first.losses < LOSSES:
            _log.warning("a worker was lost: %s is computed again", ", ".join(names))
            lost.append(first)
            return None
        said = f"{LOSSES} workers were lost with it"
        errors = [ImageError(name, "worker", said) for name in names]
        return [Outcome(place, [*errors]) for place in first.call.places]


def _with_labels(entry: Entry) -> Entry:
    """An entry that needs no file of labels."""
    return replace(entry, sample=replace(entry.sample, labels=entry.sample.annotations))


def _local(stack: contextlib.ExitStack, workers: int) -> Any:
    """Start Ray for this machine and this process alone; it ends with the stack."""
    # Ray binds to every interface wherever it believes in clusters, whatever address it is given;
    # without its token, whoever else is on this machine could run code through its ports. It reads
    # the three once, when it is imported.
    wanted = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "token"),
        "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN", secrets.token_hex(32)),
    }
    if "ray" in sys.modules and any(os.environ.get(name) != wanted[name] for name in wanted):
        raise UsageError(
            "Ray was imported before and would let other machines and users in: run in a process "
            "of its own, or give --address"
        )
    os.environ.update(wanted)
    import ray

    logs = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
    _removed_after_us(stack, logs.name)
    _connected(
        num_cpus=workers,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=stack.enter_context(logs),
    )
    stack.callback(ray.shutdown)
    return ray


_REMOVES = """
import os, shutil, sys, time
sys.stdin.read()
until = time.monotonic() + 60
while os.path.exists(sys.argv[1]) and time.monotonic() < until:
    time.sleep(0.5)
    shutil.rmtree(sys.argv[1], True)
"""


def _removed_after_us(stack: contextlib.ExitStack, folder: str) -> None:
    """Have a folder removed once this process is gone, and be it by a kill.

    Ray's own processes end with this one by themselves; what they wrote would stay.
    """
    after = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _REMOVES, folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    stack.callback(after.communicate)


def _remote(stack: contextlib.ExitStack, address: str) -> Any:
    """Connect to a cluster."""
    import ray

    host, _, port = address.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), ANSWER_S).close()
        _connected(address=address)
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"--address {address}: no Ray cluster answers there; start one with ray start --head"
        ) from error
    stack.callback(ray.shutdown)
    return ray


def _connected(**words: Any) -> None:
    """`ray.init`, quiet."""
    import ray

    if ray.is_initialized():
        raise UsageError("Ray runs in this process already: call ray.shutdown() first")
    # Workers find modules in the current directory first, which shall not hold others of our names.
    with contextlib.chdir(Path(__file__).resolve().parents[2]):
        ray.init(log_to_driver=False, logging_level="ERROR", **words)


def _pickled(ray: Any, plan: Plan) -> bytes:
    """A plan with the user's own networks in it."""
    from harness.plan.user_code import modules_of_files

    with contextlib.ExitStack() as stack:
        for module in modules_of_files():
            ray.cloudpickle.register_pickle_by_value(module)
            stack.callback(ray.cloudpickle.unregister_pickle_by_value, module)
        pickled: bytes = ray.cloudpickle.dumps(plan)
        return pickled


def _last_line(error: BaseException) -> str:
    """What an error says, without the traceback that Ray puts before it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
