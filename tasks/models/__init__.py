"""Task networks by name."""

from __future__ import annotations

from tasks.models.rows import (
    BUNDLED,
    DEFAULTS,
    ENDINGS,
    MODELS,
    OF_CONTENT,
    OF_DATASET,
    PREFIXES,
    RUNS_CODE,
    TRAINED_ON,
    WEIGHTS,
    ModelRow,
    installed,
)

__all__ = [
    "BUNDLED",
    "DEFAULTS",
    "ENDINGS",
    "MODELS",
    "OF_CONTENT",
    "OF_DATASET",
    "PREFIXES",
    "RUNS_CODE",
    "TRAINED_ON",
    "WEIGHTS",
    "ModelRow",
    "installed",
]
