"""Tables for papers: LaTeX with booktabs, the best in bold and the second underlined."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.findings.leaders import places
from reports.results.conditions import conditions, floors
from reports.results.results import QUALITY
from reports.results.said import image_count
from reports.tables.summary import footnotes
from reports.tables.text import plain, words, written

if TYPE_CHECKING:
    from reports.results.cell import Cell
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
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\0": "{}",  # what `escaped` puts between two hyphens
    "\N{REPLACEMENT CHARACTER}": "?",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}
"""What LaTeX would take for something else, or does not know."""


BEST = (
    "Bold: the best value of a rain, where it differs from all others of that rain by more than "
    "chance (5 %, together); underlined: the second, where it differs so from all behind it."
)
MARKUP = ("textbf", "underline")
"""How the first two places are set."""
MOST_RAINS = 3
"""Rains that a caption names before it counts."""
NARROW = 6
"""Columns of numbers that one column of a paper holds."""


@dataclass(frozen=True)
class Float:
    """What stands around the rows of a table in a paper; all of it is plain text."""

    caption: str
    label: str
    """Without its ``tab:``."""
    notes: Sequence[str]
    """Stand below the table."""
    is_wide: bool
    """Whether it goes over both columns of a page."""

    def around(self, columns: str, rows: Sequence[str]) -> str:
        """The whole float.

        Args:
            columns: Their alignments, ``llrr``.
            rows: Lines of LaTeX between the outer rules.
        """
        name = "table*" if self.is_wide else "table"
        lines = [
            r"% needs \usepackage{booktabs,graphicx}",
            rf"\begin{{{name}}}",
            r"\centering",
            rf"\caption{{{escaped(self.caption)}}}",
            rf"\label{{tab:{self.label}}}",
            r"\small\setlength{\tabcolsep}{4pt}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\medskip",
            r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
            *map(escaped, self.notes),
            r"\end{minipage}",
            rf"\end{{{name}}}",
        ]
        return "\n".join(lines) + "\n"


def latex(results: Results) -> str:
    """The summary: a block of rows per rain, places among its derainers and the rainy input."""
    shown = results.columns
    marked: set[str] = set()
    rows: list[str] = []
    before: str | None = None
    leading = _places(results)
    several = len(results.lines) > 1
    for condition, (network, judges) in itertools.product(conditions(results), results.lines):
        if before is not None and condition.rain != before:
            rows.append(r"\midrule")
        before = condition.rain
        cells = [*map(escaped, words(condition)), *([escaped(network or "")] if several else [])]
        for task, metric in shown:
            judge = judges.get(task)
            record = judge and results.at(condition, judge, metric)
            text = "" if judge is None else escaped(written(results, record, marked))
            cells.append(placed(text, leading.get(record.cell) if record else None))
        rows.append(" & ".join(cells) + r" \\")
    places_of = ["rain", "derainer", *(["network"] if several else [])]
    titles = (escaped(results.metrics[m].heading) for _, m in shown)
    heading = " & ".join([*places_of, *titles]) + r" \\"
    notes = [*footnotes(results, marked), *([BEST] if leading else [])]
    about = Float(_caption(results), _label(results), notes, len(shown) > NARROW)
    columns = "l" * len(places_of) + "r" * len(shown)
    return about.around(columns, [heading, r"\midrule", *rows])


def _places(results: Results) -> Mapping[Cell, int]:
    """The places of all values of the table; nothing competes where it does not rain."""
    found: dict[Cell, int] = {}
    for rainy, judge in itertools.product(floors(results), results.judges):
        for metric in (m for task, m in results.columns if task == judge.task):
            rivals = [
                r
                for r in results.records
                if (r.judge, r.metric) == (judge, metric)
                and r.stage is None
                and r.condition.rainy == rainy
            ]
            found |= places(results, rivals)
    return found


def placed(text: str, place: int | None) -> str:
    """A cell's text as the first two places are set."""
    return text if place is None else rf"\{MARKUP[place]}{{{text}}}"


def _caption(results: Results) -> str:
    """What the table shows: task networks, data set, split, images, rains and seed."""
    first = next(iter(results.records), None)
    if first is None:
        return f"{results.spec.get('dataset', '')}: nothing was measured."
    judged = [
        f"{results.tasks[judge.task].title.lower()} by {judge.network}"
        for judge in results.judges
        if judge.task != QUALITY
    ]
    what = " and ".join([*judged, "image quality"] if results.held.get(QUALITY) else judged)
    n = image_count(max(r.n for r in results.records))
    data = f"{first.dataset} {first.split}".rstrip()
    said = f"{what[:1].upper()}{what[1:]} on {data} (n = {n}"
    rains = list(dict.fromkeys(c.rain for c in floors(results)))
    named = ", ".join(rains) if len(rains) <= MOST_RAINS else f"{len(rains)} rains"
    wet = {"": "", "given": ", with the rain that they bring"}.get(named, f", rain: {named}")
    return plain(f"{said}{wet}, seed {first.seed}).")


def _label(results: Results) -> str:
    """A name for references."""
    first = next(iter(results.records), None)
    if first is None:
        return "results"
    return slug(first.dataset, first.split, *(c.rain for c in floors(results)[:MOST_RAINS]))


def slug(*names: str) -> str:
    """Names as a label: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(names).lower()).strip("-") or "results"


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is, in its first encoding of fonts too."""
    told = re.sub("-(?=-)", "-\0", plain(text))  # two hyphens would be a dash
    return "".join(SIGNS.get(sign, sign) for sign in told)
