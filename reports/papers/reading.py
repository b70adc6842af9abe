"""Reads the files of printed numbers beside this one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from reports.papers.claims import OF_PRINT_ALONE, PRINTED, SLACK, Claim, ClaimError, Table
from reports.results.metrics import MetricRow

FOLDER = Path(__file__).parent
PAPERS = ("mscg", "mspfn", "granet", "dcsfn", "hrrsr", "baselines", "later")
"""Files of `FOLDER`; ``baselines`` are authors' own numbers outside of the five papers."""
NOT_OF = {"images": {"method"}, "parameters": {"dataset", "split"}}
"""What the claims of some metrics are not of."""


Rows = Mapping[str, MetricRow]
"""Unit and direction of the harness's metrics."""


def read_tables(rows: Rows, paper: str | None = None, folder: Path = FOLDER) -> list[Table]:
    """The tables of a paper, or of all.

    Args:
        rows: The metrics that print is compared with.
        paper: One of `PAPERS`; None = all.
        folder: Where the files lie.

    Raises:
        ClaimError: An unknown paper, or a file that is not as this module says.
    """
    if paper is not None and paper not in PAPERS:
        raise ClaimError(f"unknown paper '{paper}': choose among {', '.join(PAPERS)}")
    names = [name for name in PAPERS if paper in (None, name)]
    return [table for name in names for table in _tables(rows, name, folder)]


def read_claims(rows: Rows, paper: str | None = None, folder: Path = FOLDER) -> list[Claim]:
    """The claims of a paper, or of all, in the order of print; see `read_tables`."""
    return [claim for table in read_tables(rows, paper, folder) for claim in table.claims]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Facts(_Strict):
    """What a label, a table or a file says of its numbers; null takes back what stands before."""

    metric: str | None = None
    unit: Literal["percent", "million"] | None = None
    protocol: str | None = None
    method: str | None = None
    derainer: str | None = None
    dataset: str | None = None
    split: str | None = Field(default=None, pattern=r"^((train|test|mean)(-\d+)?|unstated)$")
    size_px: str | None = Field(default=None, pattern=r"^\d+x\d+$")
    trained_on: str | None = None
    rounding: Literal["rounded", "truncated"] = "rounded"
    slack: float | str | None = None
    """Instead of the metric's: in the unit of print, or of the value as in ``2 %``."""
    note: str | None = None
    differs: str | None = None
    cannot_run: str | None = None

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str | None) -> str | None:
        if metric is not None and metric not in SLACK:
            raise ValueError(f"unknown metric '{metric}': choose among {', '.join(SLACK)}")
        return metric

    @field_validator("slack")
    @classmethod
    def _absolute_or_share(cls, slack: float | str | None) -> float | str | None:
        if isinstance(slack, str) and not re.fullmatch(r"\d+(\.\d+)? %", slack):
            raise ValueError(f"expected a number or 'N %', got '{slack}'")
        return slack


class _Block(_Strict):
    """One table, or one of the blocks of a table that has several."""

    table: str
    caption: str = ""
    """The table's caption; its further blocks have none."""
    facts: _Facts = _Facts()
    slash: str | None = None
    """Labels of the values that a cell holds between slashes."""
    legend: dict[str, _Facts] = {}
    """Labels of this block, before the file's."""
    printed: str
    """The block in Markdown, without the line below its head."""
    cells: dict[str, _Facts] = {}
    """Facts of single numbers, by ``row | column``."""


class _File(_Strict):
    title: str
    source: str
    counts: dict[str, int]
    """Numbers of each table, so that none gets lost."""
    facts: _Facts = _Facts()
    notes: list[str]
    """What is inconsistent or missing in print."""
    legend: dict[str, _Facts] = {}
    tables: list[_Block]


@dataclass(frozen=True)
class _Number:
    """What stands at one place of a printed block."""

    row: str
    column: str
    """With the label of the place between slashes, if there are any."""
    labels: tuple[str, ...]
    """The labels of column, row and place, each as the legend has them."""
    text: str

    def key(self) -> str:
        return f"{self.row} | {self.column}"


def _tables(rows: Rows, paper: str, folder: Path) -> list[Table]:
    file = folder / f"{paper}.yaml"
    read = _file(file)
    claims: dict[str, list[Claim]] = {table: [] for table in read.counts}
    captions: dict[str, str] = {}
    idle = set(read.legend)
    for block in read.tables:
        where = f"{file.name}: table {block.table}"
        if block.table not in claims:
            raise ClaimError(f"{where}: not in counts, which name {', '.join(claims)}")
        if not captions.setdefault(block.table, block.caption):
            raise ClaimError(f"{where}: caption is missing")
        numbers = _numbers(where, block, {**read.legend, **block.legend})
        claims[block.table] += _claims(rows, paper, where, read, block, numbers)
        idle -= {label for number in numbers for label in number.labels} - set(block.legend)
    for table, found in claims.items():
        if len(found) != read.counts[table]:
            raise ClaimError(
                f"{file.name}: counts.{table}: expected {read.counts[table]} numbers, "
                f"found {len(found)}"
            )
    if idle:
        raise ClaimError(f"{file.name}: legend.{min(idle)}: no label of any table")
    return [Table(paper, table, captions[table], tuple(found)) for table, found in claims.items()]


