"""Which class of a network is which of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datasets.categories import spelling


def matched(ours: Iterable[str], theirs: Sequence[str]) -> dict[str, str | None]:
    """The network's name of each class of a data set.

    Names that are the same go together; of the others those that differ in spelling alone
    (``Person``, ``traffic_light``), where there is one of each.

    Args:
        ours: Names that the data set has.
        theirs: Names that the network has.

    Returns:
        None for a class that the network does not know.
    """
    known = set(theirs)
    found = {name: name if name in known else None for name in ours}
    rivals, candidates = _by_spelling(found), _by_spelling(known)
    for spelt, names in rivals.items():
        same = candidates.get(spelt, [])
        if len(names) == len(same) == 1:
            found[names[0]] = same[0]
    return found


def _by_spelling(names: Iterable[str]) -> dict[str, list[str]]:
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(spelling(name), []).append(name)
    return alike
