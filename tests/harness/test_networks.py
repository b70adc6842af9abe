"""Several networks of one task: each has its rows, everywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import RunSpec, load, run
from harness.checks.runs import compare, outcome
from harness.cli.main import run_command_line
from harness.spec import UsageError
from reports.layouts.table6 import table6
from reports.pages.runs import board
from reports.pages.two_runs import comparison
from reports.results.results import Results
from reports.tables.latex import latex
from reports.tables.markdown import parts
from reports.tables.summary import summary


@pytest.fixture(scope="module")
def files(detector_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two trainings' detectors, both called ``best.pt``."""
    root = tmp_path_factory.mktemp("trainings")
    one, other = root / "a" / "best.pt", root / "b" / "best.pt"
    for file in (one, other):
        file.parent.mkdir()
    shutil.copy(detector_file, one)
    content = torch.load(detector_file, weights_only=False)
    for branch in content["model"].model[-1].cv3:
        branch[-1].bias.data += torch.tensor([1.0, -1.0, 0.0])
    torch.save(content, other)
    return one, other


def made(coco_root: Path, folder: Path, *files: Path, **changes: Any) -> Results:
    return run(
        RunSpec(
            dataset="coco",
            data_root=str(coco_root),
            rain=("photoshop-heavy",),  # under which the two differ
            derainer=("median",),
            model={"detection": tuple(map(str, files))},
            workspace=str(folder),
            **changes,
        )
    )


@pytest.fixture(scope="module")
def both(
    coco_root: Path, files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("both")
    out = folder / "out"
    return made(coco_root, folder, *files, out=str(out), save=("predictions",)), out


def numbers(results: Results, network: str | None = None) -> dict[Any, Any]:
    return {
        (r.condition, r.task, r.metric): (r.value, r.ci)
        for r in results.records
        if network in (None, r.model) or r.model is None
    }


def test_each_network_has_the_numbers_that_it_has_alone(
    both: tuple[Results, Path], coco_root: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    networks = [judge.network for judge in both[0].judges if judge.task == "detection"]
    assert len(set(networks)) == 2
    assert all(str(name).startswith("best@") for name in networks)
    alone = [made(coco_root, tmp_path, file, images=False) for file in files]
    for name, one in zip(networks, alone, strict=True):
        assert numbers(both[0], name) == numbers(one)
    assert numbers(alone[0]) != numbers(alone[1])


def test_what_is_written_is_read_again(both: tuple[Results, Path]) -> None:
    results, out = both
    again = load(out)
    assert again.records == results.records
    assert again.draws.keys() == results.draws.keys()
    assert all(
        np.allclose(v, results.draws[k], atol=1e-6, equal_nan=True) for k, v in again.draws.items()
    )
    assert json.loads((out / "results.json").read_text())["spec"]["model"] == {
        "detection": ["best.pt", "best.pt"]
    }


def test_every_table_plot_and_page_names_them(both: tuple[Results, Path]) -> None:
    results, out = both
    networks = [str(judge.network) for judge in results.judges if judge.task == "detection"]
    headings, rows, _ = summary(results)
    assert headings[2] == "network"
    assert len(rows) == 2 * len(results.conditions)
    assert [row[2] for row in rows[:2]] == networks
    texts = [latex(results), table6([results], "md"), (out / "results.md").read_text()]
    texts += [(out / name).read_text() for name in ("results.csv", "report.html", "images.csv")]
    texts += ["\n".join(map(" ".join, part.rows)) for part in parts(results) if part.rows]
    for text in texts:
        assert all(name in text.replace("\\", "") for name in networks)
    plots = [file.name for file in out.rglob("*.svg")]
    assert plots
    for name in networks:
        assert [p for p in plots if name.replace("@", "-") in p]
    saved = {file.parent.name for file in out.rglob("detection.json")}
    assert saved == set(networks)


def test_runs_are_compared_network_by_network(
    both: tuple[Results, Path], coco_root: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    results = both[0]
    verdicts = compare(results, results)
    assert outcome(verdicts) == "passed"
    assert len({v.network for v in verdicts if v.task == "detection"}) == 2
    swapped = made(coco_root, tmp_path, *reversed(files))
    assert outcome(compare(results, swapped)) == "passed"
    rows = board([results])[1]
    assert {row[4] for row in rows if row[3] == "detection"} == {
        str(j.network) for j in results.judges if j.network
    }
    alike = comparison(results, swapped)[1]
    assert len(alike) == sum(row[6] != "identical" for row in rows)
    assert {row[-1] for row in alike} == {"the same"}


def test_one_network_twice_is_refused(
    coco_root: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "best.pt"
    shutil.copy(files[0], copy)
    with pytest.raises(UsageError, match=r"--model detection: best@\w{8} is named twice"):
        made(coco_root, tmp_path / "w", files[0], copy)


def test_the_flag_is_repeated(
    coco_root: Path, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--dataset", "coco", "--data-root", str(coco_root), "--limit", "2"]
    command += [w for file in files for w in ("--model", f"detection={file}")]
    command += ["--derainer", "identity", "--rain", "none", "--workspace", str(tmp_path)]
    assert run_command_line(command) == 0
    shown = capsys.readouterr().out
    assert shown.count("best@") >= 2
