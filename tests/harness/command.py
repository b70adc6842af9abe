"""The command line in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SLOW = "print('started', flush=True)"


def words(coco: Path, detector: Path, workspace: Path, *more: str) -> list[str]:
    """A run on the miniature COCO."""
    return [
        *("run", "--dataset", "coco", "--data-root", str(coco), "--derainer", "median"),
        *("--model", f"detection={detector}", "--workspace", str(workspace), *more),
    ]


def start(*arguments: str, cwd: Path = ROOT, code: str | None = None) -> subprocess.Popen[str]:
    """Start ``python -m harness``, or run code before it in the same process."""
    begin = ["-c", f"{code}\nimport sys\nfrom harness.__main__ import main\nsys.exit(main())"]
    return subprocess.Popen(
        [sys.executable, *(begin if code else ["-m", "harness"]), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err
