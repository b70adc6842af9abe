"""The tables of docs/study.md are those of its numbers, and its numbers those of its runs."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import RunSpec, run
from reports.results.intervals import FEWEST

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def study() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS.parent / "benchmarks"))
        return importlib.import_module("study")


def test_tables_are_as_made(study: Any) -> None:
    text = study.PAGE.read_text()
    assert text == study.filled(text, study.tables(json.loads(study.KEPT.read_text()))), (
        "run: python benchmarks/study.py"
    )


def test_every_run_of_the_suite_is_kept(study: Any) -> None:
    runs = json.loads(study.KEPT.read_text())
    entries = yaml.safe_load(study.SUITE.read_text())
    assert list(runs) == [entry["name"] for entry in entries]
    for entry in entries:
        found = runs[entry["name"]]
        assert (found["dataset"], found["split"]) == (entry["dataset"], entry.get("split"))
        assert found["n"] == entry.get("limit", 40)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["coco", "camvid"])
def test_a_slice_has_the_kept_numbers(study: Any, name: str, data: Path, tmp_path: Path) -> None:
    """One rain, without the networks that derain: seconds instead of an hour."""
    (entry,) = (e for e in yaml.safe_load(study.SUITE.read_text()) if e["name"] == name)
    model = {task: str(data / file) for task, file in entry.pop("model", {}).items()}
    entry |= {"rain": ["photoshop-heavy"], "derainer": ["identity", "median"], "model": model}
    entry |= {"data_root": str(data / entry["data_root"]), "workspace": str(tmp_path)}
    entry.pop("name")
    results = run(RunSpec.model_validate(entry))
    kept = json.loads(study.KEPT.read_text())[name]
    assert study.kept(results)["n"] == kept["n"] > FEWEST
    compared = 0
    for part, derainer, value in (
        ("costs", "identity", "rainy"),
        ("costs", "clean", "clean"),
        ("gains", None, "value"),
    ):
        for row in kept[part]:
            rain, who = ("none", "identity") if derainer == "clean" else (row["rain"], derainer)
            record = results.value(rain, who or row["derainer"], row["task"], row["metric"])
            if record is not None and row["rain"] == "photoshop-heavy":
                tolerance = 0.02 if row["metric"].startswith("psnr") else 0.005
                assert record.value == pytest.approx(row[value], abs=tolerance), row
                compared += 1
    assert compared >= 3
