"""Parts of a data set that are scored by themselves: night, snow, one city."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Sample

MOST = 10
"""An attribute with more values than that is no way to cut a set up."""


def parts(samples: Sequence[Sample]) -> dict[str, NDArray[np.int64]]:
    """Places of the images of each part, by ``attribute=value``.

    An attribute counts that has two to `MOST` values; images that lack it are in none of its parts.
    """
    found = {}
    for attribute in sorted({name for s in samples for name in s.attributes}):
        values = [s.attributes.get(attribute) for s in samples]
        known = sorted({v for v in values if v is not None})
        if 2 <= len(known) <= MOST:
            for value in known:
                places = np.flatnonzero([v == value for v in values])
                found[f"{attribute}={value}"] = places
    return found
