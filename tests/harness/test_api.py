"""What Python sees: a run by its fields, results that print themselves, folders compared."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

import harness
from datasets.image import encode_png
from harness import Results, RunSpec, compare, finished_runs, load, report, run
from harness.cli.main import run_command_line
from harness.spec import UsageError, checked
from reports.results.record import ImageError


class Unchanged:
    """A derainer that leaves images as they are."""

    def restore(self, image: Any, sample_id: str) -> Any:
        return image


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 24 photographs and one run of them."""
    root = tmp_path_factory.mktemp("api")
    (root / "photos").mkdir()
    for name, image in (("a", astronaut()), ("b", chelsea()), ("c", coffee())):
        for i in range(8):
            window = np.ascontiguousarray(image[20 * i : 20 * i + 60, 9 * i : 9 * i + 70])
            (root / "photos" / f"{name}{i}.png").write_bytes(encode_png(window))
    return root


@pytest.fixture(scope="module")
def results(here: Path) -> Results:
    return run(
        data_root=str(here / "photos"),
        dataset="folder",
        derainer=("identity", "median"),
        rain="photoshop-heavy",
        task="none",
        workspace=str(here / "ws"),
        out=str(here / "out"),
        images=False,
    )


def test_results_print_their_main_table(results: Results) -> None:
    shown = repr(results)
    title, headings, *rows = shown.splitlines()
    assert title == f"run {results.run[:12]}: folder all, 24 images"
    assert headings.split()[:2] == ["PSNR-Y", "[dB]"]
    assert len(rows) == 4
    assert len(shown) < 600
    median = results.value("photoshop-heavy", "median", "quality", "psnr_y_db")
    assert f"{median.value:.2f}" in rows[-1]
    assert f"<td>{median.value:.2f}</td>" in results._repr_html_()
    assert results.table.loc[("photoshop-heavy", "median"), "PSNR-Y [dB]"] == median.value


def test_the_frame_has_intervals_and_changes(results: Results) -> None:
    frame = results.frame
    frame = frame[(frame.rain == "photoshop-heavy") & (frame.metric == "psnr_y_db")]
    (rainy,), (median,) = (
        frame[frame.derainer == name].to_dict("records") for name in ("identity", "median")
    )
    assert median["change"] == pytest.approx(median["value"] - rainy["value"])
    assert median["change_low"] < median["change"] < median["change_high"]
    assert median["ci_low"] < median["value"] < median["ci_high"]
    assert np.isnan(rainy["change"])
    images = results.images
    assert len(images) == 24 * 3  # clean images have no quality
    mine = images[(images.rain == "photoshop-heavy") & (images.derainer == "median")]
    assert mine["psnr_y_db"].mean() == pytest.approx(median["value"], abs=1e-4)
    assert set(mine["sample"]) == {f"{name}{i}.png" for name in "abc" for i in range(8)}


def test_a_wrong_name_is_told_with_what_was_meant(results: Results) -> None:
    for place, says in (
        (("photoshop-heavy", "medain", "quality", "psnr_y_db"), "derainer 'medain' (did you mean"),
        (("heavy", "median", "quality", "psnr_y_db"), "no rain 'heavy'"),
        (("photoshop-heavy", "median", "quality", "psnr"), "did you mean psnr_y_db?"),
        (("photoshop-heavy", "median", "detection", "ap"), "known are quality"),
    ):
        with pytest.raises(LookupError, match=re.escape(says)):
            results.value(*place)


def test_a_folder_and_a_workspace_are_loaded_and_compared(here: Path, results: Results) -> None:
    known = load(here / "ws")
    assert (known.run, known.records) == (results.run, results.records)
    assert load(here / "ws", results.run[:6]).run == results.run
    assert [each.run for each in finished_runs(here / "ws")] == [results.run]
    read = load(here / "out")
    assert read.frame.equals(results.frame)
    with pytest.raises(ValueError, match=r"load the workspace of the run, or read images\.csv"):
        _ = read.images
    assert {v.verdict for v in compare(here / "out", here / "ws")} == {"equivalent"}
    assert {v.verdict for v in compare(results, here / "out")} == {"equivalent"}


