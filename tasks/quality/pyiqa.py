"""The metrics of pyiqa, where it is installed in an environment of its own.

Its requirements clash with ours, so it runs in a process of the Python that
``DERAIN_HARNESS_PYIQA`` names: `tasks.quality.pyiqa_worker`, started once and asked image by image,
on the processor and on one thread. Without the variable, that Python is ``pyiqa/bin/python`` where
fetched files lie.

Reference:
    Chen, Mo, "IQA-PyTorch: PyTorch Toolbox for Image Quality Assessment", 2022,
    github.com/chaofengc/IQA-PyTorch.
"""

from __future__ import annotations

import difflib
import json
import os
import signal
import subprocess
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datasets.image import NDArrayByte
from tasks.task import TaskError

PREFIX = "pyiqa:"
VARIABLE = "DERAIN_HARNESS_PYIQA"
_WORKER = Path(__file__).with_name("pyiqa_worker.py")


class EndedError(TaskError):
    """The process of pyiqa has ended, which is no image's fault."""


class Told(NamedTuple):
    """What pyiqa says of a metric."""

    version: str
    """Of pyiqa."""
    environment: str
    """Digest of what is installed beside it."""
    weights: str
    """Digest of the numbers and files that the metric holds; empty where there are none."""
    reference: bool
    """Whether it compares with a clean image."""
    higher_is_better: bool
    is_fraction: bool
    """Whether its values lie between -1 and 1, as far as pyiqa says."""

    @property
    def origin(self) -> str:
        """All that decides its numbers, in words."""
        return f"pyiqa {self.version}, environment {self.environment[:16]}, weights {self.weights}"


def python() -> Path | None:
    """The Python that has pyiqa; None where there is no such file."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and Path(named).is_file() else None


def missing() -> str | None:
    """The two commands that make the environment; None where it is there."""
    if python() is not None:
        return None
    named = Path(os.environ.get(VARIABLE) or "pyiqa/bin/python")
    folder = named.parent.parent
    return (
        f"pyiqa needs an environment of its own: python3 -m venv {folder} && "
        f"{folder}/bin/python -m pip install pyiqa; or {VARIABLE} names the Python of one"
    )


def told(name: str) -> Told:
    """What pyiqa says of one of its metrics; it is loaded and tried.

    Raises:
        TaskError: Without the environment, for a name that pyiqa does not know, and where the
            metric cannot be loaded or judges no image.
    """
    place = python()
    if place is None:
        raise TaskError(f"{PREFIX}{name}: {missing()}")
    return started(place).told(name)


def judge(name: str, *images: NDArrayByte) -> float:
    """One of pyiqa's metrics of (reference, restored), or of (restored) alone.

    Args:
        name: As pyiqa calls it.
        images: ``uint8 (H, W, 3) RGB``, which pyiqa sees as float32 in [0, 1].

    Raises:
        TaskError: If pyiqa cannot judge these images.
        EndedError: If its process ends.
    """
    place = python()
    if place is None:
        raise TaskError(f"{PREFIX}{name}: {missing()}")
    return started(place).judge(name, images)


@lru_cache(maxsize=1)
def started(place: Path) -> _Worker:
    """The process of a Python, which ends with ours."""
    return _Worker(place)


def renew() -> None:
    """Let another process follow one that has ended: for a run that begins, not within one."""
    place = python()
    if place is not None and started(place).has_ended:
        started.cache_clear()


class _Worker:
    """The process of pyiqa; used by several threads, one at a time."""

    def __init__(self, place: Path) -> None:
        self._place, self._lock = place, threading.RLock()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [str(place), "-I", str(_WORKER)],  # -I: neither our folders nor PYTHONPATH
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
            start_new_session=True,  # Ctrl-C is told to us, and ends our side of the pipe
        )
        self._made: dict[str, Told] = {}
        self._about: dict[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it answers no more."""
        return self._process.poll() is not None

    def told(self, name: str) -> Told:
        """See `told`."""
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def judge(self, name: str, images: tuple[NDArrayByte, ...]) -> float:
        """See `judge`."""
        self.told(name)
        answer = self._ask({"name": name}, images)
        if "error" in answer:
            raise TaskError(f"{PREFIX}{name} cannot judge this image: {answer['error']}")
        return float(answer["value"])

    def _make(self, name: str) -> Told:
        if self._about is None:
            about = self._ask({})
            if "error" in about:
                raise TaskError(
                    f"{self._place} cannot import pyiqa ({about['error']}): "
                    f"{self._place} -m pip install pyiqa"
                )
            self._about = about
        if name not in self._about["names"]:
            near = difflib.get_close_matches(name, self._about["names"], 3, 0.4)
            hint = f": did you mean {', '.join(PREFIX + n for n in near)}?" if near else ""
            raise TaskError(f"pyiqa {self._about['version']} has no metric '{name}'{hint}")
        found = self._ask({"name": name})
        if "error" in found:
            raise TaskError(
                f"{PREFIX}{name} cannot be used ({found['error']}). Runs fetch nothing: where its "
                f"weights are missing, run once: {self._place} -c "
                f"\"import pyiqa; pyiqa.create_metric('{name}')\""
            )
        return Told(
            self._about["version"],
            self._about["environment"],
            found["weights"],
            found["reference"],
            not found["lower_better"],
            _is_fraction(found["range"]),
        )

    def _ask(self, request: dict[str, Any], images: tuple[NDArrayByte, ...] = ()) -> dict[str, Any]:
        """One answer.

        Raises:
            EndedError: With the last words of the process.
        """
        told = request
        if images:
            told = request | {"shape": images[0].shape[:2], "images": len(images)}
        data = [np.ascontiguousarray(image).data for image in images]
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            try:
                self._process.stdin.write(json.dumps(told).encode() + b"\n")
                for each in data:
                    self._process.stdin.write(each)
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except OSError:
                line = b""
            if not line.endswith(b"\n"):
                raise self._ended(request.get("name"))
            answer: dict[str, Any] = json.loads(line)
            return answer

    def _ended(self, name: str | None) -> EndedError:
        """What the process said before it ended."""
        status = self._process.wait()
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        self._said.seek(max(self._said.seek(0, os.SEEK_END) - 4096, 0))
        lines = [
            " ".join(e.split()) for e in self._said.read().decode(errors="replace").split("\n")
        ]
        words = next((line[:200] for line in reversed(lines) if line), "without a word")
        return EndedError(
            f"pyiqa ended{f' in {PREFIX}{name}' if name else ''} ({how}): {words}. What is "
            "finished is kept: the same command goes on from there"
        )


def _is_fraction(told: str) -> bool:
    """Whether a range that pyiqa tells as text, such as ``~0, ~1``, lies within -1 and 1."""
    try:
        low, high = (float(part.strip().lstrip("~")) for part in told.split(","))
    except ValueError:
        return False
    return -1 <= low < high <= 1
