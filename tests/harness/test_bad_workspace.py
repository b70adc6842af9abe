"""Workspaces and results folders that vanish, are another's, damaged, too large or read-only."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from command import ROOT
from signed import sign
from typed import one_line, quick

from harness.cli.main import run_command_line
from harness.ledger.ledger import LEDGER, Ledger
from harness.ledger.runs import load_results
from harness.machine.disk import surroundings_error
from harness.spec import UsageError


def test_a_workspace_that_disappears_ends_the_run(
    coco_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from derainers.restorer import Filter

    workspace, gone = tmp_path / "w", tmp_path / "gone"
    restore, lock = Filter.restore, threading.Lock()

    def removing(self: Filter, image: object, sample_id: str) -> object:
        with lock:
            if workspace.exists():  # all of it at one moment, whoever writes there
                workspace.rename(gone)
                shutil.rmtree(gone)
        return restore(self, image, sample_id)  # type: ignore[arg-type]

    monkeypatch.setattr(Filter, "restore", removing)
    line = one_line(quick(coco_root, workspace, "--out", str(tmp_path / "out")), capsys)
    assert str(workspace) in line
    assert not workspace.exists()
    assert not (tmp_path / "out" / "results.json").exists()
    monkeypatch.undo()
    assert run_command_line(quick(coco_root, workspace)) == 0


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE, errno.ENOSPC])
def test_a_workspace_that_takes_no_image_is_no_images_fault(
    number: int,
    coco_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Path.write_bytes

    def refused(self: Path, data: bytes) -> int:
        if self.suffix == ".tmp":
            raise OSError(number, os.strerror(number))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", refused)
    one_line(quick(coco_root, tmp_path / "w"), capsys)
    monkeypatch.undo()
    assert run_command_line(quick(coco_root, tmp_path / "w")) == 0


def test_another_database_is_one_line_and_stays_as_it_is(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = tmp_path / "whole"
    assert run_command_line(quick(coco_root, held)) == 0
    capsys.readouterr()
    schemas = {
        "another": "CREATE TABLE photographs (id INTEGER)",
        "of our version": "PRAGMA user_version=2; CREATE TABLE photographs (id INTEGER)",
        "other columns": "PRAGMA user_version=2; CREATE TABLE images (key TEXT, sha256 TEXT, x)",
        "a view": "PRAGMA user_version=2; CREATE VIEW evidence AS SELECT 'a' AS key, "
        "zeroblob(1000000000) AS data",
        "endless": "PRAGMA user_version=2; CREATE VIEW runs AS WITH RECURSIVE r(digest) AS "
        "(SELECT 1 UNION ALL SELECT digest + 1 FROM r) SELECT * FROM r",
    }
    for name, schema in schemas.items():
        workspace = tmp_path / name
        workspace.mkdir()
        with closing(sqlite3.connect(workspace / LEDGER)) as db:
            db.executescript(schema)
        before = (workspace / LEDGER).read_bytes()
        reading = ["report", str(workspace), "--out", str(tmp_path / "out")]
        for words in (quick(coco_root, workspace), reading):
            assert "choose another workspace" in one_line(words, capsys), name
        assert (workspace / LEDGER).read_bytes() == before
    (tmp_path / "folder" / LEDGER).mkdir(parents=True)
    for words in (quick(coco_root, tmp_path / "folder"), ["report", str(tmp_path / "folder")]):
        assert "folder" in one_line([*words, "--out", str(tmp_path / "out")], capsys)


def test_what_would_be_written_into_a_removed_ledger_is_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "w")
    shutil.rmtree(tmp_path / "w")
    Ledger(tmp_path / "w").close()  # another run has begun there
    with pytest.raises(UsageError, match="removed or replaced"), ledger.transaction():
        raise AssertionError
    ledger.close()


def test_predictions_that_are_a_view_are_refused(tmp_path: Path) -> None:
    from harness.ledger.predictions import Predictions

    (tmp_path / "predictions").mkdir()
    with closing(sqlite3.connect(tmp_path / "predictions" / "cell.sqlite")) as db:
        db.execute("CREATE VIEW predictions AS SELECT 'a' AS key, zeroblob(1000000000) AS data")
    with pytest.raises(UsageError, match="remove its folder"):
        Predictions(tmp_path, "cell")


def test_a_row_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.ledger import packed

    bomb = zlib.compress(b'[["a", "|u1", [1]]]\n' + bytes(2**22))
    assert packed.unpack(bomb)["a"].size == 1
    with monkeypatch.context() as patch:
        patch.setattr(packed, "LARGEST_BYTES", 2**20)
        with pytest.raises(packed.DamagedError):
            packed.unpack(bomb)
    for head in (b'[["a", "<f8", [1000000000000]]]', b'[["a", "<f8", [-5]]]', b'[["a", "O", [1]]]'):
        with pytest.raises(packed.DamagedError):
            packed.unpack(zlib.compress(head + b"\n" + bytes(8)))
    whole = zlib.compress(b"[]\n" + bytes(10**5))
    with pytest.raises(packed.DamagedError):
        packed.unpack(whole[:-5])


def test_a_row_longer_than_allowed_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    with ledger.transaction():
        ledger.put("evidence", {"a": bytes(10**6)})
    ledger.close()
    monkeypatch.setattr("harness.ledger.database.LARGEST_ROW_BYTES", 10**5)
    ledger = Ledger(tmp_path, read_only=True)
    with pytest.raises(sqlite3.DataError) as caught:
        ledger.get("evidence", ["a"])
    assert "damaged" in (surroundings_error(caught.value) or "")
    ledger.close()


def test_archives_and_files_have_bounds(
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert run_command_line(quick(coco_root, tmp_path / "w", "--out", str(out))) == 0
    capsys.readouterr()
    compared = ["regress", str(out), str(out)]
    whole = (out / "draws.npz").read_bytes()
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }"
    lying = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
    monkeypatch.setattr("harness.ledger.folder.LARGEST_ARRAYS_BYTES", 10**6)
    for name, content in (("large", bytes(2 * 10**6)), ("lying", lying), ("none", b"")):
        with zipfile.ZipFile(out / "draws.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.npy", content)
        sign(out)
        assert "damaged" in one_line(compared, capsys), name
    (out / "draws.npz").write_bytes(whole)
    sign(out)
    assert run_command_line([*compared, "--require", "not-worse"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("harness.ledger.folder.LARGEST_FILE_BYTES", 1000)
    assert "too large" in one_line(compared, capsys)


READ_ONLY = """
set -eu
mount --bind {workspace} {workspace}
mount -o remount,ro,bind {workspace}
exec "$@"
"""


def test_a_read_only_workspace_can_be_reported_from(coco_root: Path, tmp_path: Path) -> None:
    asked = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(asked, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here: unshare --map-root-user --mount fails")
    workspace = tmp_path / "w"
    assert run_command_line(quick(coco_root, workspace)) == 0
    wanted = load_results(workspace, None).records
    for state in ("closed", "killed"):
        if state == "killed":  # its log was never taken up
            code = "import os, sys; from pathlib import Path; from harness.ledger.ledger import *\n"
            code += (
                "l = Ledger(Path(sys.argv[1]))\nwith l.transaction(): l.put('tiles', {'a': 1})\n"
            )
            code += "os.kill(os.getpid(), 9)"
            subprocess.run([sys.executable, "-c", code, str(workspace)], cwd=ROOT, check=False)
            assert (workspace / f"{LEDGER}-wal").stat().st_size > 0
            (workspace / f"{LEDGER}-shm").unlink()
        before = {f: f.read_bytes() for f in workspace.rglob("*") if f.is_file()}
        out = tmp_path / state
        command = [sys.executable, "-m", "harness", "report", str(workspace), "--out", str(out)]
        script = READ_ONLY.format(workspace=workspace)
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        from harness.ledger.folder import load

        assert load(out).records == wanted
        assert {f: f.read_bytes() for f in workspace.rglob("*") if f.is_file()} == before
