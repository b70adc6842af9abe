"""Several processes that train one network: which of them writes and speaks."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Whether this process writes: the only one, or the first of those that a launcher started.

    torchrun says RANK to each; what a process on several GPUs starts beside itself has LOCAL_RANK.
    """
    rank = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))
    return rank == "0"
