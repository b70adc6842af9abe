"""Writing copies of images: whole files or none, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TypeVar

from harness.plan import keys

T = TypeVar("T")
R = TypeVar("R")


def replace_file(file: Path, data: bytes) -> None:
    """Write a file that is whole or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_written(
    out: Path, line: Mapping[str, str], files: Mapping[str, PurePosixPath | str]
) -> None:
    """Remove files of a copy that hold what a line of its manifest says.

    Args:
        out: Folder of the copy.
        line: Digests by name.
        files: The files by the names of their digests.
    """
    for name, place in files.items():
        file = out / place
        if file.is_file() and keys.file_sha256(file) == line.get(name):
            file.unlink()


def in_parallel(work: Callable[[T], R], todo: Sequence[T], workers: int) -> Iterator[R]:
    """Results in order, a few ahead of the one that is asked for."""
    with ThreadPoolExecutor(workers) as pool:
        ahead = 2 * workers
        pending = [pool.submit(work, each) for each in todo[:ahead]]
        try:
            for i in range(len(todo)):
                result = pending.pop(0).result()
                if i + ahead < len(todo):
                    pending.append(pool.submit(work, todo[i + ahead]))
                yield result
        finally:
            for future in pending:
                future.cancel()
