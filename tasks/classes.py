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
    names, known = list(dict.fromkeys(ours)), list(dict.fromkeys(theirs))
    found = {name: name if name in known else None for name in names}
    for name in names:
        same = [each for each in known if spelling(each) == spelling(name)]
        rivals = [each for each in names if spelling(each) == spelling(name)]
        if len(same) == len(rivals) == 1:
            found[name] = same[0]
    return found
