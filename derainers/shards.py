"""Weights in several files, named as Hugging Face names them: ``NAME-00001-of-00002.safetensors``.

Needs no torch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

_NAME = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<count>\d{5})")


def shards(file: Path) -> list[Path]:
    """All files of some weights, in order, by one of them; most have but one."""
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return [file]
    name, count = match["name"], match["count"]
    return [
        file.with_name(f"{name}-{number:05}-of-{count}{file.suffix}")
        for number in range(1, int(count) + 1)
    ]


def card_file(file: Path) -> Path:
    """Where the card of some weights lies: beside them, without a number."""
    match = _NAME.fullmatch(file.stem)
    return file.with_name(f"{match['name'] if match else file.stem}.json")


def weights_sha256(file: Path) -> str:
    """Digest of a weight file's bytes; of all digests, a line each, where there are several."""
    digests = []
    for part in shards(file):
        with part.open("rb") as content:
            digests.append(hashlib.file_digest(content, "sha256").hexdigest())
    return combined(digests)


def combined(digests: Sequence[str]) -> str:
    """The digest of weights by those of their `shards`, as `weights_sha256`."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
