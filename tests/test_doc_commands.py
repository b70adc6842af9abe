"""Commands of README and docs run, on miniatures of what they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.main import run_command_line
from tests.test_docs import commands
from tests.world import make_world

pytestmark = pytest.mark.slow

ADDED = {
    "run": "--limit 1 --device cpu",
    "train": "--device cpu --workspace training",
    "bench": "--size 64x48 --repeats 1 --device cpu",
}
"""What makes a verb's command small; flags given twice count as they stand last."""
ELSEWHERE = {
    r"^card mine": "prints what to say of the weights and ends with 2 where nothing is said",
    r"^run .*(granet|streetsim|--model|coco)|^run --out out$|road": "minutes; the first hours are "
    "tests/test_stories.py, the recipes of real rain tests/harness/test_real_rain_recipes.py",
    r"--annotations .*--rain": "the same",
    r"^derain|^regress (before|papers)": "tests/harness/test_derain.py, tests/test_stories.py",
    r"^bench --size": "every derainer: minutes",
    r"PReNet6\.pth|regress papers .*--data|baselines:|--layout paper --own": "weights of authors",
    r"--suite|--from study|study|stable|dir:FOLDER": "benchmarks/study.py, and tests of suites",
    r"part-0|--shard": "tests/harness/test_shards.py",
    r"\.venv/|^fetch ": "needs a network or another's files",
    r"^train ": "tests of training: minutes of it each",
    r"sem|segformer|refinenet|transformers": "weights that no registry has",
    r"cityscapes|camvid|yolov8n-seg": "tests of their readers and recipes",
    r"\b(DIR|OLD|FILE|WORKSPACE|NAME)\b": "stands for the reader's own word",
    r"data\.yaml": "tests/datasets/test_yolo.py",
    r"--engine ray|--address": "tests/harness/test_ray.py",
    r"drops=0|camera=": "72 rains",
}
"""Commands that do not run here, and what runs them or why nothing does."""


def runnable() -> list[str]:
    return [c for c in commands() if not any(re.search(p, c) for p in ELSEWHERE)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, detector_file: Path) -> Iterator[Path]:
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("world")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        patch.setenv(name, str(root / "home"))
    patch.chdir(make_world(root / "work", detector_file))
    for folder in ("before", "mine", "baseline", "new"):
        words = "run --task none --derainer median --dataset folder --data-root photos --out"
        assert run_command_line([*words.split(), folder]) == 0
    words = (
        "run --dataset coco --data-root coco128 --derainer median --save predictions --out saved"
    )
    assert run_command_line([*words.split(), "--model", "detection=best.pt"]) == 0
    found = next(iter(Path("saved").rglob("detection*.json")))
    Path("detection.json").write_bytes(found.read_bytes())
    yield root / "work"
    patch.undo()


@pytest.mark.parametrize("command", runnable())
def test_a_command_of_the_documentation_runs(command: str, world: Path) -> None:
    words = shlex.split(command)
    if "--dry-run" in words:
        words = [w for w in words if w != "--limit"]
    assert run_command_line([*words, *ADDED.get(words[0], "").split()]) == 0


def test_every_verb_that_is_quick_runs() -> None:
    verbs = {command.partition(" ")[0] for command in runnable()}
    assert verbs == {"bench", "card", "check-data", "list", "regress", "report", "run", "score"}
