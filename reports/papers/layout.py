"""Printed tables laid out as in print, what was measured behind each number."""

from __future__ import annotations

from collections.abc import Mapping

from reports.papers.claims import Claim, Table
from reports.tables.text import grid


def laid_out(
    table: Table,
    measured: Mapping[Claim, float],
    own: Mapping[str, Mapping[str, float]] | None = None,
) -> list[str]:
    """Lines of a Markdown table with the rows and columns of print.

    Args:
        table: The printed numbers.
        measured: Of some of them what came out here, in the unit of print. It stands behind a
            semicolon, with as many decimals as print has.
        own: Further rows below, by name: their values by column.
    """
    rows: dict[str, dict[str, str]] = {}
    for claim in table.claims:
        cell = f"{claim.value:.{claim.decimals}f}"
        if claim in measured:
            cell += f"; {measured[claim]:.{claim.decimals}f}"
        rows.setdefault(claim.row, {})[claim.column] = cell
    decimals = {claim.column: claim.decimals for claim in table.claims}
    for name, values in (own or {}).items():
        rows[name] = {column: f"{v:.{decimals[column]}f}" for column, v in values.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [[name, *(row.get(column, "-") for column in columns)] for name, row in rows.items()]
    return [
        f"{table.paper}, table {table.table}: {table.caption}",
        "",
        *grid(["", *columns], lines),
    ]
