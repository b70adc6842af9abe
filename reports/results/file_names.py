"""Words as parts of files' names."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

LONGEST_BYTES = 80
"""Of such a part: a file's name has at most 255 bytes."""


def file_names(words: Iterable[str]) -> dict[str, str]:
    """Words as parts of files' names, each its own, also where the case of letters does not count.

    Letters, digits and a few signs stay. Where two words would share a name, or one is too long,
    the beginning of its sha256 tells it apart.
    """
    plain = {word: re.sub(r"[^\w.=-]+", "-", word) for word in words}
    shared = Counter(name.casefold() for name in plain.values())
    return {
        word: name
        if shared[name.casefold()] == 1 and len(name.encode()) <= LONGEST_BYTES
        else told_apart(name, word)
        for word, name in plain.items()
    }


def told_apart(name: str, word: str) -> str:
    """The beginning of a name, and that of the sha256 of the word that it stands for."""
    kept = name.encode()[: LONGEST_BYTES - 9].decode(errors="ignore")
    return f"{kept}-{hashlib.sha256(word.encode()).hexdigest()[:8]}"
