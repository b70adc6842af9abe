"""Whether the five packages that are imported are this harness's, and not others of their names."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from harness.spec import UsageError

HOME = Path(__file__).resolve().parents[2]
"""Where they lie."""
ROOMS = ("datasets", "derainers", "tasks", "reports")
OWN_ENVIRONMENT = "python3 -m venv .venv && .venv/bin/python -m pip install derain-harness"


def foreign_room() -> str | None:
    """One line about a package of ours that another hides, with the remedy; None where all are."""
    for name in ROOMS:
        found = importlib.util.find_spec(name)
        where = Path(found.origin).resolve() if found and found.origin else None
        if where is None:
            return f"'import {name}' finds nothing: install derain-harness anew"
        # Installed beside each other, both lie in one folder, file among file.
        is_mixed = where.parent.parent == HOME and any(HOME.glob(f"{name}-*.dist-info"))
        if where.parent.parent == HOME and not is_mixed:
            continue
        if is_mixed or "site-packages" in where.parts or "dist-packages" in where.parts:
            whose = " (Hugging Face's)" * (name == "datasets")
            return (
                f"another package called {name}{whose} is installed here, in the way of the "
                "harness's own; both cannot share an environment: "
                f"{OWN_ENVIRONMENT} makes one for this"
            )
        return (
            f"'import {name}' finds {where}, not the harness's own package: rename that file or "
            "folder, or run from elsewhere (python -m harness may run beside it)"
        )
    return None


def require_ours() -> None:
    """Make sure of it.

    Raises:
        UsageError: The one line.
    """
    wrong = foreign_room()
    if wrong is not None:
        raise UsageError(wrong)
