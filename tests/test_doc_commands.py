"""Commands of README and docs run, each in a folder that has miniatures of what it names."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.class_png import CLASSES
from harness.cli.main import run_command_line
from tests.miniatures import maker_of
from tests.test_docs import commands
from tests.world import make_world

pytestmark = pytest.mark.slow

SHARD = "--split val2017 --derainer granet,median --model detection=yolov8n.pt"
SMALL = {
    r"^run .*(--shard|--workspace all|--suite)": "--device cpu",
    r"^run ": "--limit 1 --device cpu",
    r"^derain ": "--device cpu",
    r"^train .*streetsim": "--epochs 1 --split train:8",
    r"^train (refinenet|yolo)": "--epochs 1",
    r"^train ": "--steps 2 --device cpu",
    r"^bench --size": "--repeats 1 --device cpu",
    r"^bench ": "--size 64x48 --repeats 1 --device cpu",
}
"""What makes a command small, the first that fits; flags given twice count as they stand last."""
STANDS_FOR = {
    "--out DIR": "--out made",
    "OLD NEW": "before mine",
    "WORKSPACE": "derain-runs",
    "--size 640x480": "--size 64x48 --derainer median,granet",  # sizes and derainers add up
    "--predictions FILE": "--predictions detection.json --dataset coco --data-root coco128",
}
"""What stands here for the reader's own words, and for what is too large."""
BEFORE = {
    r"part-7": [
        f"run --dataset coco --data-root coco {SHARD} --shard {i}/8 --workspace part-{i}"
        for i in range(8)
    ],
    r"@wet/": [c for c in commands() if re.search(r"^train yolo .*--out (wet|derained|dry)$", c)],
    r"@mine/net": [c for c in commands() if re.search(r"^train net\.py:build .*--out mine$", c)],
    r"--from study/heavy": ["run --suite study.yaml --workspace study --out study"],
}
"""Commands that a command follows upon, by a pattern of it."""
STATUS = {
    r"^card mine": 2,  # it says what has to be told of the weights, and writes nothing
}
"""How a command ends that does not end with 0."""
ELSEWHERE = {
    r"^fetch ": "asks other machines: tests/harness/test_fetch.py has a server",
    r"--recipe benchmark": "renders the protocol's scenes first: tests/harness/test_protocol.py",
    r"benchmark-v": "takes all scenes of a benchmark: tests/harness/test_frozen.py has a small one",
    r"--engine ray|--address": "tests/harness/test_ray.py",
}
"""Commands that do not run here, and what runs them."""
SEGMENTER = f"""
import numpy as np

class Segmenter:
    names = {list(CLASSES)}

    def __call__(self, image):
        return np.zeros(image.shape[:2], int)

build = Segmenter
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, detector_file: Path) -> Iterator[Path]:
    """What the commands name, with runs of before, and a home of nobody."""
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("world")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        patch.setenv(name, str(root / "home"))
    patch.setenv("DERAIN_HARNESS_DATA", str(root / "data"))
    work = make_world(root / "work", detector_file)
    (root / "data" / "weights").mkdir(parents=True)
    shutil.copy(detector_file, root / "data" / "weights" / "yolov8n.pt")
    patch.chdir(work)
    for folder in ("before", "mine", "baseline", "new", "others"):
        words = "run --task none --dataset folder --data-root photos --derainer"
        derainer = "guided" if folder == "others" else "median"
        assert run_command_line([*words.split(), derainer, "--out", folder]) == 0
    words = (
        "run --dataset coco --data-root coco128 --derainer median --save predictions --out saved"
    )
    assert run_command_line([*words.split(), "--model", "detection=best.pt"]) == 0
    found = next(iter(Path("saved").rglob("detection*.json")))
    Path("detection.json").write_bytes(found.read_bytes())
    yield work
    patch.undo()


@pytest.fixture
def world(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which one command may do what it wants."""
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def first(table: dict[str, str] | dict[str, int], command: str) -> str | int | None:
    """What a table holds under the first pattern that fits."""
    return next((value for p, value in table.items() if re.search(p, command)), None)


def ended(command: str) -> int:
    """The exit status of a command on miniatures."""
    for word, ours in STANDS_FOR.items():
        command = command.replace(word, ours)
    return run_command_line([*shlex.split(command), *str(first(SMALL, command) or "").split()])


@pytest.mark.parametrize("command", [c for c in commands() if first(ELSEWHERE, c) is None])
def test_a_command_of_the_documentation_runs(command: str, world: Path) -> None:
    if "--data-root mine" in command:  # a data set, not a run
        shutil.rmtree("mine")
        maker_of("yolo").make(world / "mine")
        shutil.move("mine/data.yaml", "data.yaml")
    if "semantic=mine.py" in command:  # a segmenter, not a derainer
        Path("mine.py").write_text(SEGMENTER)
    for pattern, earlier in BEFORE.items():
        if re.search(pattern, command):
            assert all(ended(each) == 0 for each in earlier)
    assert ended(command) == (first(STATUS, command) or 0)


def test_few_commands_do_not_run_here() -> None:
    absent = [c for c in commands() if first(ELSEWHERE, c) is not None]
    assert {c.partition(" ")[0] for c in absent} <= {"fetch", "report", "run", "train", "verify"}
    assert len(absent) < 0.1 * len(commands())
