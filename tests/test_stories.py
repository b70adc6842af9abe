"""The first hour of three people, by the commands of README and docs alone, in a clean home."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness import load
from harness.cli.main import run_command_line
from tests.test_docs import BLOCK, PAGES, commands
from tests.world import make_world

pytestmark = pytest.mark.slow

SMALL = {
    "run": ["--limit", "2", "--device", "cpu"],
    "bench": ["--size", "64x48", "--repeats", "1", "--device", "cpu"],
}
"""What a test adds to a command, so that it takes seconds."""


@pytest.fixture
def home(tmp_path: Path, detector_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of nobody, and a working folder with what the user brings."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("DERAIN_HARNESS_DATA", raising=False)
    work = make_world(tmp_path / "work", detector_file)
    monkeypatch.chdir(work)
    return work


def typed(*story: str) -> int:
    """Run commands that stand so in the documentation; returns how many."""
    for command in story:
        assert command in commands(), command
        words = shlex.split(command)
        assert run_command_line([*words, *SMALL.get(words[0], [])]) == 0, command
    return len(story)


def test_a_student_with_a_network_of_her_own(home: Path) -> None:
    """Is mine better than others, on rendered scenes, on my photographs, than last week?"""
    number = typed(
        "list derainers",
        "run --derainer mine.py:build@mine.pth,granet,median --out mine",
        "run --dataset folder --data-root photos --task none "
        "--derainer mine.py:build@mine.pth,granet --out mine",
        "report mine --layout paper --out paper",
    )
    assert number <= 10
    first, *_ = load("mine").table.index
    assert first
    assert {"results.tex", "cite.bib", "plots"} <= {file.name for file in Path("paper").iterdir()}
    Path("mine").rename("before")
    more = typed(
        "run --derainer mine.py:build@mine.pth,granet,median --out mine",
        "run --dataset folder --data-root photos --task none "
        "--derainer mine.py:build@mine.pth,granet --out mine",
        "regress before mine",
    )
    assert number + more <= 10


def test_an_engineer_with_a_detector(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shall a derainer stand before my detector?"""
    number = typed(
        "check-data --annotations labels.json --data-root images",
        "run --annotations labels.json --data-root images --model detection=best.pt --out answer",
        "bench --derainer mspfn-light,prenet",
    )
    assert number <= 7
    told = capsys.readouterr().out
    assert "Detection under real-like: Too little was measured for a verdict: 2 images" in told
    assert "detection by best, ms/image" in Path("answer", "report.html").read_text()


def test_somebody_in_a_notebook(home: Path) -> None:
    """Two cells: the README's own lines, with her network."""
    (cell,) = re.findall(r"```python\n(from harness.*?)```", PAGES[0].read_text(), re.DOTALL)
    *lines, shown = cell.strip().splitlines()
    net = "from mine import build\nnet = build().eval()\n"
    names: dict[str, object] = {"__name__": "__main__"}
    exec("import sys\nsys.path.insert(0, '.')\n" + net + "\n".join(lines), names)
    results = eval(shown.partition("#")[0], names)
    assert "mine" in repr(results)
    assert "<table" in results._repr_html_()
    assert len(BLOCK.findall(cell)) + 2 <= 2
