"""Runs end to end on a miniature COCO."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import finish, start, words

from datasets.image import decode, encode_png
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.ledger.runs import load_results
from reports.results.results import Results
from reports.results.written import to_json


def text_of_records(out: Path) -> str:
    """``errors`` and ``records`` of a results.json, byte for byte."""
    return without_head((out / "results.json").read_text())


def text_of(results: Results) -> str:
    """The same of results that are written to no file."""
    return without_head(to_json(results))


def without_head(text: str) -> str:
    return text[text.index(' "errors"') :]


@pytest.fixture(scope="module")
def spec(coco_root: Path, detector_file: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        model={"detection": (str(detector_file),)},
    )


def again(spec: RunSpec, workspace: Path, **changes: Any) -> Results:
    return run(spec.model_copy(update={"workspace": str(workspace), **changes}))


@pytest.fixture(scope="module")
def unbroken(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from start to end, on one worker."""
    workspace = tmp_path_factory.mktemp("unbroken")
    again(spec, workspace, workers=1, out=str(workspace / "out"))
    return workspace


def test_every_condition_has_every_metric(unbroken: Path) -> None:
    results = json.loads((unbroken / "out" / "results.json").read_text())
    records = {(r["rain"], r["derainer"], r["metric"]): r for r in results["records"]}
    rows = [("none", "identity"), ("real-like", "identity"), ("real-like", "median")]
    assert {key[:2] for key in records} == set(rows)
    for row in rows:
        for metric in ("ap", "ap50", "ap_pooled", "ap/car", "recall@c25-iou50", "ssim_y"):
            assert records[(*row, metric)]["n"] == 8
    clean = records[("none", "identity", "psnr_y_db")]
    assert clean["value"] is None
    assert clean["n_identical"] == 8
    assert records[("real-like", "identity", "psnr_y_db")]["value"] < 25
    known = {"run", "spec", "provenance", "cost", "errors", "correlations", "records"}
    assert set(results) == known | {"tasks", "metrics", "files"}
    assert list(results["tasks"]) == ["detection", "quality"]
    shown = [name for name, row in results["metrics"].items() if row.get("is_column")]
    assert shown == [
        *("ap", "ap50", "ap_pooled", "precision@c25-iou50", "recall@c25-iou50"),
        *("psnr_y_db", "ssim_y", "niqe"),
    ]
    verdicts = [name for name, row in results["metrics"].items() if row.get("primary")]
    assert verdicts == ["ap_pooled", "psnr_y_db"]
    for name in ("results.csv", "results.md", "images.csv", "report.html", "draws.npz"):
        assert (unbroken / "out" / name).stat().st_size > 0
    made = results["provenance"]
    assert list(made["network_s_per_image"]) == ["detection by tiny"]
    assert made["network_s_per_image"]["detection by tiny"] > 0
    page = (unbroken / "out" / "report.html").read_text()
    assert "detection by tiny, ms/image" in page
    assert sum(made["objects"].values()) > 8
    assert ">objects</th>" in page
    # Two best, the median and two worst of eight images, under three conditions.
    assert len(list((unbroken / "out" / "pictures").iterdir())) == 5 * 3
    assert (unbroken / "out" / "plots" / "pictures.jpg").is_file()
    lines = (unbroken / "out" / "images.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * 8
    assert lines[0].startswith("image,unit,rain,derainer,pixels,quality/psnr_y_db")
    assert lines[0].endswith("detection/f1@c25-iou50")


def test_no_path_of_this_machine_leaves(unbroken: Path, coco_root: Path) -> None:
    files = list((unbroken / "out").glob("*.*"))
    assert {"results.json", "report.html"} <= {file.name for file in files}
    for file in files:
        content = file.read_bytes()
        assert str(coco_root.parent).encode() not in content
        assert str(Path.home()).encode() + b"/" not in content


def test_draws_belong_to_records(unbroken: Path) -> None:
    results = json.loads((unbroken / "out" / "results.json").read_text())
    cells = {
        "|".join(r[k] for k in ("rain", "derainer", "task", "model", "metric") if r[k])
        for r in results["records"]
    }
    with np.load(unbroken / "out" / "draws.npz") as draws:
        assert set(draws.files) <= cells
        assert draws["real-like|median|detection|tiny|ap_pooled"].shape == (2000,)


@pytest.mark.parametrize("changes", [{"workers": 2}, {"limit": 8}])
def test_workers_do_not_change_a_byte(
    changes: dict[str, int], spec: RunSpec, unbroken: Path, tmp_path: Path
) -> None:
    assert text_of(again(spec, tmp_path, **changes)) == text_of_records(unbroken / "out")


def test_a_smaller_run_before_does_not_change_a_byte(
    spec: RunSpec, unbroken: Path, tmp_path: Path
) -> None:
    assert {r.n for r in again(spec, tmp_path, limit=3).records} == {3}
    assert text_of(again(spec, tmp_path)) == text_of_records(unbroken / "out")


def test_the_second_run_computes_nothing(
    spec: RunSpec, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("computed again")

    before = text_of_records(unbroken / "out")
    monkeypatch.setattr("harness.work.models.Models.load", never)
    monkeypatch.setattr("tasks.detection.Detection.resample", never)
    monkeypatch.setattr("tasks.quality.Quality.resample", never)
    assert text_of(again(spec, unbroken)) == before


def test_the_second_run_imports_no_torch(
    unbroken: Path, coco_root: Path, detector_file: Path
) -> None:
    told = "sys.stderr.writelines({'torch', 'ultralytics'} & sys.modules.keys())"
    code = f"import atexit, sys; atexit.register(lambda: {told})"
    status, shown, err = finish(start(*words(coco_root, detector_file, unbroken), code=code))
    assert (status, err) == (0, "")
    assert "median" in shown


def test_images_and_predictions_may_vanish_or_break(
    spec: RunSpec, unbroken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(unbroken, tmp_path / "copy")
    images = {f: f.read_bytes() for f in sorted((tmp_path / "copy" / "images").rglob("*.png"))}
    other, short, *absent = images
    other.write_bytes(encode_png(255 - decode(images[other], "")))
    short.write_bytes(images[short][:-20])
    for file in absent:
        file.unlink()
    shutil.rmtree(tmp_path / "copy" / "predictions")
    results = again(spec, tmp_path / "copy", quality=("psnr_y_db", "uqi"))
    kept, had = (
        [r for r in json.loads(text)["records"] if r["task"] == "detection"]
        for text in (to_json(results), (unbroken / "out" / "results.json").read_text())
    )
    assert kept == had
    assert {f: f.read_bytes() for f in images} == images
    assert [
        r.getMessage().partition(": ")[2] for r in caplog.records if r.levelname == "WARNING"
    ] == ["the cached image is damaged and made again"] * 2


def test_a_truncated_photograph_is_an_error_of_that_image(
    coco_root: Path, detector_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "coco"
    shutil.copytree(coco_root, root)
    file, out = root / "images" / "val2017" / "000000000007.jpg", tmp_path / "out"
    file.write_bytes(file.read_bytes()[:900])
    command = words(root, detector_file, tmp_path / "runs")
    asked = (("--out", str(out)), ("--max-errors", "1"), ("--max-errors", "0.125"))
    for more, expected in zip(asked, (1, 0, 0), strict=True):  # later from the ledger
        assert run_command_line([*command, *more]) == expected
        told = "failed: 7 (decode): 000000000007.jpg: the JPEG ends early"
        assert told in capsys.readouterr().out
        results = load_results(tmp_path / "runs", None)
        assert [e.sample for e in results.errors] == ["7"]
        assert {r.n for r in results.records} == {7}
        assert text_of(results) == text_of_records(out)
    assert "the JPEG ends early" in (out / "report.html").read_text()


def test_a_detector_is_compared_with_what_it_finds_in_the_clean_images(
    spec: RunSpec, unbroken: Path
) -> None:
    results = again(spec, unbroken)
    flips = {
        (r.rain, r.derainer): r.value for r in results.records if r.metric == "flips@c25-iou50"
    }
    assert flips.pop(("none", "identity")) == 0
    assert sorted(flips) == [("real-like", "identity"), ("real-like", "median")]
    assert all(value is not None and 0 <= value <= 1 for value in flips.values())
    for condition in (("none", "identity"), *flips):
        assert results.value(*condition, "detection", "recall@fppi0.1").value is not None


def test_derained_clean_images_are_run_where_none_is_a_rain(spec: RunSpec, tmp_path: Path) -> None:
    results = again(spec, tmp_path, rain=("none", "real-like"), task=("none",), limit=2)
    assert ("none", "median") in {(r.rain, r.derainer) for r in results.records}


def test_compare_is_paired(spec: RunSpec, unbroken: Path) -> None:
    results = again(spec, unbroken)
    floor = results.value("real-like", "identity", "quality", "psnr_y_db")
    better = results.value("real-like", "median", "quality", "psnr_y_db")
    assert floor is not None
    assert better is not None
    paired = results.compare(floor, better)
    assert paired is not None
    assert paired.difference == pytest.approx((better.value or 0) - (floor.value or 0))
    assert paired.ci is None  # eight images are too few
    none = results.compare(floor, floor)
    assert none is not None
    assert none.difference == 0


@pytest.mark.usefixtures("all_plots")
def test_report_makes_the_same_files_from_the_ledger_alone(unbroken: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; sys.modules['ultralytics'] = None"
    status, shown, err = finish(start("report", str(unbroken), "--out", str(tmp_path), code=code))
    assert (status, err) == (0, "")
    assert shown.strip() == str(tmp_path / "report.html")
    for name in ("results.csv", "results.md", "plots/detection.svg", "plots/pictures.jpg"):
        assert (tmp_path / name).read_bytes() == (unbroken / "out" / name).read_bytes()
    assert text_of_records(tmp_path) == text_of_records(unbroken / "out")
    assert run_command_line(["report", str(unbroken), "--out", str(tmp_path / "again")]) == 0
    for file in (f for f in (tmp_path / "again").rglob("*") if f.is_file()):
        first = tmp_path / file.relative_to(tmp_path / "again")
        assert file.read_bytes() == first.read_bytes(), file.name


def test_many_runs_stand_on_one_page(
    unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = json.loads((unbroken / "out" / "results.json").read_text())["run"]
    report = ["report", str(unbroken), "--out", str(tmp_path)]
    assert run_command_line([*report, "--board"]) == 0
    assert digest[:12] in (tmp_path / "board.html").read_text()
    assert run_command_line([*report, "--compare", digest[:8], digest]) == 0
    assert "the same" in (tmp_path / "compare.md").read_text()
    assert run_command_line([*report, "--layout", "table6"]) == 0
    assert "Rain input" in (tmp_path / "table6.md").read_text()
    capsys.readouterr()
    for wrong, said in (
        ([*report, "--compare", "zz", digest], f"no finished run begins so: {digest[:12]}"),
        ([*report, "--board", "--run", "a"], "stand alone"),
        (["report", str(unbroken), str(unbroken), "--out", str(tmp_path)], "several workspaces"),
    ):
        assert run_command_line(wrong) == 2
        assert said in capsys.readouterr().err


def test_pairs_bring_their_own_rain(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, low in (("input", 40), ("target", 0)):
        (tmp_path / folder).mkdir()
        for i in range(3):
            image = rng.integers(low, low + 9, (40, 50, 3), np.uint8)
            (tmp_path / folder / f"{i}.png").write_bytes(encode_png(image))
    spec = RunSpec(
        dataset="pairs",
        data_root=str(tmp_path),
        derainer=("median",),
        task=("none",),
        protocol=("all",),
        workspace=str(tmp_path / "runs"),
    )
    results = run(spec)
    assert {(r.rain, r.derainer) for r in results.records} == {
        ("none", "identity"),
        ("given", "identity"),
        ("given", "median"),
    }
    floor = results.value("given", "identity", "quality", "psnr_y_db")
    prenet = results.value("given", "identity", "quality", "psnr_y_db@prenet")
    pil = results.value("given", "identity", "quality", "psnr_y_db@pil-y")
    assert floor is not None
    assert prenet is not None
    assert pil is not None
    assert floor.value == pytest.approx(prenet.value, abs=0.05)
    assert (floor.value or 0) - (pil.value or 0) == pytest.approx(1.32, abs=0.1)
    assert text_of(run(spec)) == text_of(results)


def test_unchanged_files_are_not_written_again(
    spec: RunSpec, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.machine.about._git", lambda *words: "")
    workspace, out = tmp_path / "w", tmp_path / "w" / "out"
    shutil.copytree(unbroken, workspace)

    def written() -> set[str]:
        """Files that a run writes which finds all done."""
        before = {f: f.stat().st_mtime_ns for f in out.rglob("*")}
        again(spec, workspace, workers=1, out=str(out))
        return {f.name for f in out.rglob("*.*") if f.stat().st_mtime_ns != before.get(f)}

    assert "report.html" in written()  # the code was another, as far as git knows
    assert written() == set()
    (out / "results.csv").unlink()
    assert {"results.csv", "report.html"} <= written()
    monkeypatch.setattr("harness.machine.about._git", lambda *words: " M harness/runs/engine.py")
    assert "report.html" in written()
    assert "report.html" in written()  # nobody knows what changed in the code
