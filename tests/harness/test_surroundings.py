"""Faults of the surroundings: one line, exit status 2, and nothing lost."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command import ROOT
from typed import one_line, quick

from datasets.image import encode_png
from datasets.names import text_of
from harness.checks.junit import Case, write_junit
from harness.cli.main import run_command_line
from harness.machine.disk import surroundings_error
from harness.spec import UsageError

NAMES = (b"plain", b"\xff\xfe", b"a\x1b[31mred", b"new\nline", b"<b>&amp", b"\x7fdel")


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
