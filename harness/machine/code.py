"""Digests of our own sources as they are installed, so that results can be named by them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Holds the rooms: a checkout, or where a wheel was unpacked."""
KINDS = (".py", ".npz")
"""Files that decide numbers; weights have digests of their own."""


def code_of(places: Iterable[str], without: Collection[str] = ()) -> str:
    """One digest of some sources, the same in a checkout and in a wheel.

    Args:
        places: Files, and folders of which the files directly inside count, as paths below `ROOT`.
        without: Files in those folders that do not count.
    """
    h, left_out = hashlib.sha256(), frozenset(without)
    for place in sorted(set(places)):
        h.update(f"{place} {_place_sha256(place, left_out)}\n".encode())
    return h.hexdigest()


@cache
def _place_sha256(place: str, left_out: frozenset[str]) -> str:
    """Digest of the names and bytes of a place's files; read once in a process."""
    path, h = ROOT / place, hashlib.sha256()
    files = [path] if path.is_file() else [f for f in path.iterdir() if f.suffix in KINDS]
    files = [f for f in files if f.relative_to(ROOT).as_posix() not in left_out]
    for file in sorted(files):
        data = file.read_bytes()
        h.update(f"{file.relative_to(ROOT).as_posix()} {len(data)}\n".encode())
        h.update(data)
    return h.hexdigest()
