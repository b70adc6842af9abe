"""Many runs on one page."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reports.pages.runs import board, write_board
from reports.pages.two_runs import comparison, differences, write_comparison
from reports.plots.two_runs import dots
from reports.results.results import Results
from tests.reports.made import rowed
from tests.reports.test_reports import record, results


def other(**changes: object) -> Results:
    """A second run of the same images."""
    return replace(results(), run="e" * 64, **changes)  # type: ignore[arg-type]


def shifted(by: float) -> Results:
    """The same run with one derainer better by so much, on the set and on every resample."""
    run = other()
    records = [
        replace(r, value=r.value + by) if r.derainer == "b" and r.value else r for r in run.records
    ]
    draws = {k: v + by if k.condition.name == "b" else v for k, v in run.draws.items()}
    return replace(run, records=records, draws=draws)


def test_every_run_has_rows_of_its_own() -> None:
    headings, rows, _ = board([other(), results()])
    assert {len(row) for row in rows} == {len(headings)}
    assert [row[-1] for row in rows].count("e" * 12) == len(rows) / 2
    assert {row[-1] for row in rows} == {"e" * 12, "f" * 12}
    assert headings[-2:] == ["images", "run"]  # they differ in nothing else
    # The same run in two workspaces is one; made again, it is another.
    assert len(board([results(), results()])[1]) == len(rows) / 2
    again = made(results(), finished="2031-01-02T03:04:05+00:00")
    headings, rows, _ = board([again, results()])
    assert {row[headings.index("finished")] for row in rows} > {"2031-01-02 03:04:05"}


def made(run: Results, **changes: object) -> Results:
    """The run with another provenance."""
    return replace(run, provenance=replace(run.provenance, **changes))  # type: ignore[arg-type]


def test_runs_of_other_code_weights_or_seeds_can_be_told_apart() -> None:
    cases: list[tuple[str, list[dict[str, Any]], list[str] | None]] = [
        ("code", [{"code": {"b": sign * 64}} for sign in "12"], ["1" * 8, "2" * 8]),
        ("finished", [{"finished": f"2031-01-0{d}T00:00:00+00:00"} for d in (1, 2)], None),
    ]
    for name, changes, told in cases:
        runs = [made(run, **c) for run, c in zip((results(), other()), changes, strict=True)]
        headings, rows, notes = board(runs)
        assert len(rows) == 2 * len(board([results()])[1])
        mine = [row[headings.index(name)] for row in rows if row[1] == "b"]
        assert mine == (told or ["2031-01-01 00:00:00", "2031-01-02 00:00:00"])
        assert any(note.startswith("code: digest") for note in notes) == (name == "code")
    for name, change in (
        ("weights", {"weights": "ab" * 32 + "+" + "c" * 64}),
        ("seed", {"seed": 7}),
    ):
        changed = replace(other(), records=[replace(r, **change) for r in other().records])
        headings, rows, _ = board([results(), changed])
        assert len(rows) == 2 * len(board([results()])[1])
        seen = {row[headings.index(name)] for row in rows if row[1] == "b"}
        assert seen == ({"–", "abababab+cccccccc"} if name == "weights" else {"0", "7"})


def test_other_data_under_one_name_stand_apart(tmp_path: Path) -> None:
    one, two = (
        made(shifted(9), data_fingerprint="2" * 64),
        made(results(), data_fingerprint="1" * 64),
    )
    headings, rows, notes = board([one, two])
    data = [row[headings.index("data")] for row in rows]
    assert data == sorted(data)  # never ranked among each other
    assert set(data) == {"1" * 8, "2" * 8}
    assert any(note.startswith("data: digest of the images") for note in notes)
    write_board([one, two], tmp_path)
    assert "2 runs of 2 sets of images." in (tmp_path / "board.md").read_text()
    write_board([made(other(), data_fingerprint="1" * 64), two], tmp_path)
    assert "2 runs of 1 set of images." in (tmp_path / "board.md").read_text()
    write_board([two], tmp_path)
    assert "1 run of 1 set of images." in (tmp_path / "board.md").read_text()


def test_other_labels_under_one_name_stand_apart() -> None:
    task = next(r.task for r in results().records if r.task != "quality")
    one, two = (
        made(run, labels={task: s * 64}) for run, s in ((shifted(9), "2"), (results(), "1"))
    )
    headings, rows, _ = board([one, two])
    told = [row[headings.index("labels")] for row in rows if row[headings.index("task")] == task]
    assert told == sorted(told)
    assert set(told) == {"1" * 8, "2" * 8}
    assert "data" not in headings


def test_the_page_holds_what_the_markdown_holds(tmp_path: Path) -> None:
    write_board([made(results(), code={"b": "1" * 64}), made(other(), code={})], tmp_path)
    page = (tmp_path / "board.html").read_text(encoding="utf-8")
    lines = (tmp_path / "board.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", r) for r in re.findall("<tr>.*?</tr>", page)]
    # Both escape in their own way; none of these cells holds a sign that they escape alike.
    cells = [[html.unescape(cell) for cell in row] for row in found]
    written = [[unescaped(cell) for cell in line.strip("| ").split(" | ")] for line in table]
    assert cells == [written[0], *written[2:]]
    assert "code" in cells[0]
    for line in lines:
        if line and not line.startswith("|"):
            assert unescaped(line) in html.unescape(page)
    assert lines[0].startswith("2 runs")


def unescaped(text: str) -> str:
    """Markdown's text without its escapes."""
    return html.unescape(re.sub(r"\\(.)", r"\1", text))


