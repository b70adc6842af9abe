"""Files from elsewhere, from a server of this process."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.main import run_command_line
from harness.machine.sources import SOURCES, Source

DATA = b"weights" * 1000


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        files.writestr("release/../../evil.mat", b"evil")
        files.writestr("release/model.mat", DATA)
    return buffer.getvalue()


class Server(http.server.BaseHTTPRequestHandler):
    asked: int = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        content = {"/plain": DATA, "/zip": archive(), "/other": b"other"}.get(self.path)
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Server.asked = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    sha256 = hashlib.sha256(DATA).hexdigest()
    plain = Source(f"{url}/plain", sha256, "weights/plain.pth", "none", "--derainer prenet@{}")
    table = {
        "plain": plain,
        "inside": dataclasses.replace(plain, url=f"{url}/zip", file="m.mat", member="model.mat"),
        "other": dataclasses.replace(plain, url=f"{url}/other", file="o"),
        "gone": dataclasses.replace(plain, url=f"{url}/gone", file="g"),
        "nowhere": dataclasses.replace(plain, url="http://127.0.0.1:9/x", file="n"),
        "no-zip": dataclasses.replace(plain, file="z", member="model.mat"),
        "no-member": dataclasses.replace(plain, url=f"{url}/zip", file="y", member="absent.mat"),
    }
    for name in list(SOURCES):
        monkeypatch.delitem(SOURCES, name)
    for name, source in table.items():
        monkeypatch.setitem(SOURCES, name, source)
    yield url
    server.shutdown()


def test_a_file_is_fetched_once(
    sources: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run_command_line(["fetch", "plain", "inside", "--to", str(tmp_path)]) == 0
    assert (tmp_path / "weights" / "plain.pth").read_bytes() == DATA
    assert (tmp_path / "m.mat").read_bytes() == DATA
    assert Server.asked == 2
    assert f"--derainer prenet@{tmp_path}/weights/plain.pth" in capsys.readouterr().out
    (tmp_path / "m.mat").write_bytes(b"damaged")
    assert run_command_line(["fetch", "inside", "--to", str(tmp_path)]) == 0
    assert (tmp_path / "m.mat").read_bytes() == DATA


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("other", "gave another file than expected (sha256 "),
        ("gone", "/gone (Not Found)"),
        ("nowhere", "cannot reach http://127.0.0.1:9/x ("),
        ("no-zip", "the archive holds no model.mat"),
        ("no-member", "the archive holds no absent.mat"),
        ("plainn", "unknown file 'plainn' (did you mean plain?)"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    sources: str, tmp_path: Path, name: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["fetch", name, "--to", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not any(tmp_path.rglob("*"))


def test_without_a_name_it_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["fetch"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in SOURCES)


def test_every_source_names_its_digest() -> None:
    assert all(len(bytes.fromhex(source.sha256)) == 32 for source in SOURCES.values())
    assert len({source.file for source in SOURCES.values()}) == len(SOURCES)
