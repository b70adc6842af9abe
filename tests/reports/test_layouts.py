"""Tables for papers: LaTeX, and the layout of MSPFN's Table 6."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.results.record import Record
from reports.results.results import Results
from reports.tables.latex import escaped, latex
from reports.tables.table6 import table6
from tests.reports.made import cost, rowed
from tests.reports.test_reports import HOSTILE, record, results


def scored(
    task: str, metric: str, values: dict[str, float], unit: str = "fraction"
) -> list[Record]:
    """Records of one metric by derainer."""
    return [
        replace(record(d, v), task=task, metric=metric, unit=unit, seen=())
        for d, v in values.items()
    ]


def run(*records: list[Record]) -> Results:
    took = [cost("photoshop-heavy", "b", 0.456)]
    return rowed(results(), records=[r for rows in records for r in rows], cost=took)


QUALITY = scored("quality", "psnr_y_db", {"identity": 17.0, "b": 25.0, "c": 21.0}, "dB")
NIQE = scored("quality", "niqe", {"identity": 9.0, "b": 4.0, "c": 4.5}, "score")
TABLE6 = [
    row
    for metric, values in (
        ("precision", {"identity": 0.2303, "b": 0.3256, "c": 0.31}),
        ("recall", {"identity": 0.296, "b": 0.3931, "c": 0.3799}),
        ("mean_iou", {"identity": 0.555, "b": 0.6169, "c": 0.6106}),
    )
    for row in scored("detection", f"{metric}@mspfn-table6", values)
]


def test_the_best_is_bold_and_the_second_underlined() -> None:
    lines = latex(run(QUALITY, NIQE)).splitlines()
    rows = {line.split(" & ")[1]: line for line in lines if line.startswith("photoshop")}
    assert r"\textbf{25.00}" in rows["b"]
    assert r"\underline{21.00}" in rows["c"]
    assert "17.00" in rows["rainy"]
    assert "textbf" not in rows["rainy"]
    assert r"\textbf{4.000}" in rows["b"]  # NIQE: lower is better
    assert r"\underline{4.500}" in rows["c"]


def test_every_row_has_the_tables_columns() -> None:
    text = latex(run(QUALITY, NIQE))
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 4
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in body} == {len(columns)}


def test_hostile_text_is_set_as_it_is() -> None:
    text = escaped(HOSTILE)
    assert not re.search(r"(?<!\\)[$&%#_]", text)
    assert "\n" not in text
    assert "\x1b" not in text
    assert r"\textbackslash{}frac\{1\}\{" in text
    assert latex(results(HOSTILE)).count("\\begin{table}") == 1


def test_table_6_has_its_blocks_and_rows() -> None:
    lines = table6(run(QUALITY, TABLE6), "md").splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if "|" in line]
    assert cells[0] == ["Methods", "Rain input", "b", "c"]
    assert [row[0] for row in cells[2:]] == [
        "Deraining; data set: coco val; algorithm: yolov8n",
        "PSNR",
        "Median time (s)",
        "Object detection; data set: coco val; algorithm: yolov8n",
        "Precision (%)",
        "Recall (%)",
        "IoU (%)",
    ]
    assert cells[4][1:] == ["–", "0.46", "–"]
    assert cells[6][1:] == ["23.03", "32.56", "31.00"]


def test_table_6_marks_the_best_in_latex() -> None:
    text = table6(run(QUALITY, TABLE6), "tex")
    assert r"Recall (\%) & 29.60 & \textbf{39.31} & \underline{37.99} \\" in text


@pytest.mark.parametrize("kind", ["md", "tex"])
def test_an_empty_run_has_an_empty_table(kind: str) -> None:
    assert table6(replace(results(), records=[]), kind) == ""
