"""What papers print of derainers: every number of their tables, read from `reports/papers/`.

A file holds each table as printed and a legend that says what its labels mean; one number is one
claim. A table names its labels as the paper does; a label's parts stand between commas. Facts of
a number come from its file, its table, the labels of its column, row and place between slashes,
and its cell; the later goes before the earlier, and notes are kept side by side.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

FOLDER = Path(__file__).parent

PAPERS = ("mscg", "mspfn", "granet", "dcsfn", "hrrsr", "baselines")
"""Files of `FOLDER`; ``baselines`` are authors' own numbers outside of the five papers."""


class ClaimError(ValueError):
    """A file of claims that cannot be read; one line that names the file and the key."""


@dataclass(frozen=True)
class Metric:
    """How a metric of the harness is judged against print."""

    unit: str
    better: Literal["higher", "lower"] | None
    slack: float = 0.0
    """Difference that is let pass between a print and a measurement, in the unit."""


METRICS = {
    "psnr_y_db": Metric("dB", "higher", 0.05),
    "psnr_y_db@pil-y": Metric("dB", "higher", 0.05),
    "psnr_y_db@prenet": Metric("dB", "higher", 0.05),
    "psnr_rgb_db@dcsfn": Metric("dB", "higher", 0.05),
    "psnr_rgb_db@hrrsr": Metric("dB", "higher", 0.05),
    "ssim_y": Metric("fraction", "higher", 0.001),
    "ssim_y@pil-y": Metric("fraction", "higher", 0.001),
    "ssim_y@prenet": Metric("fraction", "higher", 0.001),
    "ssim_rgb@dcsfn": Metric("fraction", "higher", 0.001),
    "ssim_rgb@hrrsr": Metric("fraction", "higher", 0.001),
    "fsim": Metric("fraction", "higher", 0.001),
    "uqi": Metric("fraction", "higher", 0.001),
    "niqe": Metric("score", "lower", 0.01),
    "sseq": Metric("score", "lower", 0.1),
    "precision@mspfn-table6": Metric("fraction", "higher", 0.005),
    "recall@mspfn-table6": Metric("fraction", "higher", 0.005),
    "mean_iou@mspfn-table6": Metric("fraction", "higher", 0.005),
    "mpa": Metric("fraction", "higher", 0.005),
    "miou": Metric("fraction", "higher", 0.005),
    "elapsed_s": Metric("s", "lower"),
    "parameters": Metric("count", None),
    "images": Metric("count", None),
}
"""Every metric that a claim may name, with the slack of its claims where a file states no other."""

NOT_OF = {"images": {"method"}, "parameters": {"dataset", "split"}}
"""What the claims of some metrics are not of."""

PRINTED = {"percent": ("fraction", 100.0), "million": ("count", 1e-6)}
"""Units of print: the harness's unit of the same metric, and how many of print are one of it."""


@dataclass(frozen=True)
class Claim:
    """One printed number."""

    paper: str
    table: str
    """As printed: a number, or a word where the source has none."""
    row: str
    column: str
    """Labels as printed; of values between slashes with the label of their place."""
    value: float
    """As printed, in ``unit``."""
    decimals: int
    """Digits printed after the point."""
    unit: str
    metric: str
    """Name of the metric in the harness's records, with its protocol."""
    protocol: str
    """What is known of how the number was made."""
    tolerance: tuple[float, float]
    """Least and greatest measured - printed that counts as reproduced, in ``unit``: of truncated
    prints one in the last digit upwards, else the slack, half of the last digit at least."""
    method: str | None = None
    """Name of what was measured, the same in all tables of a paper; None for sizes of sets."""
    derainer: str | None = None
    """The harness's name for the same network, if it has one."""
    dataset: str | None = None
    split: str | None = None
    """Which images; ``test-100`` and ``test-200`` of one data set are different ones."""
    size_px: str | None = None
    """Width x height of the images, where it is printed."""
    trained_on: str | None = None
    """Training images, where the source says that they are the same for several methods."""
    rounding: Literal["rounded", "truncated"] = "rounded"
    note: str | None = None
    """What a reader must know of this number or of its label."""
    differs: str | None = None
    """Reason of a difference that is known beforehand."""
    cannot_run: str | None = None
    """Reason why nobody can repeat the number from what its authors published."""

    def printed(self, measured: float) -> float:
        """A value of the harness in the unit of this print."""
        return measured * PRINTED[self.unit][1] if self.unit in PRINTED else measured


