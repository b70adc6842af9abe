"""Files from elsewhere, from a server of this process."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import io
import os
import socketserver
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clock import Clock

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
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
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


def zipped(*, encrypted: bool = False, method: int = 0, size: int | None = None) -> bytes:
    """An archive of ``model.mat`` whose headers say what they should not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("model.mat", DATA)
    data = bytearray(buffer.getvalue())
    central = data.index(b"PK\1\2")
    for start, flags, kind, sizes in ((0, 6, 8, 22), (central, 8, 10, 24)):
        data[start + flags] |= encrypted
        if method:
            data[start + kind] = method
        if size is not None:
            data[start + sizes : start + sizes + 4] = size.to_bytes(4, "little")
    return bytes(data)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def whole(body: bytes) -> bytes:
    return HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "binary": bytes(range(256)) * 20,
    "half a status line": b"HTTP/1.1 2",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of ten digits": b"HTTP/1.1 2000000000 OK\r\n\r\n",
    "an endless status line": b"HTTP/1.1 200 " + b"x" * 100_000,
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "a fault of the server": b"HTTP/1.1 503 Busy\r\nRetry-After: x\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "a login": b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n",
    "too many headers": HEAD + b"".join(b"X-%d: y\r\n" % i for i in range(5000)),
    "an endless header": HEAD + b"X: " + b"y" * 200_000,
    "half a header": HEAD + b"Content-Len",
    "a header without a name": HEAD + b": x\r\n\r\nabc",
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\nabc",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nabc",
    "a length beyond all": HEAD + b"Content-Length: " + b"9" * 400 + b"\r\n\r\nabc",
    "more than allowed": HEAD + b"Content-Length: 99999999999\r\n\r\nabc",
    "broken off": HEAD + b"Content-Length: 7000\r\n\r\n" + DATA[:3000],
    "another file": whole(b"other"),
    "a page": whole(b"<html>captive portal</html>"),
    "compressed": HEAD + b"Content-Encoding: gzip\r\n\r\n" + b"\x1f\x8b\x08" + DATA,
    "broken chunks": CHUNKED + b"5\r\nab",
    "a chunk that is no number": CHUNKED + b"zz\r\nabc\r\n",
    "an endless chunk line": CHUNKED + b"5" * 100_000,
    "a negative chunk": CHUNKED + b"-5\r\nabc\r\n",
    "chunks without an end": CHUNKED + b"1b58\r\n" + DATA + b"\r\n",
    "around in a circle": b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    "to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "to nowhere": b"HTTP/1.1 301 Moved\r\nLocation: http://[::1\r\n\r\n",
    "to no host": b"HTTP/1.1 301 Moved\r\nLocation: http:///\xff\xfe\r\n\r\n",
    "a damaged zip": whole(zipped()[:-40]),
    "a zip with no bytes": whole(b"PK\5\6" + bytes(18)),
    "an encrypted zip": whole(zipped(encrypted=True)),
    "an unknown compression": whole(zipped(method=99)),
    "a zip that lies of its size": whole(zipped(size=5)),
    "a zip of a size beyond all": whole(zipped(size=2**32 - 2)),
    "a zip whose bytes changed": whole(zipped()[:42] + b"\xff\xff\xff" + zipped()[45:]),
}
"""What servers answer that do not give the file."""


