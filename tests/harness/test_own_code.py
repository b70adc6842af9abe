"""A number of the user's own code belongs to exactly the code, values and files that made it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from own import CHANGED, FILES, change, key_of, number, spec_of

from harness.ledger.gather import gather
from harness.ledger.ledger import opened
from harness.plan.data import open_dataset
from harness.plan.derainers import derainer_plan
from harness.plan.keys import canonical
from harness.plan.networks import network_of
from harness.runs.dry_run import survey
from harness.spec import UsageError


@pytest.mark.parametrize("what", CHANGED)
def test_a_change_of_own_code_is_another_derainer(folder: Path, what: str) -> None:
    word = f"{folder}/mine.py:build"
    before = key_of(folder, word)
    assert key_of(folder, word) == before
    change(folder, what)
    after = key_of(folder, word)
    assert after != before
    assert key_of(folder, word) == after


@pytest.mark.parametrize("what", ["a helper", "a helper found by its name in a call"])
def test_no_old_number_returns(folder: Path, what: str) -> None:
    word = f"{folder}/mine.py:build"
    before = number(folder, word)
    change(folder, what)
    after = number(folder, word)
    assert after != before
    assert after == number(folder, word, workspace=str(folder / "fresh"))
    assert survey(spec_of(folder, word))[-1].todo == 0


def test_what_changed_and_came_back_resumes(folder: Path) -> None:
    word = f"{folder}/mine.py:build"
    before = key_of(folder, word)
    change(folder, "a helper")
    assert key_of(folder, word) != before
    (folder / "blocks.py").write_text(FILES["blocks.py"])
    assert key_of(folder, word) == before


def test_another_derainer_in_the_run_changes_no_key(folder: Path) -> None:
    word = f"{folder}/mine.py:build"
    alone = key_of(folder, word)
    key_of(folder, f"{folder}/mine.py:build_other+{folder}/mine.py:build")
    assert key_of(folder, word) == alone


def test_another_folder_and_process_change_no_key(folder: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(folder, other)
    code = (
        "import sys; from harness.plan.derainers import derainer_plan as plan; "
        "from harness.plan.keys import canonical; "
        "print(canonical(plan(sys.argv[1] + '/mine.py:build', {}, None).key))"
    )
    command = [sys.executable, "-c", code, str(other)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    word = f"{folder}/mine.py:build"
    here = derainer_plan(word, {}, open_dataset(spec_of(folder, word)))
    assert done.stdout == f"{canonical(here.key)}\n"


TILED = """
import os
from os import getenv
from torch import nn


class Net(nn.Module):
    def forward(self, x):
        tile = int(os.environ.get("OWN_TILE", "0"))
        tile += len(named())
        return x * 0.5 if tile and max(x.shape) > tile else x


def named():
    return [name for name in ("OWN_TILE", "OWN_OTHER") if getenv(name) and name != "OWN_TILE"]
"""


def test_an_environment_variable_whose_name_stands_in_the_code_is_part_of_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trial shows what it does: that takes a larger image."""
    (folder / "tiled.py").write_text(TILED)
    word = f"{folder}/tiled.py:Net"
    plain = key_of(folder, word)
    for name in ("OWN_TILE", "OWN_OTHER"):
        found = {plain}
        for value in ("100", "200"):
            monkeypatch.setenv(name, value)
            found.add(key_of(folder, word))
        assert len(found) == 3
        monkeypatch.delenv(name)
    monkeypatch.setenv("OWN_ELSEWHERE", "1")
    assert key_of(folder, word) == plain


def test_an_environment_variable_gets_a_key_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    word = f"{folder}/mine.py:build"
    before, first = key_of(folder, word), number(folder, word)
    monkeypatch.setenv("OWN_LEVEL", "0.5")
    with caplog.at_level(logging.WARNING):
        second = number(folder, word)
    assert "an environment variable" in caplog.text
    assert second == number(folder, word, workspace=str(folder / "fresh")) != first
    after = key_of(folder, word)
    monkeypatch.setenv("OWN_LEVEL", "0.25")
    assert len({before, after, key_of(folder, word)}) == 3
    monkeypatch.setenv("OWN_LEVEL", "0.5")
    assert key_of(folder, word) == after
    monkeypatch.delenv("OWN_LEVEL")
    assert key_of(folder, word) == before


