"""Kills at random points inside the work of a run, each followed by the same command again."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import finish, start

from datasets.image import decode
from harness import RunSpec, run
from harness.ledger.images import ImageCache
from harness.ledger.runs import load_results
from harness.plan import keys
from harness.plan.plan import make_plan
from harness.plan.unit_keys import Keyring
from harness.runs.engine import entries_of
from reports.results.results import Results
from reports.results.written import to_json

WORKERS = 2
IN_WORK = 2 * WORKERS
"""Units that are begun or waiting at any time, and so may be lost to one kill."""


@pytest.fixture(scope="module")
def segmenter_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained network for boxes and masks."""
    import torch
    from ultralytics.nn.tasks import SegmentationModel, yaml_model_load

    torch.manual_seed(0)
    architecture = yaml_model_load("yolov8n-seg.yaml") | {"scales": {"n": [0.33, 0.0625, 64]}}
    model = SegmentationModel(architecture, ch=3, nc=3, verbose=False)
    model.names = {0: "person", 1: "car", 2: "dog"}
    for branch in model.model[-1].cv3:
        branch[-1].bias.data += 6.0
    file = tmp_path_factory.mktemp("weights") / "tiny-seg.pt"
    torch.save({"model": model, "train_args": {}}, file)
    return file


def noted(log: Path, held: int | None) -> None:
    """Have every worker write down what it begins; of ``held`` units it never begins the last."""
    from harness.work.unit import Worker

    compute, lock = Worker._finish, threading.Lock()

    def finish(self: Any, place: int, units: Any, have: Any) -> None:
        if not self._pictured:
            with lock, log.open("a") as file:
                ever = {*log.read_text().split(), *(unit.keys.restored for unit in units)}
                while len(ever) == held:  # until the kill, which is not to come after the end
                    time.sleep(1)
                for unit in units:
                    file.write(f"{unit.keys.restored}\n")
        compute(self, place, units, have)

    setattr(Worker, "_finish", finish)  # noqa: B010


def committed(workspace: Path) -> set[str]:
    """Units that the ledger holds, which another process may be writing."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{workspace}/ledger.sqlite?mode=ro", uri=True)
        ) as db:
            return {row[0] for row in db.execute("SELECT key FROM images")}
    except sqlite3.Error:
        return set()


@pytest.mark.parametrize(
    ("images", "kills"), [(8, 4), pytest.param(64, 20, marks=pytest.mark.slow)]
)
def test_kills_lose_nothing(
    images: int,
    kills: int,
    coco_of: Callable[[int], Path],
    detector_file: Path,
    segmenter_file: Path,
    tmp_path: Path,
) -> None:
    root, workspace, log = coco_of(images), tmp_path / "w", tmp_path / "log"
    log.touch()
    networks: dict[str, tuple[str, ...]] = {
        "detection": (str(detector_file),),
        "instance": (str(segmenter_file),),
    }
    spec = RunSpec(
        dataset="coco",
        data_root=str(root),
        derainer=("median", "guided"),
        task=("detection", "instance"),
        model=networks,
        workers=WORKERS,
        workspace=str(tmp_path / "unbroken"),
    )
    unbroken = run(spec)
    command = ["run", "--dataset", "coco", "--data-root", str(root), "--workspace", str(workspace)]
    command += ["--derainer", "median,guided", "--task", "detection,instance"]
    command += [
        word for task, (file,) in networks.items() for word in ("--model", f"{task}={file}")
    ]
    command += ["--workers", str(WORKERS)]

    rng = np.random.default_rng(20)
    units, begun = 4 * images, Counter[str]()
    before = functools.partial(noted, log, units)
    for kill in range(kills):
        safe = committed(workspace)
        # Each kill comes in the work of what its part of all units is, and so none after the end.
        target = int(units * (kill + rng.random()) / (kills + 1))
        process = start(*command, before=before)
        while process.poll() is None and len(committed(workspace)) <= target:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.05)
        process.kill()
        process.communicate()
        now = Counter(log.read_text().split()) - begun
        begun += now
        assert not now.keys() & safe, "a unit that the ledger holds was computed again"
        assert max(now.values(), default=0) <= 1
        assert len(committed(workspace)) < units, "the kill came after the end"
    assert sum(begun.values()) > 0
    assert finish(start(*command, before=functools.partial(noted, log, None)))[0] == 0
    begun = Counter(log.read_text().split())
    assert len(begun) == units
    assert sum(begun.values()) - units <= kills * IN_WORK
    found = load_results(workspace, None)
    assert (found.errors, found.records) == ([], unbroken.records)
    assert text_of(found) == text_of(unbroken)
    assert_sound(spec.model_copy(update={"workspace": str(workspace)}))


def text_of(results: Results) -> str:
    """``errors`` and ``records`` as they are written."""
    text = to_json(results)
    return text[text.index(' "errors"') :]


def assert_sound(spec: RunSpec) -> None:
    """Every cached image is what the ledger says, every database whole, nothing half left."""
    plan = make_plan(spec, {})
    entries, failures = entries_of(plan)
    assert not failures
    workspace = Path(spec.workspace)
    cache = ImageCache(workspace)
    with contextlib.closing(sqlite3.connect(workspace / "ledger.sqlite")) as db:
        shown = dict(db.execute("SELECT key, sha256 FROM images"))
        assert db.execute("SELECT count(*) FROM claims").fetchone() == (0,)
    checked = 0
    for condition in plan.conditions:
        for entry in entries:
            key = Keyring(plan, condition).of(entry).restored
            data = cache.read(key)
            assert (data is None) == condition.derainer.is_identity
            if data is not None:
                assert keys.pixels_sha256(decode(data, key)) == shown[key]
                checked += 1
    assert checked == 2 * len(entries)
    for file in workspace.rglob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(file)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(list((workspace / "images").rglob("*.*"))) == checked
