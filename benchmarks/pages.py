"""Pages with tables that are generated, and the suites of runs that their numbers come from."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.ledger.folder import load
from reports.results.results import Results

DOCS = Path(__file__).parent.parent / "docs"
SSEQ = Path("reference", "sseq", "model.mat")
"""Model of SSEQ below the folder of data, unless the environment names one."""


def filled(page: str, tables: Mapping[str, Sequence[str]]) -> str:
    """A page with the lines between `<!-- NAME -->` and `<!-- end -->` replaced."""
    for name, lines in tables.items():
        start, end = f"<!-- {name} -->\n", "<!-- end -->\n"
        before, rest = page.split(start)
        _, after = rest.split(end, 1)
        page = before + start + "\n".join(["", *lines, "", end]) + after
    return page


def arguments(text: str | None, name: str) -> argparse.Namespace:
    """Where data, workspace and results are, as the command line of a page's script says."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA")
    parser.add_argument("--workspace", type=Path, default=Path(f"{name}-runs"))
    parser.add_argument("--out", type=Path, default=Path(name))
    return parser.parse_args()


def hours(card: Mapping[str, Any]) -> str:
    """How long weights were trained, what they began with apart."""
    return _and_before(f"{card['hours']}", card.get("begun_with", {}).get("hours"))


def steps(card: Mapping[str, Any]) -> str:
    """How many steps weights were trained for, what they began with apart."""
    return _and_before(f"{card['steps_done']:,}", card.get("begun_with", {}).get("steps"))


def _and_before(now: str, before: float | None) -> str:
    return now + ("" if before is None else f" + {before:,} before")


def run_suite(
    suite: Path, data: Path, workspace: Path, out: Path, flags: Sequence[str] = ()
) -> dict[str, Results]:
    """The results of a suite by the names of its runs; what is in the workspace is not run again.

    Args:
        suite: Its paths are below ``data``.
        data: Folder that the runs are made in.
        workspace: Ledger and cached images.
        out: Results folders, one a run.
        flags: In place of what the suite says, for every run.
    """
    words = [sys.executable, "-m", "harness", "run", "--suite", str(suite), "--no-images"]
    words += ["--workspace", str(workspace.resolve()), "--out", str(out.resolve())]
    words += flags
    sseq = {"DERAIN_HARNESS_SSEQ_MODEL": str(data.resolve() / SSEQ)}
    subprocess.run(words, cwd=data, env={**sseq, **os.environ}, check=True)
    names = [entry["name"] for entry in yaml.safe_load(suite.read_text())]
    return {name: load(out / name) for name in names}