def test_workspaces_where_own_code_gave_other_images_are_not_put_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = f"{folder}/mine.py:build"
    number(folder, word, workspace=str(folder / "one"))
    number(folder, word, workspace=str(folder / "same"))
    monkeypatch.setenv("OWN_LEVEL", "0.5")
    number(folder, word, workspace=str(folder / "other"))
    assert gather([folder / "one", folder / "same"], folder / "both")
    with pytest.raises(UsageError, match="gave other images in one workspace than in another"):
        gather([folder / "one", folder / "other"], folder / "all")
    with contextlib.closing(opened(folder / "all")) as ledger:
        assert not list(ledger.rows("images"))
        assert not list(ledger.rows("evidence"))


VARYING = """
import time
from numpy.random import default_rng
from torch import nn


class Net(nn.Module):
    names = ["sky", "road"]

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def seeded():
    return Net(float(default_rng(0).random()))


def drawn():
    return Net(float(default_rng().random()))


def timed():
    net = Net(0.5)
    net.started = time.time()
    return net


CALLS = []


def counted():
    CALLS.append(1)
    assert len(CALLS) == 1
    return seeded()
"""


@pytest.mark.parametrize(
    ("name", "varies"), [("seeded", False), ("counted", False), ("drawn", True), ("timed", True)]
)
def test_what_a_factory_draws_outside_of_our_seeds_is_computed_anew(
    folder: Path, name: str, varies: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "varying.py").write_text(VARYING)
    said = (
        "computed anew each time: cannot name what its function makes, another each time: seed it, "
        "or take the clock out"
    )
    word = f"{folder}/varying.py:{name}"
    assert (key_of(folder, word) != key_of(folder, word)) == varies
    assert (f"varying:{name}: {said}" in caplog.messages) == varies
    spec = spec_of(folder, "median", model={"semantic": word}, task=("semantic",))
    keys = {canonical(network_of("semantic", word, spec).key) for _ in range(2)}
    assert len(keys) == 1 + varies
    assert (f"--model semantic={word}: {said}" in caplog.messages) == varies


@pytest.mark.parametrize(("line", "calls"), [("", 1), ("import os, time\n", 2)])
def test_a_factory_is_called_again_where_its_code_names_a_clock(
    folder: Path, line: str, calls: int
) -> None:
    log = folder / "calls.log"
    text = f"\n\ndef counted():\n    open({str(log)!r}, 'a').write('x')\n    return build()\n"
    with (folder / "mine.py").open("a") as file:
        file.write(text)
    (folder / "blocks.py").write_text(line + FILES["blocks.py"])
    key_of(folder, f"{folder}/mine.py:counted")
    assert len(log.read_text()) == calls


def test_a_segmenter_is_named_the_same_way(folder: Path) -> None:
    (folder / "classes.py").write_text(
        "from torch import nn\nimport blocks\n"
        "class Net(nn.Conv2d):\n"
        "    names = ['sky', 'road']\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) * blocks.strength()\n"
        "def build():\n    return Net(3, 2, 1)\n"
    )
    word = f"{folder}/classes.py:build"
    spec = spec_of(folder, "median")
    before = network_of("semantic", word, spec).key
    assert network_of("semantic", word, spec).key == before
    change(folder, "a helper")
    assert network_of("semantic", word, spec).key != before


LAMBDA = """
import operator
from torch import nn
from derainers.derainer import Derainer


class Three(nn.Module):
    def forward(self, x):
        return [x, x * 0.5]


def first():
    return Derainer(Three(), output=lambda r: r[0])


def item():
    return Derainer(Three(), output=operator.itemgetter(0))
"""


@pytest.mark.parametrize("name", ["first", "item"])
def test_a_lambda_resumes(folder: Path, name: str) -> None:
    (folder / "three.py").write_text(LAMBDA)
    word = f"{folder}/three.py:{name}"
    number(folder, word)
    assert [cell.todo for cell in survey(spec_of(folder, word))] == [0, 0, 0]
