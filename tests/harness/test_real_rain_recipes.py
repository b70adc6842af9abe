"""Every command of docs/real-rain.md on a miniature of the layout that stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli.flags import fields_of
from harness.cli.main import parser
from harness.plan.plan import make_plan
from harness.spec import checked
from tests.layouts import LAYOUTS

TEXT = (Path(__file__).parent.parent.parent / "docs" / "real-rain.md").read_text()
COMMANDS = [
    " ".join(block.replace("\\\n", " ").split())
    for block in re.findall(r"```\n(python -m harness run .*?)```", TEXT, re.DOTALL)
]


def test_the_page_has_a_command_for_each_layout() -> None:
    roots = [shlex.split(c)[shlex.split(c).index("--data-root") + 1] for c in COMMANDS]
    assert roots == list(LAYOUTS)


@pytest.mark.parametrize("root", LAYOUTS)
def test_a_recipe_plans_what_it_says(
    root: str,
    maker: Callable[[str], Any],
    detector_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make, images, has_clean = LAYOUTS[root]
    make(tmp_path, maker)
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[list(LAYOUTS).index(root)]
    given = fields_of(parser().parse_args(shlex.split(command)[3:]))
    # Networks are not what is tried: one that is there stands for those that are named.
    given |= {"model": {"detection": str(detector_file)}, "device": "cpu"}
    named = [task for task in given.get("task", ("detection",)) if task == "detection"]
    plan = make_plan(checked(**{**given, "task": tuple(named) or ("none",)}), {})
    places = [(c.rain, c.derainer.name) for c in plan.conditions]
    assert (("none", "identity") in places) == has_clean
    assert {rain for rain, _ in places} - {"none"} == {"given"}
    assert len({name for _, name in places}) >= 3
    assert len(plan.dataset.samples) == images
    for sample in plan.dataset.samples:
        assert sample.has_clean == has_clean
        assert sample.given_rain().shape == sample.image().shape
        if root == "acdc":
            assert sample.label_map().shape == sample.image().shape[:2]
        else:
            assert (sample.annotations is None) == (root == "GT-RAIN_test")
