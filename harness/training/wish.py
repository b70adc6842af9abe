"""What the command line says of how a network learns. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

LOSSES = {
    "l1": "mae",
    "mse": "mse",
    "ssim": "negative-ssim",
    "charbonnier": "charbonnier",
    "charbonnier-edge": "charbonnier-edge",
}
"""Losses of own networks by the word of ``--loss``, as `derainers.training.losses` names them."""
KINDS = ("paper", "release", "short", "short-gpu", "benchmark")


@dataclass(frozen=True)
class Wish:
    """What the command line says of how a network learns."""

    recipe: str | None = None
    """One of `KINDS`; None = the paper's, of an own network ``short``."""
    loss: str | None = None
    """Of an own network: a key of `LOSSES`, or ``FILE.py:FUNCTION`` of (restored, clean)."""
    learning_rate: float | None = None
    """Of an own network."""
