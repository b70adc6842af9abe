"""Files from elsewhere, checked by sha256: the only place that opens a connection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import shutil
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from derainers.published import PUBLISHED, Published
from harness.machine.files import aside, remove_left
from harness.spec import UsageError

_YOLO = "https://huggingface.co/Ultralytics/YOLOv8/resolve/8a9e1a55f987a77f9966c2ac3f80aa8aa37b3c1a"

SILENCE_S = 60.0
"""Longest silence of a server, and the time in which it must give `LEAST_BYTES`."""
LEAST_BYTES = 1 << 14
MOST_BYTES = 1 << 30
"""Longer answers are broken off."""


@dataclass(frozen=True)
class Source:
    """A file that can be fetched."""

    url: str
    sha256: str
    """Digest of the file itself, also where it comes inside an archive."""
    file: str
    """Where it goes, below the folder of fetched files."""
    licence: str
    used_by: str
    """How it is named on the command line; ``{}`` is the file's path."""
    member: str | None = None
    """Name of the file inside the zip archive that the URL gives."""


def _published(name: str, file: Published) -> Source:
    """A weight file of a network's authors."""
    used_by = f"--derainer {file.derainer}@{{}}"
    return Source(file.url, file.sha256, f"weights/{name}.pth", file.licence, used_by)


SOURCES: dict[str, Source] = {
    "yolov8n": Source(
        f"{_YOLO}/yolov8n.pt",
        "31e20dde3def09e2cf938c7be6fe23d9150bbbe503982af13345706515f2ef95",
        "weights/yolov8n.pt",
        "AGPL-3.0",
        "--task detection",
    ),
    **{name: _published(name, file) for name, file in PUBLISHED.items()},
    "sseq-model": Source(
        "http://live.ece.utexas.edu/research/quality/SSEQ_release.zip",
        "69c1472fbabb10714ecea21cebbf84c08580cacb4bb9858a8a231aabf124561e",
        "sseq/model.mat",
        "LIVE's own, any use with its notice kept",
        "--quality sseq",
        member="model.mat",
    ),
}
"""Every file that can be fetched, literally; addresses name a commit where there is one."""


def fetch_source(
    name: str, source: Source, folder: Path, progress: Callable[[int, int], None] = lambda *_: None
) -> Path:
    """Download a file, unless it is there already.

    Args:
        name: Of it, for errors.
        source: Where it is fetched from, and what it must be.
        folder: Where fetched files lie.
        progress: Told of (bytes so far, bytes in all or 0).

    Returns:
        The file.

    Raises:
        UsageError: If it cannot be reached or its content is another.
    """
    target = folder / source.file
    if target.is_file() and _sha256(target) == source.sha256:
        return target
    with _aside(target) as part:
        _download(name, source, part, progress)
        if source.member is not None:
            _unpack(name, part, source.member)
        found = _sha256(part)
        if found != source.sha256:
            raise UsageError(
                f"fetch {name}: {source.url} gave another file than expected "
                f"(sha256 {found[:12]}…, not {source.sha256[:12]}…): get it elsewhere, to {target}"
            )
        part.replace(target)
    return target


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A name beside a file for what is not the file yet; it is removed, also what kills left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_left(target.parent, f"{target.name}.*.part")
    part = aside(target, "part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _download(name: str, source: Source, part: Path, progress: Callable[[int, int], None]) -> None:
    """Write what the address gives into a file."""
    answers: queue.Queue[int | bytes | Exception] = queue.Queue(16)
    # A thread of its own may wait for ever for what trickles; we do not wait for it.
    threading.Thread(target=_read, args=(source.url, answers), daemon=True).start()
    length = total = before = 0
    since = time.monotonic()
    with part.open("wb") as file:
        while True:
            try:
                got = answers.get(timeout=SILENCE_S)
            except queue.Empty:
                raise UsageError(f"fetch {name}: {source.url} is silent: try again later") from None
            if isinstance(got, Exception):
                reason = getattr(got, "reason", None) or str(got) or type(got).__name__
                raise UsageError(f"fetch {name}: cannot reach {source.url} ({reason})") from got
            if isinstance(got, int):
                total = got
                continue
            if not got:
                break
            file.write(got)
            length += len(got)
            progress(length, total)
            if max(length, total) > MOST_BYTES:
                raise UsageError(f"fetch {name}: {source.url} gives more than 1 GiB")
            if time.monotonic() - since > SILENCE_S:
                if length - before < LEAST_BYTES:
                    raise UsageError(f"fetch {name}: {source.url} trickles: try again later")
                since, before = time.monotonic(), length
        os.fsync(file.fileno())
    if length < total:
        raise UsageError(
            f"fetch {name}: {source.url} broke off after {length:,} of {total:,} bytes: try again"
        )


def _read(url: str, answers: queue.Queue[int | bytes | Exception]) -> None:
    """Hand on what an address gives: its length, 0 where that is not told, its parts, and an end.

    Whatever is wrong with the answer is handed on too, and ends it.
    """
    try:
        with urllib.request.urlopen(url, timeout=SILENCE_S) as answer:
            told = answer.headers.get("Content-Length") or ""
            answers.put(int(told) if told.isdecimal() and len(told) < 20 else 0)
            while part := answer.read1(1 << 16):
                answers.put(part)
        answers.put(b"")
    except Exception as error:
        answers.put(error)


def _unpack(name: str, archive: Path, member: str) -> None:
    """Put one file of a zip archive in the archive's place, whichever folder of it holds it."""
    inner = aside(archive, "part")
    try:
        with zipfile.ZipFile(archive) as files:
            inside = [f for f in files.infolist() if f.filename.rsplit("/", 1)[-1] == member]
            if not inside:
                raise UsageError(f"fetch {name}: the archive holds no {member}")
            if inside[0].file_size > MOST_BYTES:
                raise UsageError(f"fetch {name}: {member} of the archive is more than 1 GiB")
            with files.open(inside[0]) as packed, inner.open("wb") as file:
                shutil.copyfileobj(packed, file)
        inner.replace(archive)
    except (UsageError, OSError):
        raise
    except Exception as error:  # archives fail in many ways, without a common base
        reason = str(error) or type(error).__name__
        raise UsageError(
            f"fetch {name}: the archive holds no {member} that can be read ({reason})"
        ) from error
    finally:
        inner.unlink(missing_ok=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
