"""Chained hashes: a stage's key holds its input's key and all that decides its output."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring_ascii
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.spec import UsageError

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """One JSON text per value: sorted keys, no blanks, no NaN."""
    return _ENCODER.encode(value)


def key(stage: str, **parts: Any) -> str:
    """The key of one stage's output."""
    return hashlib.sha256(canonical([stage, parts]).encode()).hexdigest()


class Pattern:
    """`key` for many outputs of one stage, which differ in a few parts; several times as quick."""

    def __init__(self, stage: str, varying: Iterable[str], **fixed: Any) -> None:
        """Take the parts that stay, and the names of those that vary."""
        marks = {name: f"\0{name}\0" for name in sorted(varying)}
        self._end = canonical([stage, fixed | marks])
        self._pieces = []
        for name, mark in marks.items():
            piece, _, self._end = self._end.partition(canonical(mark))
            self._pieces.append((name, piece))

    def key(self, **parts: str | None) -> str:
        """The key, with the parts that vary."""
        text = ""
        for name, piece in self._pieces:
            part = parts[name]
            text += piece + ("null" if part is None else encode_basestring_ascii(part))
        return hashlib.sha256((text + self._end).encode()).hexdigest()


def named(origin: str | None) -> dict[str, str]:
    """What a row of an installed package adds to a key; rows of ours add nothing."""
    return {} if origin is None else {"package": origin}


def decoder(decode: Callable[..., Any]) -> str:
    """Names what decodes a file: a function by its place, an object by its ``repr``."""
    if isinstance(decode, functools.partial):
        values = (*map(repr, decode.args), *(f"{k}={v!r}" for k, v in decode.keywords.items()))
        return f"{decoder(decode.func)}({', '.join(values)})"
    if isinstance(decode, FunctionType):
        return f"{decode.__module__}.{decode.__qualname__}"
    return repr(decode)


def file_sha256(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_same(files: Mapping[Path, str]) -> None:
    """Refuse files that are no longer what they were when they were named.

    Raises:
        UsageError: Naming the first.
    """
    for file, digest in files.items():
        if file_sha256(file) != digest:
            raise UsageError(f"{file.name} changed under the run: run again while nothing writes")


def pixels_sha256(image: NDArray[np.uint8]) -> str:
    """Digest of an image's shape and pixels."""
    h = hashlib.sha256(str(image.shape).encode())
    h.update(np.ascontiguousarray(image).data)
    return h.hexdigest()
