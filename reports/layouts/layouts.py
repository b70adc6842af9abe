"""Layouts of runs in which field and papers know them: name -> text of some runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reports.layouts.remedies import remedies
from reports.layouts.table6 import table6
from reports.results.results import Results

LAYOUTS: Mapping[str, Callable[[Sequence[Results], str], str]] = {
    "table6": table6,
    "remedies": remedies,
}
"""Functions of (runs, ``md`` or ``tex``)."""


def laid_out(layout: str, runs: Sequence[Results]) -> dict[str, str]:
    """The files of a layout by name: Markdown and LaTeX."""
    return {f"{layout}.{kind}": LAYOUTS[layout](runs, kind) for kind in ("md", "tex")}
