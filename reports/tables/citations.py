"""How to cite what a run used: the papers of its data, rains, derainers, networks and metrics."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.results.results import Results

REFERENCES = Path(__file__).parent / "references.bib"
"""Every entry; its ``keywords`` say what it is cited for: ``derainer prenet*``."""
ALWAYS = "always"
KEYWORDS = re.compile(r" keywords = \{([^}]*)\},")
HEAD = """\
% What this run used, by names that the harness knows: whatever you brought yourself is missing.
"""


def citations(results: Results) -> str:
    """The entries for a run, as BibTeX."""
    used = {ALWAYS, *_used(results)}
    found = [KEYWORDS.sub("", entry) for entry, patterns in entries() if _is_of(patterns, used)]
    return "\n".join([HEAD, *found])


def entries() -> Iterator[tuple[str, list[str]]]:
    """Every entry, with what it is cited for."""
    for entry in REFERENCES.read_text(encoding="utf-8").split("\n\n"):
        told = KEYWORDS.search(entry)
        yield f"{entry.strip()}\n", told[1].split(", ") if told else []


def _is_of(patterns: list[str], used: set[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in used)


def _used(results: Results) -> Iterator[str]:
    """Kind and name of everything that stands in the records and in the spec's words."""
    for r in results.records:
        yield from (f"data {r.dataset}", f"rain {r.rain}", f"metric {r.metric}")
        yield from (f"derainer {r.derainer}", f"network {r.model}")
    for word in results.spec.get("derainer", ()):
        yield from (f"derainer {part}" for part in re.split(r"[+=@:,]", word))
    for words in results.spec.get("model", {}).values():
        for word in [words] if isinstance(words, str) else words:
            yield from (f"network {part}" for part in re.split(r"[=@:,/]", word))
