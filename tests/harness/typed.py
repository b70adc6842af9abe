"""The command line in this process, and the line that it ends in."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import run_command_line


def one_line(words: list[str], capsys: pytest.CaptureFixture[str], status: int = 2) -> str:
    """What a command says that ends in one line."""
    assert run_command_line(words) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


def quick(root: Path, workspace: Path, *more: str) -> list[str]:
    """A run without networks on two images of a COCO data set."""
    return [
        *("run", "--dataset", "coco", "--data-root", str(root), "--derainer", "median"),
        *("--task", "none", "--no-images", "--limit", "2", "--workspace", str(workspace), *more),
    ]
