"""The command line in a process of its own, as a user starts it.

The processes are forked from one that has imported the large packages, since importing them
takes longer than most commands; with ``code``, or ``fresh``, an interpreter is started.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_S = 1200.0
FORKED = multiprocessing.get_context("forkserver")
LARGE = "cv2 matplotlib.pyplot pandas pycocotools.mask scipy.stats skimage.metrics torch"
FORKED.set_forkserver_preload([*LARGE.split(), "torchvision", "ultralytics.nn.tasks"])


def words(coco: Path, detector: Path, workspace: Path, *more: str) -> list[str]:
    """A run on the miniature COCO."""
    return [
        *("run", "--dataset", "coco", "--data-root", str(coco), "--derainer", "median"),
        *("--model", f"detection={detector}", "--workspace", str(workspace), *more),
    ]


QUIET = "from harness.cli import terminal\nterminal.RUN_LINE_EVERY_S = float('inf')\n"
"""Begins the code of a test that compares all of standard error, so that no line says how far a
slow run is; those that are forked say none either."""
Before = Callable[[], None]
"""A function of a test's module, perhaps with arguments bound."""


class Process(Protocol):
    """What the tests need of a process; `subprocess.Popen` has it."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]: ...


class Forked:
    """A `Process` forked from the one that holds the large packages."""

    def __init__(self, arguments: tuple[str, ...], cwd: Path, before: Before | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._shown = [Path(self._folder.name) / name for name in ("out", "err")]
        self._process = FORKED.Process(
            target=_command, args=(arguments, cwd, dict(os.environ), self._shown, before)
        )
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            raise subprocess.TimeoutExpired("harness", timeout or 0)
        out, err = (file.read_text() if file.exists() else "" for file in self._shown)
        return out, err


def _command(
    arguments: tuple[str, ...],
    cwd: Path,
    environ: dict[str, str],
    shown: list[Path],
    before: Before | None,
) -> None:
    for descriptor, file in zip((1, 2), shown, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.path[:] = [str(ROOT), *(entry for entry in sys.path if f"{ROOT}/tests" not in entry)]
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.argv[1:] = arguments
    from harness.__main__ import main
    from harness.cli import terminal

    setattr(terminal, "RUN_LINE_EVERY_S", float("inf"))  # noqa: B010
    if before is not None:
        before()
    sys.exit(main())


def start(
    *arguments: str,
    cwd: Path = ROOT,
    code: str | None = None,
    fresh: bool = False,
    before: Before | None = None,
) -> Process:
    """Start ``python -m harness``, or run code or a function before it in the same process."""
    if not code and not fresh:
        return Forked(arguments, cwd, before)
    begin = ["-c", f"{code}\nimport sys\nfrom harness.__main__ import main\nsys.exit(main())"]
    return subprocess.Popen(
        [sys.executable, *(begin if code else ["-m", "harness"]), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: Process) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    status = process.poll()
    assert status is not None
    return status, out, err
