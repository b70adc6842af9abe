"""Which class of a network is which of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from datasets.categories import meaning, spelling


def matched(ours: Iterable[str], theirs: Sequence[str]) -> dict[str, str | None]:
    """The network's name of each class of a data set.

    Names that are the same go together; of the others those that differ in spelling alone
    (``Person``, ``traffic_light``), then those that are other words for the same
    (``pedestrian``), where there is one of each.

    Args:
        ours: Names that the data set has.
        theirs: Names that the network has.

    Returns:
        None for a class that the network does not know.
    """
    known = set(theirs)
    found = {name: name if name in known else None for name in ours}
    for alike in (spelling, meaning):
        candidates = _by(alike, known)
        for text, names in _by(alike, found).items():
            same = candidates.get(text, [])
            if len(names) == len(same) == 1:
                found[names[0]] = same[0]
    return found


def _by(alike: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(alike(name), []).append(name)
    return grouped
