"""Keys name contents, however they are made, and what makes them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from datasets.coco import open_coco
from datasets.sample import Annotations
from derainers import DERAINERS
from harness import RunSpec
from harness.machine import about, code
from harness.plan import keys
from harness.plan.plan import Plan, make_plan, run_digest
from harness.plan.stages import STAGES, TABLES, made_by
from harness.plan.unit_keys import Entry, Keyring, images_sha256, labels_sha256
from tests.test_architecture import MODULES, files_imported

ROOMS = ("harness", "datasets", "derainers", "tasks", "reports")


def test_a_pattern_gives_the_keys_that_key_gives() -> None:
    fixed = {"version": 3, "model": {"name": "a", "sizes": [1, 2.5, None]}}
    pattern = keys.Pattern("evidence", ["prediction", "labels"], **fixed)
    for prediction, labels in (("0f", "1e"), ("0f", None), ('"\\\n', "\0labels\0 ü\ud800")):
        expected = keys.key("evidence", prediction=prediction, labels=labels, **fixed)
        assert pattern.key(prediction=prediction, labels=labels) == expected
    assert keys.Pattern("identity", ["image"]).key(image="a") == keys.key("identity", image="a")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    image = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
    cv2.imwrite(str(folder / "a.png"), image)
    return folder


def planned(photographs: Path, **words: Any) -> Plan:
    asked: dict[str, Any] = {
        "dataset": "folder",
        "data_root": str(photographs),
        "task": ("none",),
        "device": "cpu",
        "rain": ("none", "photoshop-heavy"),
        "derainer": ("median",),
    }
    return make_plan(RunSpec(**(asked | words)), {})


TASK: Any = SimpleNamespace(
    name="detection", model="net", model_key={"weights": "w"}, evidence_version=2
)


def named(photographs: Path) -> dict[str, str]:
    """The key of everything that is kept of one image, and of its run."""
    plan = planned(photographs)
    entry = Entry.of(plan.dataset.samples[0])
    found = {"replicates": keys.canonical(made_by("replicates")), "data": entry.content}
    for condition in plan.conditions:
        unit = Keyring(plan, condition).of(entry)
        place = f"{condition.rain} {condition.derainer.name}"
        found[f"restored {place}"] = unit.restored
        found[f"picture {place}"] = unit.picture()
        found |= {f"{metric} {place}": key for metric, key in unit.quality().items()}
    found["prediction"] = Keyring(plan, plan.conditions[0]).of(entry).prediction(TASK, "pixels")
    found["evidence"] = Keyring(plan, plan.conditions[0]).of(entry).evidence(TASK, "pixels")
    return found | {"run": run_digest(plan, entry.content, {})}


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """A copy of our sources; weights are not among them."""
    for room in ROOMS:
        shutil.copytree(
            code.ROOT / room,
            tmp_path / room,
            ignore=shutil.ignore_patterns("__pycache__", "weights"),
        )
    code._place_sha256.cache_clear()
    yield tmp_path
    code._place_sha256.cache_clear()


@pytest.mark.parametrize(
    ("source", "changed", "kept"),
    [
        ("datasets/image.py", ["restored none identity", "psnr_y_db none median"], ["data"]),
        (
            "datasets/rain/streaks.py",
            ["restored photoshop-heavy identity", "psnr_y_db photoshop-heavy median"],
            ["restored none median", "prediction", "evidence", "replicates", "data"],
        ),
        (
            "derainers/networks/granet.py",
            ["restored none median", "restored photoshop-heavy median"],
            ["restored none identity", "restored photoshop-heavy identity", "prediction"],
        ),
        (
            "tasks/quality/psnr.py",
            ["psnr_y_db none identity", "replicates"],
            ["restored none median", "prediction", "evidence"],
        ),
        (
            "tasks/quality/niqe_pristine.npz",
            ["psnr_y_db none identity"],
            ["restored none median", "evidence"],
        ),
        (
            "tasks/models/options.py",
            ["prediction", "evidence", "picture none median"],
            ["psnr_y_db none identity"],
        ),
        ("tasks/networks/yolo_street.py", ["prediction", "picture none median"], ["replicates"]),
        ("tasks/coco_ap.py", ["evidence", "replicates"], ["prediction", "psnr_y_db none median"]),
        ("datasets/camvid.py", ["evidence"], ["prediction", "restored none median", "data"]),
        ("harness/scores/replicates.py", ["replicates"], ["evidence", "psnr_y_db none median"]),
        ("harness/work/scene.py", ["restored photoshop-heavy identity"], ["prediction"]),
        ("harness/work/pictures.py", ["picture none median"], ["restored none median", "evidence"]),
        ("harness/work/restoration.py", ["restored none median"], ["restored none identity"]),
        ("reports/findings/robustness.py", [], ["replicates", "evidence"]),
    ],
)
def test_a_changed_source_changes_the_keys_of_its_stages_alone(
    source: str,
    changed: list[str],
    kept: list[str],
    photographs: Path,
    copied: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = named(photographs)
    monkeypatch.setattr(code, "ROOT", copied)
    code._place_sha256.cache_clear()
    assert named(photographs) == before  # a copy elsewhere, as a wheel is, names the same
    with (copied / source).open("ab") as file:
        file.write(b"\n# another\n")
    code._place_sha256.cache_clear()
    after = named(photographs)
    assert {name for name in changed if after[name] == before[name]} == set()
    assert {name for name in kept if after[name] != before[name]} == set()
    # The run is of no task, and a picture is none of its numbers.
    apart = ("tasks/models", "tasks/networks", "harness/work/pictures")
    assert (after["run"] == before["run"]) == source.startswith(apart)


@pytest.mark.parametrize(
    "source",
    [
        *("derainers/training/loop.py", "reports/plots/figure.py", "harness/cli/main.py"),
        *("derainers/rows.py", "derainers/published.py", "datasets/rain/rows.py"),
    ],
)
def test_a_source_that_decides_no_number_changes_no_key(
    source: str, photographs: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = named(photographs)
    monkeypatch.setattr(code, "ROOT", copied)
    with (copied / source).open("ab") as file:
        file.write(b"\n# another\n")
    code._place_sha256.cache_clear()
    assert named(photographs) == before


def test_a_derainer_s_own_row_names_what_it_makes(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rows = named(photographs), DERAINERS._ours
    monkeypatch.setitem(rows, "new", replace(rows["median"], version=9))
    assert named(photographs) == before
    for row in (
        replace(rows["median"], version=2),
        replace(rows["median"], build=rows["bilateral"].build),
        replace(rows["median"], build=partial(rows["median"].build, more=1)),
    ):
        monkeypatch.setitem(rows, "median", row)
        after = named(photographs)
        assert after["restored none median"] != before["restored none median"]
        assert after["restored none identity"] == before["restored none identity"]


def test_a_checkout_that_is_edited_names_its_stages_by_what_it_runs(copied: Path) -> None:
    ask = (
        "import json, sys\n"
        "from harness.plan.stages import STAGES, made_by\n"
        "print(json.dumps({s: made_by(s)['code'] for s in STAGES}))\n"
        "sys.exit('torch' in sys.modules)"
    )

    def told() -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", ask],
            cwd=copied,
            env=os.environ | {"PYTHONPATH": str(copied)},
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    before = told()
    assert before == {stage: made_by(stage)["code"] for stage in STAGES}
    with (copied / "derainers" / "chain.py").open("a") as file:
        file.write("\n# another\n")
    after = told()
    assert {stage for stage in STAGES if after[stage] != before[stage]} == {"restored"}


NOT_DECIDING = {"datasets.installed", "datasets.label_png", "datasets.marked"}
"""Finds rows of installed packages, whose keys hold the package; reads label maps, which the stages
that read them name by their folder; says which files of a folder count, whose contents keys hold.
"""
SAID_ALONE = {
    *("datasets.bdd100k", "datasets.camvid", "datasets.class_png"),
    *("tasks.coco_ap", "tasks.task"),
}
"""Has names of classes, of which what predicts takes the spelling alone; the types of an answer."""


@pytest.mark.parametrize(
    ("stage", "starts"),
    [
        ("identity", ["datasets.sample"]),
        ("rainy", ["datasets.rain.rows"]),
        ("restored", ["derainers.rows", "derainers.chain", "derainers.external"]),
        ("quality", ["tasks.quality"]),
        ("prediction", ["tasks.models", "tasks.models.own", "tasks.network"]),
        ("evidence", ["tasks.detection", "tasks.instance", "tasks.semantic"]),
        ("replicates", ["tasks.detection", "tasks.instance", "tasks.semantic", "tasks.quality"]),
        ("picture", ["datasets.draw", "tasks.semantic"]),
    ],
)
def test_a_stage_names_every_source_that_it_runs(stage: str, starts: list[str]) -> None:
    wanted, found = list(starts), set[str]()
    while wanted:
        module = wanted.pop()
        if module not in found:
            found.add(module)
            left_out = NOT_DECIDING | (SAID_ALONE if stage == "prediction" else set())
            wanted += files_imported(MODULES[module]) - left_out
    places = {code.ROOT / place for place in (*STAGES[stage].code, *TABLES)}
    lacking = {m for m in found if not {MODULES[m], MODULES[m].parent} & places}
    assert not lacking


def test_whatever_decides_a_run_names_it(photographs: Path) -> None:
    plan = planned(photographs)
    digest = run_digest(plan, "data", {"detection": "l"})
    for changed in (
        replace(plan, placement=replace(plan.placement, tile_px=64)),
        replace(plan, placement=replace(plan.placement, dtype="bf16")),
        planned(photographs, seed=1),
        planned(photographs, derainer=("bilateral",)),
        planned(photographs, quality=("psnr",)),
        planned(photographs, rain=("photoshop-light",)),
    ):
        assert run_digest(changed, "data", {"detection": "l"}) != digest
    assert run_digest(planned(photographs, workers=7), "data", {"detection": "l"}) == digest
    assert run_digest(plan, "other", {"detection": "l"}) != digest
    assert run_digest(plan, "data", {"detection": "m"}) != digest


@pytest.mark.parametrize("package", ["numpy", "opencv-python", "torch", "scipy"])
def test_the_versions_of_its_keys_name_a_run(
    package: str, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, version = named(photographs)["run"], about.version
    monkeypatch.setattr(about, "version", lambda p: "0" if p == package else version(p))
    assert named(photographs)["run"] != before


def test_the_opencv_that_is_loaded_decides(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = named(photographs)
    assert str(about.version("opencv-python")).startswith(cv2.__version__)
    # A distribution says what was installed once; the last one unpacked lies there.
    for name in about.OPENCV:
        folder = tmp_path / f"{name.replace('-', '_')}-3.0.0.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.0.0.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    about._installed.cache_clear()
    assert named(photographs) == before
    about._installed.cache_clear()
    monkeypatch.setattr(cv2, "__version__", "4.0.0")
    assert about.version("opencv-python-headless") == "4.0.0"
    after = named(photographs)
    assert after["restored photoshop-heavy identity"] != before["restored photoshop-heavy identity"]
    assert after["run"] != before["run"]


def test_the_onnxruntime_that_is_loaded_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    told = str(about.version("onnxruntime"))
    assert told == onnxruntime.__version__
    # As where onnxruntime-gpu brings it: no distribution has the package's name.
    monkeypatch.setattr(about, "_installed", lambda package: None)
    assert about.versions(("onnxruntime", "nothing")) == {"onnxruntime": told, "nothing": None}
    monkeypatch.setattr(onnxruntime, "__version__", "1.0.0")
    assert about.version("onnxruntime") == "1.0.0"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert about.version("onnxruntime") is None


def test_a_picture_belongs_to_the_labels_drawn_on_it(photographs: Path) -> None:
    plan = planned(photographs)
    entry = Entry.of(plan.dataset.samples[0])
    label = Annotations(
        np.array([[1.0, 2, 3, 4]]), np.array([1]), np.array([4.0]), np.array([False])
    )
    labelled = Entry.of(replace(plan.dataset.samples[0], labels=label))
    first, second = (Keyring(plan, condition) for condition in plan.conditions[:2])
    assert first.of(entry).restored == first.of(labelled).restored
    assert first.of(entry).picture() != first.of(labelled).picture()
    # Coloured labels stand in the picture of the first condition alone.
    alone = Keyring(planned(photographs, rain=("photoshop-heavy",)), second.condition)
    assert alone.of(entry).restored == second.of(entry).restored
    moved = Keyring(replace(plan, conditions=plan.conditions[1:]), second.condition)
    assert moved.of(entry).picture() != second.of(entry).picture()


def test_a_picture_belongs_to_the_device_that_predicted_what_it_shows(photographs: Path) -> None:
    plan = planned(photographs)
    entry, dry = Entry.of(plan.dataset.samples[0]), plan.conditions[0]
    assert dry.derainer.is_identity
    here, there = (
        Keyring(replace(plan, placement=replace(plan.placement, device=device)), dry).of(entry)
        for device in ("cpu", "cuda")
    )
    assert here.restored == there.restored
    assert here.picture() != there.picture()


def test_images_are_the_same_whatever_else_is_read_of_their_labels(coco_root: Path) -> None:
    def entries(masks: bool) -> list[Entry]:
        dataset = open_coco(coco_root, None, masks=masks)
        return [Entry.of(sample) for sample in dataset.samples]

    boxes, masks = entries(masks=False), entries(masks=True)
    assert any(e.labels != e.boxes for e in masks)
    assert images_sha256(boxes) == images_sha256(masks)
    told = [labels_sha256(of, ["detection", "instance"]) for of in (boxes, masks)]
    assert told[0]["detection"] == told[1]["detection"]
    assert told[0]["instance"] != told[1]["instance"]
    first = boxes[0].sample
    assert first.annotations is not None
    moved = replace(first.annotations, boxes_xyxy_px=first.annotations.boxes_xyxy_px + 1)
    mended = [Entry.of(replace(first, labels=moved)), *boxes[1:]]
    assert images_sha256(mended) == images_sha256(boxes)
    assert labels_sha256(mended, ["detection"])["detection"] != told[0]["detection"]
