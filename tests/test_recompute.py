"""What is recomputed with plain libraries is what a run says."""

from __future__ import annotations

import ast
import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.label_png import encode_labels
from harness.cli.main import run_command_line
from tasks.confusion import confusion, means

ROOT = Path(__file__).parent.parent
DATA = ("--dataset", "streetsim", "--split", "train:4", "--rain", "real-like", "--seed", "5")


@pytest.fixture(scope="module")
def script() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("recompute")


def test_it_imports_nothing_of_this_package(script: Any) -> None:
    tree = ast.parse(Path(script.__file__).read_text())
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {getattr(n, "module", None) or n.names[0].name for n in nodes}
    ours = ("harness", "datasets", "derainers", "tasks", "reports")
    assert not [name for name in names if name.split(".")[0] in ours]


def test_mean_iou_is_that_of_runs_where_a_class_is_not_in_the_truth(
    script: Any, tmp_path: Path
) -> None:
    truth = np.zeros((8, 8), np.uint8)
    truth[4:] = 2
    found = truth.copy()
    found[0, 0] = 5
    files = [tmp_path / "found.png", tmp_path / "truth.png"]
    for file, labels in zip(files, (found, truth), strict=True):
        file.write_bytes(encode_labels(labels))
    ours = means(confusion(truth, found, [0, 2, 5]).astype(float))["miou"]
    assert script.mean_iou(files[:1], files[1:]) == pytest.approx(float(ours), abs=1e-12)


@pytest.mark.slow
def test_a_small_run_is_recomputed(script: Any, tmp_path: Path) -> None:
    scenes, out, copy = (str(tmp_path / name) for name in ("scenes", "out", "copy"))
    words = ["run", *DATA, "--data-root", scenes, "--task", "detection,semantic"]
    words += ["--derainer", "median", "--quality", "psnr", "--save", "predictions,images"]
    words += ["--no-images", "--quiet", "--workers", "1"]
    assert not run_command_line([*words, "--workspace", str(tmp_path / "ws"), "--out", out])
    assert not run_command_line(
        ["synth", *DATA, "--data-root", scenes, "--workers", "1", "--out", copy]
    )
    folders = script.Folders(*map(Path, (out, copy, scenes)), "real-like")
    made = script.recomputed(folders, "median", "yolo-streetsim", "refinenet-streetsim")
    assert len(made) == 5
    for each in made:
        assert each.ours == pytest.approx(each.theirs, abs=each.at_most), each.name
    told = folders.told("median", "yolo-streetsim", "ap_pooled")
    assert 0 < float(told["value"]) < 1
    # One number of the run that is another's shows.
    file = Path(out) / "results.csv"
    rows = list(csv.reader(file.read_text().splitlines()))
    place = rows[0].index("value")
    for row in rows[1:]:
        row[place] = row[place] and str(float(row[place]) + 0.001)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    folders = script.Folders(*map(Path, (out, copy, scenes)), "real-like")
    made = script.recomputed(folders, "median", "yolo-streetsim", "refinenet-streetsim")
    assert sum(abs(each.ours - each.theirs) > each.at_most for each in made) == 4