def test_the_best_stands_first_within_its_rain() -> None:
    rates = [f"physical:rate_mm_h={rate}" for rate in (100, 25, 5)]
    scores = (("identity", 0.2), ("b", 0.1), ("c", 0.3))
    records = [record(d, v, rain=rain) for rain in rates for d, v in scores]
    records.append(record("identity", 0.5, rain="none"))
    _, rows, notes = board([rowed(results(), records=records)])
    assert [row[:2] for row in rows[:4]] == [
        ["clean", "–"],
        ["physical:rate_mm_h=5", "c"],
        ["physical:rate_mm_h=5", "rainy"],
        ["physical:rate_mm_h=5", "b"],
    ]
    assert [row[0].partition("=")[2] for row in rows[4::3]] == ["25", "100"]
    assert "the best first" in notes[0]


def test_a_run_does_not_differ_from_itself() -> None:
    headings, rows, notes = comparison(results(), other())
    assert {len(row) for row in rows} == {len(headings)}
    assert {row[-1] for row in rows} == {"the same"}
    assert "paired" in notes[0]
    assert all("not the same" not in line for line in differences(results(), other()))


def test_a_shift_of_every_resample_is_significant() -> None:
    rows = {row[1]: row for row in comparison(results(), shifted(0.05))[1]}
    assert rows["b"][-1] == "higher"
    assert rows["b"][6].startswith("+0.050")
    rows = {row[1]: row for row in comparison(shifted(0.05), results())[1]}
    assert rows["b"][-1] == "lower"


def test_runs_of_other_images_are_not_paired() -> None:
    made = replace(results().provenance, data_fingerprint="x")
    elsewhere = replace(shifted(0.0), provenance=made)
    _, _, notes = comparison(results(), elsewhere)
    assert "independent sets" in notes[0]
    assert "The images: not the same." in differences(results(), elsewhere)


def test_runs_resampled_another_number_of_times_are_not_paired() -> None:
    more = {cell: np.concatenate([d, d[:40]]) for cell, d in shifted(0.05).draws.items()}
    _, rows, notes = comparison(results(), replace(shifted(0.05), draws=more))
    assert "over other resampled sets, so unpaired" in notes[0]
    assert {row[1]: row[-2] for row in rows}["b"].startswith("[+0.0")