@pytest.fixture
def raw_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., threading.Event]]:
    """Answers every connection with some bytes, a part at a time, and closes it."""
    said = [(b"", 0.0, 0, threading.Event())]
    ended = threading.Event()

    class Raw(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            answer, pause_s, at_once, given = said[-1]
            with contextlib.suppress(OSError):
                self.request.recv(1 << 16)
                step = 1 if pause_s else 1 << 16
                self.request.sendall(answer[:at_once])
                for start in range(at_once, len(answer), step):
                    self.request.sendall(answer[start : start + step])
                    if pause_s and ended.wait(pause_s):
                        return
                given.set()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Raw)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/x"
    sha256 = hashlib.sha256(DATA).hexdigest()
    plain = Source(url, sha256, "w/plain.pth", "none", "{}")
    for name in list(SOURCES):
        monkeypatch.delitem(SOURCES, name)
    monkeypatch.setitem(SOURCES, "plain", plain)
    inside = dataclasses.replace(plain, file="w/m.mat", member="model.mat")
    monkeypatch.setitem(SOURCES, "inside", inside)

    def answering(answer: bytes, pause_s: float = 0.0, at_once: int = 0) -> threading.Event:
        """Returns what is set once all of it was given."""
        said.append((answer, pause_s, at_once, threading.Event()))
        return said[-1][-1]

    yield answering
    ended.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", ANSWERS)
def test_whatever_a_server_answers_ends_in_one_line(
    kind: str,
    raw_server: Callable[..., threading.Event],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = tmp_path / "w" / "m.mat"
    kept.parent.mkdir()
    kept.write_bytes(b"an older one")
    raw_server(ANSWERS[kind])
    # A server that ends its chunks without saying so has given the whole file, as its sha256 tells.
    names = ("inside",) if kind == "chunks without an end" else ("plain", "inside")
    for name in names:
        assert run_command_line(["fetch", name, "--to", str(tmp_path)]) == 2
        shown = capsys.readouterr()
        assert shown.err.startswith(f"error: fetch {name}: ")
        assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert [f for f in tmp_path.rglob("*") if f.is_file()] == [kept]
    assert kept.read_bytes() == b"an older one"
    raw_server(whole(DATA))
    assert run_command_line(["fetch", "plain", "--to", str(tmp_path)]) == 0
    assert (tmp_path / "w" / "plain.pth").read_bytes() == DATA


@pytest.mark.parametrize("answer", [whole(DATA), HEAD + b"X-Y: z\r\n" * 90 + b"\r\n", b""])
def test_a_server_that_trickles_is_not_waited_for(
    answer: bytes,
    raw_server: Callable[..., threading.Event],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("harness.machine.sources.SILENCE_S", 0.5)
    given = raw_server(answer or b"x", 0.2 if answer else 600.0)
    assert run_command_line(["fetch", "plain", "--to", str(tmp_path)]) == 2
    assert not given.is_set(), "waited for all of it"
    assert capsys.readouterr().err.count("\n") == 1
    assert not [f for f in tmp_path.rglob("*") if f.is_file()]


def test_a_server_that_gives_too_few_bytes_in_a_minute_is_not_waited_for(
    raw_server: Callable[..., threading.Event],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Hasty(Clock):
        def monotonic(self) -> float:
            self.now_s += 40
            return self.now_s

    monkeypatch.setattr("harness.machine.sources.time", Hasty())
    head = whole(DATA)[: -len(DATA)]
    given = raw_server(whole(DATA), 0.2, len(head) + 9)
    assert run_command_line(["fetch", "plain", "--to", str(tmp_path)]) == 2
    assert not given.is_set(), "waited for all of it"
    assert "trickles: try again later\n" in capsys.readouterr().err
    assert not [f for f in tmp_path.rglob("*") if f.is_file()]


def test_what_a_killed_fetch_left_is_removed(sources: str, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    left, written = folder / "plain.pth.1.part", folder / "plain.pth.2.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    written.write_bytes(b"by a process of another machine")
    (folder / "plain.pth.mine").write_bytes(b"the user's")
    assert run_command_line(["fetch", "plain", "--to", str(tmp_path)]) == 0
    names = ["plain.pth", "plain.pth.2.part", "plain.pth.mine"]
    assert sorted(f.name for f in folder.iterdir()) == names


def test_without_a_name_it_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["fetch"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in SOURCES)


def test_every_source_names_its_digest() -> None:
    assert all(len(bytes.fromhex(source.sha256)) == 32 for source in SOURCES.values())
    assert len({source.file for source in SOURCES.values()}) == len(SOURCES)
