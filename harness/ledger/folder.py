"""A finished run as an ``--out`` folder holds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.plan.rows import with_rows
from harness.spec import UsageError
from reports.results.results import Results
from reports.results.written import parse


def load(folder: str | Path) -> Results:
    """The numbers of a run from the folder that ``run --out`` or `harness.report` wrote.

    Args:
        folder: Holds ``results.json`` and ``draws.npz``.

    Returns:
        Records, in the units that they name, and the draws of each; without pictures, curves and
        the numbers of single images, which a workspace keeps.

    Raises:
        UsageError: If the files are not there or damaged.
    """
    folder = Path(folder)
    try:
        text = (folder / "results.json").read_text(encoding="utf-8")
        with np.load(folder / "draws.npz", allow_pickle=False) as draws:
            arrays = {f"draws|{cell}": draws[cell] for cell in draws.files}
        return with_rows(parse(text, arrays))
    except OSError as error:
        raise UsageError(f"{folder}: no results: {error.strerror}: give an --out folder") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError) as error:
        raise UsageError(f"{folder}: damaged results: run again to make them") from error
    except Exception as error:  # zipfile.BadZipFile and zlib.error share no base
        raise UsageError(f"{folder}: damaged draws.npz: run again to make it") from error
