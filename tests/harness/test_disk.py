"""A disk that fills up in the work of a run, on a small file system of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

from harness import RunSpec, run
from reports.results.written import to_json

SIZES_KIB = (96, 240, 420)
"""Too little for the ledger, for the images, for their evidence."""
CODE = """
import sqlite3, subprocess, sys
from harness.cli.main import run_command_line

small, out, sizes, *words = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", small], check=True)
for size in [f"{kib}k" for kib in sizes.split()]:
    subprocess.run(["mount", "-o", f"remount,size={size}", small], check=True)
    assert run_command_line(words) == 2
with sqlite3.connect(f"{small}/w/ledger.sqlite") as ledger:
    print(*ledger.execute("SELECT count(*) FROM images").fetchone())
ledger.close()
subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
sys.exit(run_command_line([*words, "--out", out]))
"""


@pytest.fixture(scope="module")
def _own_mounts() -> None:
    """Skips where this user may mount nothing, even in a name space of its own."""
    asked = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(asked, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here: unshare --map-root-user --mount fails")


@pytest.mark.usefixtures("_own_mounts")
def test_a_disk_that_fills_up_loses_nothing(coco_root: Path, tmp_path: Path) -> None:
    small, out = tmp_path / "small", tmp_path / "out"
    small.mkdir()
    command = [sys.executable, "-c", CODE, str(small), str(out), " ".join(map(str, SIZES_KIB))]
    command += ["run", "--dataset", "coco", "--task", "none", "--data-root"]
    command += [str(coco_root), "--derainer", "median", "--no-images"]
    command += ["--workers", "2", "--workspace", f"{small}/w"]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(told) == len(SIZES_KIB)
    assert all(line.startswith("error: ") for line in told)
    assert f"no room left on the disk of {small}/w: free some" in told[-1]
    committed = int(done.stdout.splitlines()[0])
    assert 8 < committed < 24, "the disk was to fill up in the midst of the work"
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        images=False,
        workspace=str(tmp_path / "roomy"),
    )
    text, whole = (out / "results.json").read_text(), to_json(run(spec))
    assert text[text.index(' "errors"') :] == whole[whole.index(' "errors"') :]