@dataclass(frozen=True)
class Table:
    """The claims of one printed table."""

    paper: str
    table: str
    caption: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class OrdinalClaim:
    """Two methods in the order that one column of a table has them in."""

    better: Claim
    worse: Claim


def read_tables(paper: str | None = None, folder: Path = FOLDER) -> list[Table]:
    """The tables of a paper, or of all.

    Raises:
        ClaimError: An unknown paper, or a file that is not as this module says.
    """
    if paper is not None and paper not in PAPERS:
        raise ClaimError(f"unknown paper '{paper}': choose among {', '.join(PAPERS)}")
    return [t for name in PAPERS if paper in (None, name) for t in _tables(name, folder)]


def read_claims(paper: str | None = None, folder: Path = FOLDER) -> list[Claim]:
    """The claims of a paper, or of all, in the order of print; see `read_tables`."""
    return [claim for table in read_tables(paper, folder) for claim in table.claims]


def ordinal_claims(claims: Iterable[Claim]) -> list[OrdinalClaim]:
    """Which of two methods is better, for each pair that one column of a table compares.

    Only of methods that were trained on the same images by the source's own word, and not where
    print has them equal.
    """
    columns: dict[tuple[object, ...], list[Claim]] = {}
    for claim in claims:
        if claim.trained_on is not None and METRICS[claim.metric].better is not None:
            images = (claim.dataset, claim.split, claim.size_px, claim.trained_on)
            columns.setdefault((claim.paper, claim.table, claim.metric, *images), []).append(claim)
    found = []
    for column in columns.values():
        for pair in itertools.combinations(column, 2):
            lower, higher = sorted(pair, key=lambda claim: claim.value)
            if lower.value < higher.value:
                upwards = METRICS[lower.metric].better == "higher"
                best_first = (higher, lower) if upwards else (lower, higher)
                found.append(OrdinalClaim(*best_first))
    return found


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
        if metric is not None and metric not in METRICS:
            raise ValueError(f"unknown metric '{metric}': choose among {', '.join(METRICS)}")
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
    """Of the table; its further blocks have none."""
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
    """Of the column, the row and the place, each as the legend has them."""
    text: str

    def key(self) -> str:
        return f"{self.row} | {self.column}"


def _tables(paper: str, folder: Path) -> list[Table]:
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
        claims[block.table] += _claims(paper, where, read, block, numbers)
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
    paper: str, where: str, file: _File, block: _Block, numbers: Iterable[_Number]
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
        yield _claim(f"{where}: {key}", (paper, block.table, number), facts)


def _claim(where: str, place: tuple[str, str, _Number], facts: dict[str, Any]) -> Claim:
    paper, table, number = place
    if not re.fullmatch(r"\d+(\.\d+)?", number.text):
        raise ClaimError(f"{where}: expected a number, got '{number.text}'")
    needed = {"metric", "protocol", "method", "dataset", "split"}
    needed -= NOT_OF.get(facts.get("metric", ""), set())
    if lacking := needed - {fact for fact, said in facts.items() if said is not None}:
        raise ClaimError(f"{where}: {min(lacking)} is missing")
    metric = METRICS[facts["metric"]]
    unit = facts.pop("unit", None) or metric.unit
    needed_unit, factor = PRINTED.get(unit, (unit, 1.0))
    if needed_unit != metric.unit:
        raise ClaimError(f"{where}: {facts['metric']} in {unit}, expected {metric.unit}")
    value, decimals = float(number.text), len(number.text.partition(".")[2])
    slack = facts.pop("slack", None)
    if slack is None:
        slack = metric.slack * factor
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
        **facts,
    )
