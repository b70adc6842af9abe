"""What can be wrong with a derainer."""

from __future__ import annotations


class DerainerError(ValueError):
    """A derainer that cannot be used as it is; the message names the cause and the remedy."""
