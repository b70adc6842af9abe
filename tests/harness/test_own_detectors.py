"""Detectors of a user's own in whole runs: functions, ONNX and TorchScript by their words."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exports import YOLO, Heads, checkpoint, constant_onnx, export_of, scripted

from datasets.image import encode_png
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.ledger.gather import gather
from harness.ledger.ledger import Ledger
from harness.plan.foreign_specs import spec_again
from harness.plan.networks import network_of, source_of
from harness.plan.plan import make_plan
from harness.spec import UsageError
from harness.work.seats import Seat, Seats
from harness.work.trial import tried
from tasks.models import MODELS
from tasks.task import TaskError

DETECTOR = """
import time

import numpy as np
from pathlib import Path


class Bright:
    def __init__(self, level):
        self.level = level
        self.seen = 0

    def __call__(self, image):
        rows, columns = np.nonzero(image.max(2) >= self.level)
        boxes = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
        return {"boxes": boxes, "scores": [0.9], "classes": ["car"], "masks": self.mask(image)}

    def mask(self, image):
        return image.max(2)[None] >= self.level


class Drawing(Bright):
    def __call__(self, image):
        return {**super().__call__(image), "scores": np.random.random(1)}


class Counting(Bright):
    def __call__(self, image):
        self.seen += 1
        return {**super().__call__(image), "scores": [1 / self.seen]}


class Small(Bright):
    def __call__(self, image):
        return {**super().__call__(image), "classes": ["Car"]}


def build(weights=None):
    return Bright(int(Path(weights).read_text()) if weights else 128)


def draws():
    return Drawing(128)


def counts():
    return Counting(128)


class Noisy:
    def restore(self, image, sample_id):
        return (image / 255 + np.random.random(image.shape) / 255).astype("float32")


def noisy():
    return Noisy()


def slips():
    return Small(128)


def keeping():
    held = {}

    def detect(image):
        held["image"] = image
        time.sleep(0.03)  # others get their turn
        return Bright(128)(held["image"])

    return detect


def labels():
    def segment(image):
        return (image.mean(2) > 100).astype(int)

    segment.names = ["road", "sky"]
    return segment
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    file = tmp_path / "mine_found.py"
    file.write_text(DETECTOR)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return str(file)


@pytest.fixture
def spec(coco_root: Path, tmp_path: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("identity",),
        rain=("none",),
        quality=("none",),
        limit=3,
        workspace=str(tmp_path / "runs"),
    )


def with_network(spec: RunSpec, word: str, task: str = "detection") -> RunSpec:
    return spec.model_copy(update={"task": (task,), "model": {task: (word,)}})


@pytest.mark.parametrize("task", ["detection", "instance"])
def test_an_own_detector_is_scored(task: str, mine: str, spec: RunSpec) -> None:
    results = run(with_network(spec, f"{mine}:build", task))
    assert not results.errors
    (record, *_) = [r for r in results.records if r.task == task]
    assert record.model == "mine_found:build"
    again = run(with_network(spec, f"{mine}:build", task))
    assert [r.value for r in again.records] == [r.value for r in results.records]


def test_threads_do_not_find_the_objects_of_each_others_images(mine: str, spec: RunSpec) -> None:
    found = {
        name: run(
            with_network(spec, f"{mine}:{name}").model_copy(update={"limit": None, "workers": 4})
        )
        for name in ("build", "keeping")
    }
    assert not found["keeping"].errors
    values = {name: [r.value for r in results.records] for name, results in found.items()}
    assert values["keeping"] == values["build"]


def test_networks_that_draw_on_one_device_do_not_wait_for_each_other(
    mine: str, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = Seat("cpu")
    monkeypatch.setattr(Seats, "own", lambda _: seat)
    asked = with_network(spec, f"{mine}:draws").model_copy(
        update={"limit": None, "workers": 2, "derainer": (f"{mine}:noisy",)}
    )
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(run(asked)), daemon=True)
    thread.start()
    thread.join(timeout=120)
    assert ended
    assert not ended[0].errors


def test_a_function_of_label_maps_is_a_segmenter(mine: str, spec: RunSpec) -> None:
    network = network_of("semantic", f"{mine}:labels", spec)
    labels = network.build("cpu", ["road", "sky"]).segment([np.full((4, 6, 3), 200, np.uint8)])[0]
    assert labels.tolist() == [[1] * 6] * 4


def test_a_module_is_named_whole(mine: str, spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(mine).parent))
    assert network_of("detection", "mine_found:build", spec).name == "mine_found:build"


