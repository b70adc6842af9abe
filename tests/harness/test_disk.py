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
SCRIPT = """
set -eu
mount -t tmpfs -o size=4k none {small}
for size in {sizes}; do
    mount -o remount,size=${{size}}k {small}
    "$@" && exit 9 || test $? = 2
done
sqlite='import sqlite3; print(*sqlite3.connect("{small}/w/ledger.sqlite").execute('
sqlite="$sqlite"'"SELECT count(*) FROM images").fetchone())'
{python} -c "$sqlite"
mount -o remount,size=64m {small}
"$@" --out {out}
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
    sizes = " ".join(map(str, SIZES_KIB))
    script = SCRIPT.format(small=small, sizes=sizes, out=out, python=sys.executable)
    command = [sys.executable, "-m", "harness", "run", "--dataset", "coco", "--task", "none"]
    command += ["--data-root", str(coco_root), "--derainer", "median", "--no-images"]
    command += ["--workers", "2", "--workspace", f"{small}/w"]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *command],
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
