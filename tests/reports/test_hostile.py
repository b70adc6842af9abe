"""Names and messages that would run, steer, break tables or turn the writing: always text."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from reports.pages.runs import write_board
from reports.pages.two_runs import write_comparison
from reports.results.provenance import Provenance
from reports.results.record import Correlation, Cost, Record
from reports.results.results import ByImage, Results
from reports.write import write
from tests.reports.made import rowed
from tests.reports.test_reports import HOSTILE, results

NAME = f"{HOSTILE}\u2066\u200f\x07\r\t"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f\x9b\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def hostile() -> Results:
    """A run in which everything that comes from outside is hostile."""
    known = results(NAME)

    def bad(record: Record) -> Record:
        rains = record.rain if record.rain == "none" else NAME
        named = replace(record, rain=rains, dataset=NAME, split=NAME, model=NAME)
        return replace(named, why=NAME if named.value is None else None)

    records = [bad(r) for r in known.records]
    of = {old.condition: new.condition for old, new in zip(known.records, records, strict=True)}
    for metric in (f"ap/{NAME}", f"ap/b{NAME}", f"ap_pooled/weather={NAME}"):
        records += [replace(r, metric=metric) for r in records[:3]]
    records += [
        replace(r, task="semantic", metric="miou", why=f"left out: {NAME}") for r in records[:3]
    ]
    noise = np.random.default_rng(0).normal(0, 0.01, 2000)
    draws = {r.cell: (r.value + noise).astype(np.float32) for r in records if r.value is not None}
    values = {
        r.cell.of("f1@c25-iou50"): np.linspace(0, 1, 6, dtype=np.float32) for r in records[:3]
    }
    return rowed(
        known,
        spec={**known.spec, "dataset": NAME, "where": [NAME], "model": {"detection": NAME}},
        provenance=Provenance(
            versions={NAME: NAME},
            doubts=(NAME,),
            data_notes=(NAME,),
            weights=(NAME,),
            python=NAME,
            system=NAME,
            processor=NAME,
            accelerator=NAME,
            models={NAME: NAME},
            rains={NAME: NAME},
            protocols={NAME: NAME},
        ),
        records=records,
        draws=draws,
        gallery=[replace(g, why=NAME, condition=of[g.condition]) for g in known.gallery],
        by_image=ByImage(known.by_image.samples, known.by_image.units, values),
        curves={r.cell: np.ones(101, np.float32) for r in records[:3]},
        cost=[
            Cost(records[place].condition, 5, 0.5, 1, NAME, tiled=3, smallest_tile_px=64)
            for place in (1, 2)
        ],
        correlations=[Correlation(NAME, NAME, "detection", "f1@c25-iou50", "ssim_y", 0.5, None, 5)],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    write(hostile(), made, layout="table6")
    write_board([hostile()], made)
    write_comparison(hostile(), replace(hostile(), run="e" * 64), made)
    return made


def files(folder: Path, *kinds: str) -> list[Path]:
    found = [f for f in sorted(folder.rglob("*.*")) if f.suffix.lstrip(".") in kinds]
    assert found
    return found


def test_no_file_steers_a_terminal_or_turns_the_writing(folder: Path) -> None:
    for file in files(folder, "html", "md", "tex", "csv", "svg"):
        found = STEERING.findall(file.read_text(encoding="utf-8"))
        assert found == [], file.name
    # JSON keeps names as they are, escaped.
    assert (folder / "results.json").read_text(encoding="utf-8").isascii()
    for file in folder.rglob("*"):
        assert re.fullmatch(r"[\w.=-]+", file.name), file.name


class Tags(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_pages_have_their_own_script_alone(folder: Path) -> None:
    for file in files(folder, "html"):
        tags = Tags()
        tags.feed(file.read_text(encoding="utf-8"))
        assert tags.found.count("script") == 1, file.name
        assert not any(name.startswith("on") for name in tags.attributes)
        assert "&lt;script&gt;alert(1)" in file.read_text(encoding="utf-8")
        assert "default-src 'none'" in file.read_text(encoding="utf-8")
    for file in files(folder, "svg"):
        assert "<script" not in file.read_text(encoding="utf-8")


def test_markdown_has_no_markup_of_names(folder: Path) -> None:
    for file in files(folder, "md"):
        for line in file.read_text(encoding="utf-8").splitlines():
            assert "<" not in line, file.name
            assert not re.search(r"(?<!\\)[`$]", line), file.name
        tables = re.findall(r"(?:^\|.*\n)+", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert tables
        for table in tables:
            rows = table.splitlines()
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, file.name


def test_no_cell_of_a_csv_is_a_formula(folder: Path) -> None:
    from reports.plots.plots import plots

    texts = [file.read_text(encoding="utf-8") for file in files(folder, "csv")]
    drawn = plots(hostile())
    assert {plot.name.partition("-")[0] for plot in drawn} == {
        *("change", "detection", "images", "precision", "classes", "cost", "semantic"),
    }
    for text in (*texts, *(plot.csv for plot in drawn)):
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(("=", "+", "@")), cell
            assert not cell.startswith("-") or float(cell) <= 0, cell
            assert not STEERING.search(cell)


def test_latex_sets_names_as_they_are(folder: Path) -> None:
    for file in files(folder, "tex"):
        text = file.read_text(encoding="utf-8")
        assert "\\frac" not in text
        assert r"\textbackslash{}frac\{1\}\{" in text
        own = re.sub(r"\$(-|\\pm|\\cdot|\\times|\\sigma|\\geq)\$", "", text)
        assert not re.search(r"(?<!\\)\$", own)
        assert text.count(r"\begin{table}") == text.count(r"\end{table}")
