"""Whether a file is TorchScript, told without torch."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path


def is_torchscript(file: Path) -> bool:
    """Whether a file is TorchScript, which is code and no weights."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # of what is no archive, or a damaged one
        return False
    return has_code(names)


def has_code(names: Sequence[str]) -> bool:
    """Whether an archive of these names is TorchScript."""
    return f"{top_of(names)}constants.pkl" in names


def top_of(names: Sequence[str]) -> str:
    """What all names in an archive of PyTorch begin with."""
    return next((n.removesuffix("data.pkl") for n in names if n.endswith("/data.pkl")), "")