def _file(file: Path) -> _File:
    try:
        return _File.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ClaimError(f"{file.name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ClaimError(f"{file.name}: byte {error.start}: no UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ClaimError(f"{file.name}:{line} {problem}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        raise ClaimError(f"{file.name}: {key}: {message}") from None


def _numbers(where: str, block: _Block, legend: Mapping[str, _Facts]) -> list[_Number]:
    """What a block has at each place; every label and every key of ``cells`` must have one."""
    lines = block.printed.splitlines() or [""]
    for line in lines:
        if not re.fullmatch(r"\|.+\|", line):
            raise ClaimError(f"{where}: printed: expected '| … |', got '{line}'")
    (_, *columns), *rows = [[c.strip() for c in line[1:-1].split("|")] for line in lines]
    places = block.slash.split("/") if block.slash else [""]
    found: dict[str, _Number] = {}
    for row, *cells in rows:
        if len(cells) != len(columns):
            raise ClaimError(
                f"{where}: row '{row}' has {len(cells)} cells for {len(columns)} columns"
            )
        for column, cell in zip(columns, cells, strict=True):
            values = cell.split("/")
            if len(values) != len(places):
                raise ClaimError(
                    f"{where}: {row} | {column}: expected {len(places)} values, got '{cell}'"
                )
            for place, text in zip(places, values, strict=True):
                labels = tuple(p for label in (column, row, place) for p in _parts(label, legend))
                name = f"{column}, {place}" if place else column
                number = _Number(row, name, labels, text)
                if number.key() in found:
                    raise ClaimError(f"{where}: {number.key()}: stands there twice")
                found[number.key()] = number
    used = {label for number in found.values() for label in number.labels}
    if unknown := used - set(legend):
        raise ClaimError(f"{where}: label '{min(unknown)}': no legend has it")
    if idle := set(block.legend) - used:
        raise ClaimError(f"{where}: legend.{min(idle)}: no label of the table")
    if idle := set(block.cells) - set(found):
        raise ClaimError(f"{where}: cells.{min(idle)}: no such row and column")
    return list(found.values())


def _parts(label: str, legend: Mapping[str, _Facts]) -> list[str]:
    """The labels that one label consists of."""
    return [label] if label in legend else label.split(", ") if label else []


def _claims(
    rows: Rows, paper: str, where: str, file: _File, block: _Block, numbers: Iterable[_Number]
) -> Iterator[Claim]:
    legend = {**file.legend, **block.legend}
    for number in numbers:
        if number.text == "-":
            continue
        key = number.key()
        said = [file.facts, block.facts, *(legend[label] for label in number.labels)]
        facts: dict[str, Any] = {}
        for each in (*said, block.cells.get(key, _Facts())):
            notes = [note for note in (facts.get("note"), each.note) if note]
            facts |= each.model_dump(exclude_unset=True) | {"note": "; ".join(notes) or None}
        for fact in ("metric", "method", "dataset", "split"):
            of_labels = {getattr(each, fact) for each in said[2:]} - {None}
            if len(of_labels) > 1:
                raise ClaimError(f"{where}: {key}: {fact} is {' and '.join(sorted(of_labels))}")
        yield _claim(rows, f"{where}: {key}", (paper, block.table, number), facts)


def _claim(rows: Rows, where: str, place: tuple[str, str, _Number], facts: dict[str, Any]) -> Claim:
    paper, table, number = place
    if not re.fullmatch(r"\d+(\.\d+)?", number.text):
        raise ClaimError(f"{where}: expected a number, got '{number.text}'")
    needed = {"metric", "protocol", "method", "dataset", "split"}
    needed -= NOT_OF.get(facts.get("metric", ""), set())
    if lacking := needed - {fact for fact, said in facts.items() if said is not None}:
        raise ClaimError(f"{where}: {min(lacking)} is missing")
    name = facts["metric"]
    metric = OF_PRINT_ALONE.get(name) or rows[name]
    unit = facts.pop("unit", None) or metric.unit
    needed_unit, factor = PRINTED.get(unit, (unit, 1.0))
    if needed_unit != metric.unit:
        raise ClaimError(f"{where}: {name} in {unit}, expected {metric.unit}")
    value, decimals = float(number.text), len(number.text.partition(".")[2])
    slack = facts.pop("slack", None)
    if slack is None:
        slack = SLACK[name] * factor
    elif isinstance(slack, str):
        slack = value * float(slack.removesuffix(" %")) / 100
    last_digit = 10.0**-decimals
    margin = max(slack, last_digit / 2)
    truncated = facts.get("rounding") == "truncated"
    return Claim(
        paper,
        table,
        number.row,
        number.column,
        value,
        decimals,
        unit,
        tolerance=(0.0, last_digit) if truncated else (-margin, margin),
        higher_is_better=metric.higher_is_better,
        **facts,
    )