def test_weights_and_code_name_it(mine: str, spec: RunSpec, tmp_path: Path) -> None:
    (tmp_path / "level.txt").write_text("90")
    word = f"{mine}:build@{tmp_path / 'level.txt'}"
    first = network_of("detection", word, spec)
    assert first.name == f"mine_found:build@{first.sha256[:8]}"
    (tmp_path / "level.txt").write_text("91")
    second = network_of("detection", word, spec)
    Path(mine).write_text(DETECTOR.replace(">= self.level", "> self.level"))
    third = network_of("detection", word, spec)
    assert len({json.dumps(n.key, sort_keys=True) for n in (first, second, third)}) == 3


def test_what_is_found_in_a_set_without_labels_has_the_network_s_names(
    spec: RunSpec, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(encode_png(np.full((64, 96, 3), 90, np.uint8)))
    bare = spec.model_copy(update={"dataset": "folder", "data_root": str(tmp_path / "photos")})
    asked = with_network(bare, str(constant_onnx(tmp_path / "net.onnx", [YOLO])))
    first = run(asked).predictions
    assert first[["sample", "class"]].to_numpy().tolist() == [["a.png", "dog"]]
    assert run(asked).predictions.equals(first)  # whose network nothing has loaded


def test_a_function_has_a_key_for_each_task(
    mine: str, spec: RunSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def trial_of(task: str, workspace: str) -> Any:
        ledger = Ledger(tmp_path / workspace)
        try:
            return tried(make_plan(with_network(spec, f"{mine}:build", task), {}), ledger).tasks[0]
        finally:
            ledger.close()

    boxes, masks = (trial_of(task, "both") for task in ("detection", "instance"))
    assert boxes.model_key != masks.model_key
    assert "answers two small images otherwise" not in caplog.text
    assert trial_of("instance", "alone").model_key == masks.model_key
    trial_of("detection", "other")
    assert gather([tmp_path / "alone", tmp_path / "other"], tmp_path / "all") == 2


def test_chance_and_state_are_found_by_the_trial(mine: str, spec: RunSpec, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "runs")
    try:
        drawing = tried(make_plan(with_network(spec, f"{mine}:draws"), {}), ledger)
        assert drawing.tasks[0].draws
        plain = tried(make_plan(with_network(spec, f"{mine}:build"), {}), ledger)
        assert not plain.tasks[0].draws
    finally:
        ledger.close()
    with pytest.raises(UsageError, match="its answer to an image depends on those before"):
        run(with_network(spec, f"{mine}:counts"))


def test_a_wrong_class_is_told_before_work_starts(mine: str, spec: RunSpec) -> None:
    says = r"mine_found\.py:\d+ `return {.*\"Car\".*the class 'Car', which is none of person, car"
    with pytest.raises(TaskError, match=says):
        run(with_network(spec, f"{mine}:slips"))


def test_files_are_detectors_by_their_words(spec: RunSpec, tmp_path: Path) -> None:
    onnx_file = constant_onnx(tmp_path / "net.onnx", [YOLO])
    said: dict[str, Any] = {"names": ["person", "car", "dog"], "imgsz": [64, 96]}
    said |= {"author": "Ultralytics", "args": {"dynamic": False}}
    script = scripted(tmp_path / "net.ts", Heads(), said)
    values = []
    for word in (f"{onnx_file}", f"onnx@{onnx_file}", f"torchscript:{script}"):
        results = run(with_network(spec, word))
        assert not results.errors
        values.append([r.value for r in results.records])
        assert {r.model for r in results.records if r.task} >= {"net"}
    assert values[0] == values[1] == values[2]


def test_networks_of_all_kinds_stand_side_by_side(mine: str, spec: RunSpec, tmp_path: Path) -> None:
    first, second = (checkpoint(tmp_path, kind) for kind in ("yolov8n", "yolo11n"))
    onnx_file = export_of(first, "onnx", simplify=False).rename(tmp_path / "exported.onnx")
    script = export_of(second, "torchscript").rename(tmp_path / "traced.torchscript")
    words = (f"{mine}:build", str(onnx_file), f"torchscript:{script}", str(first), str(second))
    names = ["mine_found:build", "exported", "traced", "yolov8n", "yolo11n"]
    out = tmp_path / "out"
    chosen = {"model": {"detection": words}, "out": str(out), "limit": 2}
    results = run(spec.model_copy(update=chosen))
    assert not results.errors
    assert {r.model for r in results.records if r.task == "detection"} == set(names)
    table = (out / "results.md").read_text().replace("\\", "")
    page = (out / "report.html").read_text()
    assert all(f"| {name} |" in table and name in page for name in names)


def test_a_size_in_the_word_is_another_network(spec: RunSpec, tmp_path: Path) -> None:
    file = constant_onnx(tmp_path / "net.onnx", [YOLO], ["n", 3, "h", "w"])
    small, large = (network_of("detection", f"{file},imgsz={px}", spec) for px in (64, 128))
    assert (small.name, large.name) == ("net,imgsz=64", "net,imgsz=128")
    assert small.key["options"]["imgsz"] == 64
    assert len({json.dumps(n.key) for n in (small, large)}) == 2
    with pytest.raises(UsageError, match="leave imgsz out: it sees 300x300 px"):
        network_of("detection", f"ssd300_vgg16@{file},imgsz=64", spec)
    with pytest.raises(UsageError, match="leave imgsz out: it sees the picture's own size"):
        network_of("semantic", "refinenet-streetsim,imgsz=64", spec)
    with pytest.raises(UsageError, match="what sees pictures is your code"):
        network_of("detection", "mine.py:build,imgsz=64", spec)


def test_the_size_of_a_training_is_told_and_another_is_another_network(
    spec: RunSpec, tmp_path: Path
) -> None:
    files = {px: tmp_path / f"net{i}.pt" for i, px in enumerate((1280, 640, (192, 320), "large"))}
    for px, file in files.items():
        torch.save({"train_args": {"imgsz": px}}, file)
    told = [network_of("detection", str(file), spec).trained_px() for file in files.values()]
    assert told == ["1280", None, "192x320", None]
    own = network_of("detection", str(files[1280]), spec)
    usual = network_of("detection", f"{files[1280]},imgsz=640", spec)
    assert (own.name, usual.name) == ("net0", "net0,imgsz=640")
    assert usual.trained_px() is None
    assert own.key != usual.key
    assert network_of("detection", "yolo-streetsim,imgsz=96", spec).name.endswith(",imgsz=96")


def test_a_path_may_hold_an_at(spec: RunSpec, tmp_path: Path) -> None:
    (tmp_path / "me@home").mkdir()
    file = constant_onnx(tmp_path / "me@home" / "net.onnx", [YOLO])
    plain = network_of("detection", str(file), spec)
    assert network_of("detection", f"onnx@{file}", spec).key == plain.key
    code = tmp_path / "me@home" / "found.py"
    code.write_text(DETECTOR)
    (tmp_path / "level.txt").write_text("90")
    for word in (f"{code}:build", f"{code}:build@{tmp_path / 'level.txt'}"):
        assert network_of("detection", word, spec).name.startswith("found:build")
        assert source_of(word) == [str(code)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("semantic", "seg.pt"),
        ("detection", "det.pt"),
        ("detection", "det.torchscript"),
        ("instance", "ultralytics-seg@seg.pt"),
        ("semantic", "refinenet@seg.pth"),
    ],
)
def test_torchscript_without_its_word_is_told_the_word(
    task: str, name: str, spec: RunSpec, tmp_path: Path
) -> None:
    family, at, last = name.rpartition("@")
    file = tmp_path / last
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 3, 1)), file)
    with pytest.raises(UsageError, match="which is code") as refused:
        network_of(task, f"{family}{at}{file}", spec)
    assert str(refused.value).endswith(f"--model {task}=torchscript:{file} asks to run it")
    assert network_of(task, f"torchscript:{file}", spec).name


def test_a_found_spec_runs_no_torchscript(tmp_path: Path) -> None:
    file = tmp_path / "net.ts"
    file.write_bytes(b"code")
    for word in (f"torchscript:{file}", f"torchscript@{file}", f"torchscript:{file},imgsz=64"):
        assert source_of(word) == [str(file)]
        with pytest.raises(UsageError, match=r"asks to run code, torchscript.*sha256 "):
            spec_again("found", {"model": {"detection": word}}, {})
        spec_again("found", {"model": {"detection": word}}, {}, [word])
    for word in ("onnx@net.onnx", "transformers:folder", "detectron2@a.yaml@b.pth"):
        assert source_of(word) == []


def test_the_list_tells_licences_and_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", "models"]) == 0
    out = capsys.readouterr().out
    for word in ("AGPL-3.0", "BSD-3-Clause", "Apache-2.0", "imgsz=N"):
        assert word in out
    assert all(row.shown for row in MODELS.values() if row.origin is None)
