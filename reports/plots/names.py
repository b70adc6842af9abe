"""Names that leave a plot room for its data, and can still be told apart."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from reports.results.conditions import conditions, derainers
from reports.tables.text import condition_name, parts, plain

if TYPE_CHECKING:
    from reports.results.cell import Condition
    from reports.results.results import Results

LONGEST = 36
"""Letters of a name in a plot."""
BEGIN, BEFORE = 10, 6
"""Of those of a name whose cut is another's: its first, and those before it differs."""
BETWEEN = " · "
K = TypeVar("K", bound=Hashable)


def short(name: str) -> str:
    """A name by its beginning and its end."""
    return _cut([plain(name)], LONGEST)


def shorts(names: Mapping[K, Sequence[str]]) -> dict[K, str]:
    """Names of a plot, each its own.

    Args:
        names: The parts of each, a rain and a derainer, all of which keep beginning and end.
    """
    found = {key: _cut(of, LONGEST) for key, of in names.items()}
    for alike in [name for name, times in Counter(found.values()).items() if times > 1]:
        texts = {key: BETWEEN.join(of) for key, of in names.items() if found[key] == alike}
        signs = zip(*texts.values(), strict=False)
        same = len(list(takewhile(lambda each: len(set(each)) == 1, signs)))
        found |= {key: _from(text, same) for key, text in texts.items()}
    shared = Counter(found.values())
    return {k: name if shared[name] == 1 else f"{name} {_digest(k)}" for k, name in found.items()}


def rains(results: Results) -> dict[str, str]:
    """The rains of a run as its plots call them."""
    return shorts({c.rain: [plain(c.rain)] for c in conditions(results)})


def ways(results: Results) -> dict[str, str]:
    """The derainers of a run with their stages, by `Condition.name`, as its plots call them."""
    called = {c.name: [condition_name(c)] for c in conditions(results)}
    return shorts({name: called[name] for name in derainers(results)})


def labels(shown: Iterable[Condition]) -> dict[Condition, str]:
    """Conditions as ticks."""
    return shorts({condition: parts(condition) for condition in shown})


def _cut(parts: Sequence[str], most: int) -> str:
    """Parts with what is too long left out in their middles, the longest first."""
    left, kept = most - len(BETWEEN) * (len(parts) - 1), list(parts)
    by_length = sorted(range(len(parts)), key=lambda i: len(parts[i]))
    for others, place in zip(range(len(parts), 0, -1), by_length, strict=True):
        text, room = parts[place], left // others
        if len(text) > room:
            end = (room - 1) // 2
            kept[place] = f"{text[: room - 1 - end]}…{text[len(text) - end :]}"
        left -= len(kept[place])
    return BETWEEN.join(kept)


def _from(text: str, place: int) -> str:
    """The beginning of a name, and what stands from shortly before a place on."""
    if len(text) <= LONGEST:
        return text
    rest = text[max(BEGIN, place - BEFORE) :]
    room = LONGEST - BEGIN - 1
    return f"{text[:BEGIN]}…{rest if len(rest) <= room else f'{rest[: room - 1]}…'}"


def _digest(key: Hashable) -> str:
    """What tells names apart that differ in several places, or not at all as text."""
    return hashlib.sha256(str(key).encode()).hexdigest()[:6]
