"""Tables for papers: LaTeX with booktabs, the best in bold, the second best underlined."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.results.cell import Condition, Judge
from reports.results.conditions import conditions
from reports.results.metrics import MetricRow
from reports.tables.summary import notes
from reports.tables.text import plain, words, written

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"\textsuperscript{\dag}",
    "‡": r"\textsuperscript{\ddag}",
    "−": "$-$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "–": "--",
    "×": r"$\times$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "\N{REPLACEMENT CHARACTER}": "?",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}
"""What LaTeX would take for something else, or does not know."""


def latex(results: Results) -> str:
    """The summary: a block of rows per rain, ranks among its derainers and the rainy input."""
    shown = results.columns
    marked: set[str] = set()
    rows: list[list[str] | None] = []
    before: str | None = None
    several = len(results.lines) > 1
    for condition, (network, judges) in itertools.product(conditions(results), results.lines):
        if before is not None and condition.rain != before:
            rows.append(None)
        before = condition.rain
        cells = [*map(escaped, words(condition)), *([escaped(network or "")] if several else [])]
        for task, metric in shown:
            judge = judges.get(task)
            if judge is None:
                cells.append("")
                continue
            record = results.at(condition, judge, metric)
            text = escaped(written(results, record, marked))
            rivals = _rivals(results, condition, judge, metric)
            cells.append(ranked(text, record, rivals, results.metrics[metric]))
        rows.append(cells)
    best = "Bold: the best of a rain and metric; underlined: the second; †, ‡ and ? rows count."
    caption = " ".join([*notes(results, marked), best])
    titles = (escaped(results.metrics[m].heading) for _, m in shown)
    return tabular(
        ["rain", "derainer", *(["network"] if several else []), *titles],
        rows,
        caption,
    )


def _rivals(results: Results, condition: Condition, judge: Judge, metric: str) -> list[Record]:
    """Records of one rain, among which the best is marked; none where nothing competes."""
    if condition.is_dry:
        return []
    rows = [r for r in results.records if (r.judge, r.metric) == (judge, metric)]
    return [r for r in rows if r.stage is None and r.condition.rainy == condition.rainy]


def ranked(text: str, record: Record | None, rivals: Sequence[Record], row: MetricRow) -> str:
    """A cell's text, bold where no rival's value is better, underlined where one value is."""
    if record is None or record.value is None or record not in rivals:
        return text
    values = {r.value for r in rivals if r.value is not None}
    if len(values) < 2:
        return text
    own, up = record.value, row.higher_is_better
    better = sum(v > own if up else v < own for v in values)
    mark = {0: "textbf", 1: "underline"}.get(better)
    return text if mark is None else rf"\{mark}{{{text}}}"


def tabular(headings: Sequence[str], rows: Sequence[Sequence[str] | None], caption: str) -> str:
    """A whole table float; None among the rows is a rule, cells are LaTeX already."""
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\begin{{tabular}}{{ll{'r' * (len(headings) - 2)}}}",
        r"\toprule",
        " & ".join(headings) + r" \\",
        r"\midrule",
        *(r"\midrule" if row is None else " & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return "".join(SIGNS.get(sign, sign) for sign in plain(text))
