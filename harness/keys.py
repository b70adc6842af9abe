"""Chained hashes: a stage's key holds its input's key and all that decides its output."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """One JSON text per value: sorted keys, no blanks, no NaN."""
    return _ENCODER.encode(value)


def key(stage: str, **parts: Any) -> str:
    """The key of one stage's output."""
    return hashlib.sha256(canonical([stage, parts]).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pixels_sha256(image: NDArray[np.uint8]) -> str:
    """Digest of an image's shape and pixels."""
    h = hashlib.sha256(str(image.shape).encode())
    h.update(np.ascontiguousarray(image).data)
    return h.hexdigest()


@cache
def version(package: str) -> str | None:
    """Installed version of a package, read without importing it; None if absent."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Installed versions, for a key."""
    return {package: version(package) for package in sorted(packages)}