def test_runs_resampled_by_another_version_are_not_paired() -> None:
    anew = made(shifted(0.05), metric_versions={"resamples": 2})
    assert "over other resampled sets, so unpaired" in comparison(results(), anew)[2][0]


def test_other_code_of_a_derainer_is_told() -> None:
    first, second = (made(results(), code={"b": sign * 64, "c": "3" * 64}) for sign in "12")
    told = differences(first, second)
    assert "Code or weights of b: not the same." in told
    assert not [line for line in told if line.startswith("Code or weights of c")]


def weighed(digest: str) -> Results:
    """The run with weights of a file for one of its derainers."""
    run = shifted(0.05)
    name, weights = f"b@{digest[:8]}", digest
    return replace(
        run,
        records=[
            replace(r, derainer=name, weights=weights) if r.derainer == "b" else r
            for r in run.records
        ],
        draws={
            replace(c, condition=replace(c.condition, derainer=name))
            if c.condition.derainer == "b"
            else c: d
            for c, d in run.draws.items()
        },
    )


def test_a_derainer_that_was_trained_again_stands_beside_itself() -> None:
    old, new = weighed("1" * 64), weighed("2" * 64)
    rows = {row[1]: row for row in comparison(old, new)[1]}
    assert rows["b@11111111"][-1] == "the same"
    told = differences(old, new)
    assert "b@22222222 of the second run stands beside b@11111111 of the first." in told
    assert not [line for line in told if line.endswith("in the second.")]
    several = replace(new, records=[*new.records, *weighed("3" * 64).records])
    assert "b@11111111" not in {row[1] for row in comparison(old, several)[1]}
    assert [line for line in differences(old, several) if "nobody can tell which" in line]


def test_words_that_differ_are_told() -> None:
    told = differences(results(), other(spec={**results().spec, "limit": 5}))
    assert "limit: none in the first, 5 in the second." in told


def test_draws_of_few_images_say_nothing() -> None:
    few = replace(shifted(0.05), provenance=replace(results().provenance, groups=5))
    assert {row[-1] for row in comparison(replace(few, run="a"), few)[1]} == {"the same"}
    assert all(np.isfinite(d).all() for d in few.draws.values())
    assert {row[-2] for row in comparison(results(), few)[1]} == {"–"}


def test_the_page_of_two_runs_says_what_they_are_and_draws_what_changed(tmp_path: Path) -> None:
    dated = made(shifted(0.05), finished="2026-11-28T10:00:00+00:00")
    write_comparison(results(), dated, tmp_path)
    text = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "of 2026-11-28 10:00 UTC: coco val, n = 100 images, detection by yolov8n." in text
    assert text.count("<figure") == 1
    assert "numbers as CSV" in text
    drawn = dots(results(), dated)
    assert drawn is not None
    rows = list(csv.DictReader(io.StringIO(drawn.csv)))
    assert {row["verdict"] for row in rows if row["derainer"] == "b"} == {"higher"}


def test_networks_of_two_runs_are_compared_where_one_has_more() -> None:
    alone = results()
    beside = [replace(r, model="frcnn", value=0.9) for r in alone.records if r.value]
    several = replace(other(), records=[*beside, *alone.records])
    for runs in ((alone, several), (several, alone)):
        rows = comparison(*runs)[1]
        assert {row[-1] for row in rows} == {"the same"}
        assert [row[1] for row in rows] == [row[1] for row in comparison(alone, other())[1]]
        first, second = (3, 0) if runs[0] is several else (0, 3)
        told = f"{first} numbers stand in the first run alone, {second} in the second."
        assert differences(*runs)[-1] == told
    renamed = replace(other(), records=[replace(r, model="new") for r in alone.records])
    assert comparison(alone, renamed)[1], "a network without a rival may be renamed"


def test_what_was_not_measured_stands_last() -> None:
    rows = board([rowed(results(), records=[record("b", None), record("c", 0.1)])])[1]
    assert [row[1] for row in rows] == ["c", "b"]