def test_slips_are_told_in_one_line(here: Path) -> None:
    spec = RunSpec(dataset="folder", data_root=str(here / "photos"))
    with pytest.raises(UsageError, match=r"run\(spec, rain=…\): give a spec, or fields of one"):
        run(spec, rain="none")
    with pytest.raises(UsageError, match=r"unknown field 'derainerz' \(did you mean derainer\?\)"):
        run(derainerz="granet")
    with pytest.raises(UsageError, match=r"unknown derainer 'median,granet' \(several are a list"):
        run(spec.model_copy(update={"derainer": ("median,granet",), "task": ("none",)}))
    with pytest.raises(UsageError, match=r"expected derainers by name, .*, got list"):
        run(spec, derainers=[Unchanged()])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"restore\(image, sample_id\), got the class Unchanged"):
        run(spec.model_copy(update={"task": ("none",)}), derainers={"mine": Unchanged})
    with pytest.raises(UsageError, match="a results folder holds one run alone"):
        load(here, "abc")
    with pytest.raises(UsageError, match=r"no results\.json"):
        load(here / "gone")
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        harness.lod  # noqa: B018


def test_paths_are_taken_as_text() -> None:
    spec = checked(
        data_root=Path("photos"),
        derainer=["median", Path("net.onnx")],
        model={"detection": Path("yolo.pt")},
        out=Path("o"),
    )
    assert (spec.data_root, spec.out) == ("photos", "o")
    assert spec.derainer == ("median", "net.onnx")
    assert spec.model == {"detection": ("yolo.pt",)}


def test_results_say_which_images_failed(results: Results) -> None:
    errors = [ImageError("a<1>.png", "derain", "boom\x1b[1m"), ImageError("b", "read", "gone")]
    failed = replace(results, errors=errors)
    assert repr(failed).endswith("\n2 images failed, a<1>.png first (derain): boom [1m")
    assert "<p>2 images failed, a&lt;1&gt;.png first" in failed._repr_html_()
    assert "failed" not in repr(results)


def test_an_unknown_layout_is_refused(results: Results, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown layout 'tabel6': known are paper, table6, rem"):
        report(results, tmp_path, layout="tabel6")
    assert not [*tmp_path.iterdir()]


def test_a_folder_is_shown_and_two_runs_are_compared_on_the_command_line(
    here: Path,
    results: Results,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(here)
    (here / "derain-runs").symlink_to(here / "ws")
    assert run_command_line(["report", "out", "--out", "again", "--no-images"]) == 0
    assert (here / "again" / "results.csv").read_bytes() == (
        here / "out" / "results.csv"
    ).read_bytes()
    assert run_command_line(["report", "out", results.run[:8], "--out", "both"]) == 0
    assert "compare.html" in capsys.readouterr().out
    assert "median" in (here / "both" / "compare.html").read_text()
    for words, says in (
        (["ffff", "out"], "no finished run ffff"),
        (["out", "ws"], "two are compared; workspaces stand alone"),
        (["out", "--run", "ab"], "--run are of workspaces"),
    ):
        assert run_command_line(["report", *words, "--out", "x"]) == 2
        assert says in capsys.readouterr().err


def test_predictions_are_a_row_for_each_object(
    coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {
        "data_root": str(coco_root),
        "dataset": "coco",
        "model": {"detection": str(detector_file)},
        "derainer": "median",
        "workspace": str(tmp_path / "ws"),
        "limit": 2,
        "images": False,
    }
    results = run(**asked)
    frame = results.predictions
    assert set(frame.derainer) == {"identity", "median"}
    assert set(frame["class"]) <= {"person", "car", "dog"}
    assert frame.confidence.between(0, 1).all()
    assert (frame.right_px >= frame.left_px).all()
    with pytest.raises(ValueError, match="not part of loaded results"):
        _ = load(tmp_path / "ws").predictions
    shutil.rmtree(tmp_path / "ws" / "predictions")  # as gc does
    with pytest.raises(UsageError, match="save='predictions', out=FOLDER"):
        _ = run(**asked).predictions
    again = run(**asked, save="predictions", out=str(tmp_path / "out"))
    assert again.predictions.equals(frame)


@pytest.mark.parametrize(
    ("labels", "dataset"), [("labels.json", "coco"), ("data.yaml", "yolo"), (None, None)]
)
def test_a_label_file_names_the_data_set(labels: str | None, dataset: str | None) -> None:
    assert RunSpec(data_root="images", annotations=labels).dataset == dataset
    assert RunSpec(data_root="images", annotations=labels, dataset="voc").dataset == "voc"
