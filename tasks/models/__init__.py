"""Task networks by name."""

from __future__ import annotations

from tasks.models.rows import (
    BUNDLED,
    DEFAULTS,
    MODELS,
    OF_CONTENT,
    OF_DATASET,
    TRAINED_ON,
    WEIGHTS,
    ModelRow,
)

__all__ = [
    "BUNDLED",
    "DEFAULTS",
    "MODELS",
    "OF_CONTENT",
    "OF_DATASET",
    "TRAINED_ON",
    "WEIGHTS",
    "ModelRow",
]
