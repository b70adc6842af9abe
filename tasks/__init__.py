"""Image in, prediction, evidence, scores out."""

from __future__ import annotations

from tasks.rows import TASKS

__all__ = ["TASKS"]
