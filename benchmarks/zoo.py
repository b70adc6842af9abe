"""Fill in docs/zoo.md: every derainer and every family of task networks that a run can name.

python benchmarks/zoo.py

The rows are those of ``list derainers`` and ``list models``, less what depends on the machine.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from derainers.published import PUBLISHED
from harness.cli.main import run_command_line

PAGE = Path(__file__).parents[1] / "docs" / "zoo.md"
COLUMNS = {
    "derainers": (
        *("derainer", "weights", "parameters", "gain on its rains [dB]"),
        *("learned from", "terms"),
    ),
    "models": ("family", "task", "licence", "how it sees pictures"),
}


def listed(what: str) -> list[dict[str, Any]]:
    """The rows of a verb ``list WHAT --json``, the same on every machine."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        run_command_line(["list", what, "--json"])
    rows: list[dict[str, Any]] = json.loads(said.getvalue())
    for row in rows:
        if row.get("derainer") in PUBLISHED:
            row |= {"weights": f"fetch {row['derainer']}", "parameters": None}
    return rows


def table(what: str) -> str:
    """One table as Markdown."""
    columns = COLUMNS[what]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in listed(what):
        lines.append("| " + " | ".join(_shown(row[name]) for name in columns) + " |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(value)
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("[", "\\[")


def filled(text: str) -> str:
    """The page with its tables made anew."""
    for what in COLUMNS:
        start, end = f"<!-- {what} -->\n", "<!-- end -->"
        before, rest = text.split(start)
        _, after = rest.split(end, 1)
        text = f"{before}{start}{table(what)}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
