"""Many command lines in one process that watches what each of them does; see `test_fuzz`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import FORKED, ROOT

PATIENCE_S = 300.0
"""For a case that takes a second; a busy machine is no hang."""
MEMORY_BYTES = 12 * 2**30
WRITTEN = ("w", "out", "tmp")
"""Folders of a case that a command may write into."""
STARTED = ("os.system", "os.exec", "os.posix_spawn", "os.startfile", "socket.connect")


@dataclass(frozen=True)
class Case:
    """A command on a copy of a folder in which one file was changed."""

    name: str
    words: tuple[str, ...]
    """``{case}`` stands for the copy."""
    template: Path
    file: str
    """Below the template."""
    data: bytes


@dataclass
class _Watch:
    """What an audit hook saw in the case that runs now."""

    folder: Path | None = None
    wrong: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.wrong is None:
            return
        if event in STARTED or (event == "subprocess.Popen" and arguments[0] != "git"):
            self.wrong.append(f"{event} {arguments[:2]}")
        elif event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
                self._written(path)
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod"):
            self._written(arguments[0])
        elif event in ("os.rename", "os.link", "os.symlink"):
            self._written(arguments[1])
        elif event == "sqlite3.connect" and "mode=ro" not in str(arguments[0]):
            self._written(arguments[0])

    def _written(self, path: Any) -> None:
        if isinstance(path, int) or self.folder is None or self.wrong is None:
            return
        where = Path(os.fsdecode(path)).absolute()
        allowed = [self.folder / name for name in WRITTEN]
        if str(where) != os.devnull and not any(where.is_relative_to(a) for a in allowed):
            self.wrong.append(f"written: {where}")


def outcomes(cases: Sequence[Case], folder: Path) -> dict[str, list[str]]:
    """What is wrong with each case; nothing where it ended as a command should.

    Args:
        cases: One after the other in a process that is forked when the last one died.
        folder: For the copies.
    """
    found: dict[str, list[str]] = {}
    log = folder / "log"
    while len(found) < len(cases):
        rest = [case for case in cases if case.name not in found]
        log.write_text("")
        process = FORKED.Process(target=_all, args=(rest, folder, log, dict(os.environ)))
        process.start()
        size, since = 0, time.monotonic()
        while process.exitcode is None and time.monotonic() - since < PATIENCE_S:
            process.join(0.2)
            if (now := log.stat().st_size) != size:
                size, since = now, time.monotonic()
        hangs = process.exitcode is None
        if hangs:
            process.kill()
            process.join()
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        found |= {line["case"]: line["wrong"] for line in lines if "wrong" in line}
        begun = [line["case"] for line in lines if "wrong" not in line]
        if begun and begun[-1] not in found:
            assert process.exitcode is not None
            death = "hangs" if hangs else f"died: {process.exitcode}"
            found[begun[-1]] = [death]
        elif process.exitcode != 0 and not hangs:
            raise AssertionError(f"the process ended between cases: {process.exitcode}")
    return found


def _all(cases: Sequence[Case], folder: Path, log: Path, environ: dict[str, str]) -> None:
    """In the process: each case, with a line in the log before and after."""
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:] = [str(ROOT), *(entry for entry in sys.path if f"{ROOT}/tests" not in entry)]
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped_bytes() + MEMORY_BYTES,) * 2)
    from harness.cli.main import run_command_line

    watch = _Watch()
    sys.addaudithook(watch)
    with log.open("a", buffering=1) as lines:
        for case in cases:
            lines.write(json.dumps({"case": case.name}) + "\n")
            wrong = _one(case, folder / "case", watch, run_command_line)
            lines.write(json.dumps({"case": case.name, "wrong": wrong}) + "\n")


def _one(
    case: Case, copy: Path, watch: _Watch, run_command_line: Callable[[list[str]], int]
) -> list[str]:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(case.template, copy)
    (copy / case.file).parent.mkdir(parents=True, exist_ok=True)
    (copy / case.file).write_bytes(case.data)
    for name in WRITTEN:
        (copy / name).mkdir(exist_ok=True)
    tempfile.tempdir = str(copy / "tmp")
    os.environ["YOLO_CONFIG_DIR"] = str(copy / "tmp")
    os.chdir(copy / "tmp")
    words = [word.format(case=copy) for word in case.words]
    out, err = io.StringIO(), io.StringIO()
    status: Any = None
    watch.folder, watch.wrong = copy, []
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run_command_line(words)
    except SystemExit as error:
        status = error.code
    except BaseException:
        watch.wrong.append(traceback.format_exc()[-1500:])
    wrong, watch.wrong = watch.wrong, None
    said = err.getvalue()
    if "Traceback" in said + out.getvalue():
        wrong.append(f"a traceback: {said[-800:]}")
    lines = said.splitlines()
    several = "--suite" in words  # each of its runs may end in a line
    if status == 2 and not (
        lines and all(line.startswith("error: ") for line in lines) and (several or len(lines) == 1)
    ):
        wrong.append(f"not one line: {said[-800:]!r}")
    if not wrong and status not in (0, 1, 2):
        wrong.append(f"status {status}")
    return wrong


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
