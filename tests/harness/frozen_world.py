"""A tiny frozen benchmark, and a row beside it: what the tests of both share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from datasets.image import encode_png
from harness.cli.main import run_command_line
from harness.ledger import frozen
from reports.results.results import Results

RAINS = "none,rain100h"


class World(NamedTuple):
    """What the tests share; none changes it."""

    photos: Path
    home: Path
    """Where benchmark-v1 is frozen."""
    runs: Path
    """The workspace."""
    mine: Path
    """The --out of a row of it."""
    kept: Results

    def command(self, out: Path, *more: str) -> list[str]:
        return [
            *("run", "--suite", "benchmark-v1", "--data-root", str(self.photos)),
            *("--workspace", str(self.runs), "--no-images", "--out", str(out), *more),
        ]


def plain(photos: Path, workspace: Path, out: Path, *words: str) -> int:
    """A run that names everything itself."""
    data = ["--dataset", "folder", "--data-root", str(photos), "--task", "none", "--no-images"]
    return run_command_line(
        ["run", *data, "--workspace", str(workspace), "--out", str(out), *words]
    )


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The one line with which a command ends before it does anything."""
    capsys.readouterr()
    assert run_command_line(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def with_provenance(run: Results, **changes: Any) -> Results:
    """The run with another provenance."""
    return replace(run, provenance=replace(run.provenance, **changes))


@contextmanager
def made(freeze: Any, root: Path) -> Iterator[World]:
    """The world in a folder; the package's own benchmarks are out of sight until it ends."""
    photos = root / "photos"
    photos.mkdir()
    for i in range(20):
        levels = np.random.default_rng(i).integers(0, 256, (4, 5, 3), np.uint8)
        (photos / f"{i}.png").write_bytes(encode_png(levels.repeat(8, 0).repeat(8, 1)))
    full = root / "full"
    words = ["--rain", RAINS, "--seed", "7", "--quality", "psnr,ssim", "--derainer", "median"]
    assert plain(photos, root / "runs", full, *words) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "HOME", root / "home")
        freeze.freeze(full, "v1")
        kept = frozen.frozen("benchmark-v1").results
        world = World(photos, root / "home", root / "runs", root / "mine", kept)
        assert run_command_line(world.command(world.mine, "--derainer", "twice=median+median")) == 0
        yield world
