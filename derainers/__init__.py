"""Derainers: rainy image in, rain-free image out."""

from __future__ import annotations

from derainers.errors import DerainerError
from derainers.rows import DERAINERS, WEIGHTS, DerainerRow

__all__ = ["DERAINERS", "WEIGHTS", "DerainerError", "DerainerRow"]
