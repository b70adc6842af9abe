"""Which images a mean leaves out: those that equal their reference, or have no value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def gap(values: NDArray[np.floating[Any]]) -> bytes | None:
    """The images that a mean of these values leaves out, to compare; None where it has all."""
    finite = np.isfinite(values)
    return None if finite.all() else finite.tobytes()
