"""What a run says while it goes on: on standard error, and all of it in the workspace's log."""

from __future__ import annotations

import contextlib
import logging
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from harness.machine.rooms import HOME, ROOMS

LOG = "log.txt"
"""In a workspace; it grows, and may be removed at any time."""
notes = logging.getLogger("derain-harness")
"""What the log alone takes, and who asks for it: how runs begin and end, tracebacks."""
notes.propagate = False
notes.setLevel(logging.INFO)


@contextlib.contextmanager
def logged(workspace: Path) -> Iterator[None]:
    """Write `notes`, and what the harness warns of, into the workspace's `LOG`.

    Warnings go to standard error as they do without it, unless the caller's logging takes them.
    """
    harness = logging.getLogger("harness")
    attached: list[tuple[logging.Logger, logging.Handler]] = []
    if not harness.hasHandlers():
        spoken = logging.StreamHandler()
        spoken.setLevel(logging.WARNING)
        attached.append((harness, spoken))
    with contextlib.suppress(OSError):  # a log is worth no run
        file = logging.FileHandler(workspace / LOG, encoding="utf-8", errors="backslashreplace")
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        attached += [(harness, file), (notes, file)]
    for logger, handler in attached:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, handler in attached:
            logger.removeHandler(handler)
            handler.close()


def own_line(error: BaseException) -> str:
    """Where in a user's own code an error arose last, `` (mine.py:12)``; nothing elsewhere."""
    installed = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        is_ours = any(file.is_relative_to(HOME / room) for room in ("harness", *ROOMS))
        is_theirs = any(file.is_relative_to(place) for place in installed)
        if file.is_file() and not is_ours and not is_theirs:
            return f" ({file.name}:{frame.lineno})"
    return ""
