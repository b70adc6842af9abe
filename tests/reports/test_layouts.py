"""Tables for papers: LaTeX, and the layout of MSPFN's Table 6."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.cli import flags
from reports.layouts.layouts import LAYOUTS
from reports.layouts.table6 import table6
from reports.results.cell import Data
from reports.results.record import Record
from reports.results.results import Results
from reports.tables.latex import escaped, latex
from tests.reports.made import cost, rowed
from tests.reports.test_reports import HOSTILE, record, results

TEX = next(filter(None, map(shutil.which, ("tectonic", "pdflatex", "xelatex"))), None)


def scored(
    task: str, metric: str, values: dict[str, float], unit: str = "fraction"
) -> list[Record]:
    """Records of one metric by derainer."""
    return [
        replace(record(d, v), task=task, metric=metric, unit=unit, seen=())
        for d, v in values.items()
    ]


def run(*records: list[Record], deviation: float = 0.001) -> Results:
    """A run whose resampled values differ from each other by so little."""
    took = [cost("photoshop-heavy", "b", 0.456)]
    held = [r for rows in records for r in rows]
    noise = np.random.default_rng(0).normal(0, deviation, (len(held), 500)).astype(np.float32)
    draws = {r.cell: r.value + n for r, n in zip(held, noise, strict=True) if r.value is not None}
    return rowed(results(), records=held, cost=took, draws=draws)


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


def test_the_command_line_names_every_layout() -> None:
    assert tuple(LAYOUTS) == flags.LAYOUTS


def test_the_best_is_bold_and_the_second_underlined() -> None:
    lines = latex(run(QUALITY, NIQE)).splitlines()
    rows = {line.split(" & ")[1]: line for line in lines if line.startswith("photoshop")}
    assert r"\textbf{25.00}" in rows["b"]
    assert r"\underline{21.00}" in rows["c"]
    assert "17.00" in rows["rainy"]
    assert "textbf" not in rows["rainy"]
    assert r"\textbf{4.00}" in rows["b"]  # NIQE: lower is better
    assert r"\underline{4.50}" in rows["c"]


def test_a_lead_that_chance_may_give_is_not_marked() -> None:
    assert "textbf" not in latex(run(QUALITY, deviation=5.0))
    both = latex(run(QUALITY, NIQE, deviation=0.5))
    assert r"\textbf{25.00}" in both
    assert r"\underline{21.00}" in both
    assert r"\underline{4.50}" in both  # surely before the rainy input, and
    assert r"\textbf{4.00}" not in both  # not surely behind the first
    alike = [replace(r, value=21.0) for r in QUALITY]
    assert not re.search("textbf|underline", latex(run(alike)))
    none = replace(run(QUALITY), draws={})
    assert "Bold" not in latex(none)
    assert "textbf" not in table6([none], "tex")


def test_a_caption_says_what_was_measured_and_footnotes_say_how() -> None:
    text = latex(run(QUALITY, TABLE6))
    (caption,) = re.findall(r"\\caption\{(.+)\}", text)
    assert caption == (
        "Detection by yolov8n and image quality on coco val (n = 100 images, "
        "rain: photoshop-heavy, seed 0)."
    )
    assert r"\label{tab:coco-val-photoshop-heavy}" in text
    below = text[text.index(r"\end{tabular}") :]
    assert "Image quality per image, then the mean" in below
    assert "sha256" not in text
    assert "results.csv" not in text


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
    # Computer Modern has other signs in these places, and makes a dash of two hyphens.
    assert escaped("a--b <c>|d") == r"a-{}-b \textless{}c\textgreater{}\textbar{}d"


SECOND = [
    row
    for metric in ("precision", "recall", "mean_iou")
    for row in scored(
        "detection", f"{metric}@mspfn-table6-conf06", {"identity": 0.5, "b": 0.75, "c": 0.25}
    )
]
SEMANTIC = [
    row
    for metric in ("mpa", "miou")
    for row in scored("semantic", metric, {"identity": 0.3329, "b": 0.5296, "c": 0.5028})
]


def on(data: str, rain: str, size: str, *records: list[Record]) -> Results:
    """A run on images of a size."""
    made = [
        replace(r, dataset=data, rain=rain, model={"semantic": "refinenet"}.get(r.task, "yolov3"))
        for rows in records
        for r in rows
    ]
    made = [replace(r, model=None) if r.task == "quality" else r for r in made]
    took = cost(rain, "b", 0.4, mean_s_per_image=0.456)
    took = replace(took, condition=replace(took.condition, data=Data(data, "val"), rain=rain))
    provenance = replace(results().provenance, size_px=size)
    return rowed(results(), records=made, cost=[took], provenance=provenance)


def cells_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines]


def test_table_6_of_three_runs_has_the_rows_and_columns_of_print() -> None:
    coco = on("coco", "coco350", "640 × 480", QUALITY, TABLE6, SECOND)
    bdd = on("bdd100k", "bdd350", "1280 × 720", QUALITY, TABLE6, SECOND)
    streets = on("bdd100k", "bdd150", "1280 × 720", QUALITY, SEMANTIC)
    text = table6([coco, bdd, streets], "md")
    cells = cells_of(text)
    assert cells[0] == ["Methods", "Rain input", "b", "c"]
    both = "coco val under coco350/bdd100k val under bdd350"
    assert [row[0] for row in cells[2:]] == [
        f"Deraining; Dataset: {both}; Image Size: 640 × 480/1280 × 720",
        "PSNR",
        "Ave.inf.time (s)",
        f"Object Detection; Algorithm: yolov3; Dataset: {both}; Threshold: 0.6 of overlap with "
        "a box of any class (inferred)",
        "Precision (%)",
        "Recall (%)",
        "IoU (%)",
        f"Object Detection; Algorithm: yolov3; Dataset: {both}; Threshold: 0.6 of confidence, "
        "matches above IoU 0.5",
        "Precision (%)",
        "Recall (%)",
        "IoU (%)",
        "Deraining; Dataset: bdd100k val under bdd150; Image Size: 1280 × 720",
        "PSNR",
        "Ave.inf.time (s)",
        "Semantic Segmentation; Algorithm: refinenet; Dataset: bdd100k val under bdd150",
        "mPA (%)",
        "mIoU (%)",
    ]
    assert cells[3][1:] == ["17.00/17.00", "25.00/25.00", "21.00/21.00"]
    assert cells[4][1:] == ["-/-", "0.46/0.46", "-/-"]
    assert cells[6][1:] == ["23.03/23.03", "32.56/32.56", "31.00/31.00"]
    assert cells[-1][1:] == ["33.29", "52.96", "50.28"]
    assert "Rain coco350 and bdd350 and bdd150." in text


def test_table_6_says_in_latex_what_is_bold_where_something_is() -> None:
    assert "Bold: the best" in table6([run(QUALITY, TABLE6)], "tex")
    assert "Bold" not in table6([run(scored("quality", "psnr_y_db", {"b": 25.0}, "dB"))], "tex")


def test_table_6_has_methods_in_the_order_given() -> None:
    made = run(scored("quality", "psnr_y_db", {"identity": 1, "b@12345678": 2, "c": 3, "ours": 4}))
    made = replace(made, spec={**made.spec, "derainer": ["c", "b@weights.pth", "ours=net.onnx"]})
    head = cells_of(table6([made], "md"))[0]
    assert head == ["Methods", "Rain input", "c", "b@12345678", "ours"]


def test_table_6_marks_the_best_in_latex() -> None:
    text = table6([run(QUALITY, TABLE6)], "tex")
    assert r"Recall (\%) & 29.60 & \textbf{39.31} & \underline{37.99} \\" in text
    assert r"\multicolumn{4}{l}{Object Detection; Algorithm: yolov8n; Dataset: coco val" in text
    both = table6([run(QUALITY, TABLE6), run(QUALITY, TABLE6)], "tex")
    assert r"29.60/29.60 & \textbf{39.31}/\textbf{39.31} & " in both


def test_the_two_kinds_of_training_have_two_signs() -> None:
    seen = {"b": ("rain",), "c": ("task-images",), "identity": ("images", "task-images")}
    rows = [replace(r, seen=seen[r.derainer]) for r in TABLE6]
    text = table6([run(rows)], "md")
    (precision,) = [row for row in cells_of(text) if row[0] == "Precision (%)"]
    assert precision[1:] == ["23.03†‡", "32.56†", "31.00‡"]
    assert "‡ the task network was trained on these images." in text
    assert r"31.00\textsuperscript{\ddag}" in table6([run(rows)], "tex")


@pytest.mark.skipif(TEX is None, reason="needs a TeX")
@pytest.mark.slow
def test_the_latex_compiles(tmp_path: Path) -> None:
    hostile = replace(results(HOSTILE), spec=results().spec)
    body = table6([run(QUALITY, TABLE6, SECOND), run(QUALITY, SEMANTIC)], "tex")
    head = r"\documentclass[twocolumn]{article}\usepackage{booktabs,graphicx}\begin{document}"
    text = "\n".join([head, body, latex(hostile), r"\end{document}"])
    (tmp_path / "a.tex").write_text(text, encoding="utf-8")
    words = [
        str(TEX),
        *([] if "tectonic" in str(TEX) else ["-halt-on-error", "-interaction=nonstopmode"]),
        "a.tex",
    ]
    made = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-2000:]


@pytest.mark.parametrize("kind", ["md", "tex"])
def test_an_empty_run_has_an_empty_table(kind: str) -> None:
    assert table6([replace(results(), records=[])], kind) == ""
