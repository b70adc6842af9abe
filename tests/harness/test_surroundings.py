"""Faults of the surroundings: one line, exit status 2, and nothing lost."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command import ROOT
from signed import sign

from datasets.image import encode_png
from datasets.names import text_of
from harness.checks.junit import Case, write_junit
from harness.cli.main import run_command_line
from harness.ledger.ledger import LEDGER, Ledger
from harness.ledger.runs import load_results
from harness.machine.disk import surroundings_error
from harness.spec import UsageError

NAMES = (b"plain", b"\xff\xfe", b"a\x1b[31mred", b"new\nline", b"<b>&amp", b"\x7fdel")


def one_line(words: list[str], capsys: pytest.CaptureFixture[str], status: int = 2) -> str:
    """What a command says that ends in one line."""
    assert run_command_line(words) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


def quick(root: Path, workspace: Path, *more: str) -> list[str]:
    return [
        *("run", "--dataset", "coco", "--data-root", str(root), "--derainer", "median"),
        *("--task", "none", "--no-images", "--limit", "2", "--workspace", str(workspace), *more),
    ]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "x: File name too long"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "the output was closed"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "not enough memory"),
        (RuntimeError("can't start new thread"), "not enough memory"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files: take fewer"),
        ("\udcff".encode, "no UTF-8"),
        (b"\xff".decode, "no UTF-8"),
        (http.client.BadStatusLine("x"), "the server's answer"),
        (http.client.IncompleteRead(b""), "the server's answer"),
        (zipfile.BadZipFile("File is not a zip file"), "File is not a zip file"),
        (lambda: zlib.decompress(b"x"), "a damaged archive"),
        (EOFError(), "a damaged archive"),
        (sqlite3.OperationalError("database is locked"), "another process"),
        (sqlite3.OperationalError("disk I/O error"), "is it there"),
        (sqlite3.OperationalError("no such column: key"), "cannot be used"),
        (sqlite3.DatabaseError("malformed"), "is damaged"),
    ],
)
def test_every_fault_of_the_surroundings_is_one_line_and_status_2(
    error: BaseException | Callable[[], object],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(*_: object, **__: object) -> None:
        if isinstance(error, BaseException):
            raise error
        error()

    monkeypatch.setattr("harness.ledger.runs.load_results", fails)
    line = one_line(["report", str(tmp_path), "--out", str(tmp_path / "out")], capsys)
    assert says in line


def test_a_fault_of_ours_is_seen_where_it_happened() -> None:
    for error in (KeyError("a"), TypeError("b"), RuntimeError("c"), ValueError("d")):
        assert surroundings_error(error) is None


def test_places_are_tested_before_anything_is_computed(
    coco_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    bad = [str(tmp_path / name) for name in ("file/below", "dangling", "x" * 300, "file")]
    data = ("--dataset", "coco", "--data-root", str(coco_root))
    for out in bad:
        for words in (
            quick(coco_root, tmp_path / "w"),
            ["synth", *data],
            ["train", "prn-r", *data],
            ["report", str(tmp_path)],
            ["score", "--restored", str(tmp_path)],
        ):
            assert f"--out {out} cannot be written: " in one_line([*words, "--out", out], capsys)
        assert "--to" in one_line(["fetch", "yolov8n", "--to", out], capsys)
    for file in (str(tmp_path), "nowhere/j.xml", "file/j.xml"):
        line = one_line(["regress", "papers", "--junit", file], capsys)
        assert f"--junit {file} cannot be written: " in line
        assert "--json" in one_line(["bench", "--json", file], capsys)
        assert "--sheet" in one_line(["check-data", *data, "--sheet", file], capsys)
    assert {f.name for f in tmp_path.iterdir()} == {"file", "dangling"}
    assert (tmp_path / "file").read_text() == ""


def test_what_cannot_be_written_from_python_is_told_first(coco_root: Path, tmp_path: Path) -> None:
    from harness import RunSpec, run

    (tmp_path / "file").write_text("")
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        workspace=str(tmp_path / "w"),
        out=str(tmp_path / "file"),
    )
    with pytest.raises(UsageError, match="cannot be written"):
        run(spec)
    assert not (tmp_path / "w").exists()


def test_a_pipe_that_is_closed_and_an_output_that_is_full(tmp_path: Path) -> None:
    command = f"{sys.executable} -m harness list derainers"
    for shell in (f"{command} | true", f"{command} > /dev/full", f"{command} >&- 2>&-"):
        script = f"set -o pipefail; sleep 0; {shell}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 2), shell
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1


def test_names_that_are_no_text_survive_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / os.fsdecode(b"d\xff")
    data.mkdir()
    rng = np.random.default_rng(0)
    for name in NAMES:
        image = encode_png(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        Path(os.fsdecode(os.fsencode(data) + b"/" + name + b".png")).write_bytes(image)
    workspace, out = (tmp_path / os.fsdecode(name) for name in (b"w\xff", b"out\x1b\xff"))
    words = ["run", "--dataset", "folder", "--data-root", str(data), "--task", "none"]
    words += ["--derainer", "median", "--workspace", str(workspace), "--out", str(out)]
    assert run_command_line(words) == 0
    again = tmp_path / "again"
    assert run_command_line(["report", str(workspace), "--out", str(again)]) == 0
    junit = tmp_path / "j.xml"
    compared = ["regress", str(out), str(again), "--require", "not-worse", "--junit", str(junit)]
    assert run_command_line(compared) == 0
    root = ElementTree.parse(junit).getroot()
    assert root.attrib["name"] == r"out\x1b\xff to again"
    copy = ["synth", "--dataset", "folder", "--data-root", str(data), "--out", str(tmp_path / "s")]
    assert [run_command_line(copy) for _ in range(2)] == [0, 0]
    scored = ["score", "--restored", str(data), "--reference", str(data)]
    assert run_command_line([*scored, "--out", str(tmp_path / "scored")]) == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.err
    assert "6 were there already" in shown.out
    for folder in (out, again, tmp_path / "scored"):
        assert r"\xff\xfe" in (folder / "images.csv").read_text(encoding="utf-8")
        for file in folder.rglob("*"):
            if file.suffix in (".html", ".md", ".tex", ".csv", ".json", ".svg"):
                assert "\x1b" not in file.read_text(encoding="utf-8")


def test_networks_of_any_file_name_are_run_and_told(
    coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    own, net = (tmp_path / os.fsdecode(name) for name in (b"own\xff.py", b"net\xff.pt"))
    own.write_text("from torch.nn import Identity as own\n")
    shutil.copy(detector_file, net)
    words = ["run", "--dataset", "coco", "--data-root", str(coco_root), "--limit", "1"]
    words += ["--derainer", f"{own}:own", "--model", f"detection={net}"]
    words += ["--workspace", str(tmp_path / "w"), "--out", str(tmp_path / "out")]
    assert run_command_line(words) == 0
    again = ["report", str(tmp_path / "w"), "--out", str(tmp_path / "again")]
    assert run_command_line(again) == 0
    assert r"own\xff:own" in (tmp_path / "again" / "results.csv").read_text(encoding="utf-8")


def test_text_of_any_name_is_utf_8() -> None:
    assert text_of("a\udcff\udcfe") == r"a\xff\xfe"
    assert text_of("é\x1b") == "é\x1b"
    assert text_of("\ud800").encode()


def test_junit_is_xml_whatever_the_names(tmp_path: Path) -> None:
    hostile = "\x1b[31m\0\udcff\ufffe]]>&<a\n"
    file = tmp_path / "j.xml"
    write_junit(file, hostile, [Case(hostile, hostile, "failed", hostile)])
    (case,) = ElementTree.parse(file).getroot()
    assert case.attrib["name"] == case.attrib["classname"]
    assert r"\x1b[31m\x00\xff" in case.attrib["name"]


def test_a_workspace_that_disappears_ends_the_run(
    coco_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from derainers.restorer import Filter

    workspace, restore, lock = tmp_path / "w", Filter.restore, threading.Lock()

    def removing(self: Filter, image: object, sample_id: str) -> object:
        with lock:
            if workspace.exists():
                shutil.rmtree(workspace)
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


def test_a_full_disk_is_named_and_synth_leaves_no_empty_manifest(
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "copy"
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.is_relative_to(out):
            write(self, b"")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    def probed(folder: Path, size_bytes: int) -> None:
        if size_bytes > 1 and folder.is_relative_to(out):
            raise OSError(errno.ENOSPC, "No space left on device")

    words = ["synth", "--dataset", "coco", "--data-root", str(coco_root), "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        patch.setattr("harness.machine.disk._probe", probed)
        assert f"no room left on the disk of {out}: " in one_line(words, capsys)
    assert not [f for f in out.rglob("*") if f.is_file()]
    assert run_command_line([*words, "--limit", "2"]) == 0


def test_a_damaged_manifest_is_one_line(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["synth", "--dataset", "coco", "--data-root", str(coco_root)]
    words += ["--out", str(tmp_path / "copy"), "--limit", "2"]
    assert run_command_line(words) == 0
    file = tmp_path / "copy" / "manifest.jsonl"
    whole = file.read_bytes()
    capsys.readouterr()
    for line in (b"{}\n", b"[]\n", b"\xff\n", b'{"sample": 3}\n', b"[" * 10**5 + b"\n"):
        file.write_bytes(whole + line)
        assert "line 4 is damaged" in one_line(words, capsys)
    for head in (b"", b"\xff\xfe\n", b"[" * 10**5 + b"\n"):
        file.write_bytes(head)
        assert "no manifest of synth" in one_line(words, capsys)


def test_the_exit_statuses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command_line(["--help"])
    assert "2    not done: a mistake" in capsys.readouterr().out
