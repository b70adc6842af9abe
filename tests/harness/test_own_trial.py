"""Own code that draws at random or keeps a state: the same number everywhere, or refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own import key_of, number, spec_of
from torch import nn

from harness.ledger.ledger import Ledger
from harness.machine.generators import drew, states, without_chance
from harness.plan.keys import canonical
from harness.plan.plan import make_plan
from harness.runs.engine import run
from harness.spec import UsageError
from harness.work.trial import tried

STOCHASTIC = """
import random
import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.seed()

    def forward(self, x):
        chance = torch.randn_like(x) + float(np.random.rand()) + random.random()
        return x + chance * 0.02


class Late(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) * 0.02 if x.shape[3] == 41 else x


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x):
        self.seen += 1
        return x * (1 - 0.1 * self.seen)


SEEN = []


class Outside(nn.Module):
    def forward(self, x):
        SEEN.append(1)
        return x * (1 - 0.1 * len(SEEN))


RNG = np.random.default_rng()


class Unseeded(nn.Module):
    def forward(self, x):
        return x * (1 - 0.1 * RNG.random())
"""


@pytest.mark.parametrize("name", ["Net", "Late"])
def test_three_workspaces_one_number_of_a_stochastic_derainer(folder: Path, name: str) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    word = f"{folder}/chance.py:{name}"
    found = {number(folder, word, workspace=str(folder / str(i)), workers=i + 1) for i in range(3)}
    assert len(found) == 1
    last = run(spec_of(folder, word, workspace=str(folder / "last")), only=["p1.png"])
    assert {record.n for record in last.records} == {1}
    assert found == {number(folder, word, workspace=str(folder / "last"))}


PSNR = ("quality", "psnr_y_db")
OF_A_SIZE = """
import torch
from torch import nn


class Previous(nn.Module):
    kept = None

    def forward(self, x):
        before, self.kept = self.kept, x
        return x if before is None or before.shape != x.shape else (x + before) / 2


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.means = {}

    def forward(self, x):
        return x * 0.5 + self.means.setdefault(x.shape, x.mean()) * 0.1


class Restoring:
    kept = None

    def restore(self, image, sample_id):
        before, self.kept = self.kept, image.astype("float32") / 255
        is_next = before is not None and before.shape == image.shape
        return (before + self.kept) / 2 if is_next else self.kept


MEANS = {}
LAST = None
GRIDS = {}


class Everywhere(nn.Module):
    def forward(self, x):
        return x * 0.5 + MEANS.setdefault(x.shape, x.mean()) * 0.1


class OfClass(nn.Module):
    means = {}

    def forward(self, x):
        return x * 0.5 + self.means.setdefault(x.shape, x.mean()) * 0.1


class Last(nn.Module):
    def forward(self, x):
        global LAST
        LAST = LAST if LAST and LAST[0] == x.shape else (x.shape, x.mean())
        return x * 0.5 + LAST[1] * 0.1


class Grid(nn.Module):
    def forward(self, x):
        if x.shape not in GRIDS:
            GRIDS[x.shape] = torch.linspace(0.9, 1.0, x.shape[3])
        return x * GRIDS[x.shape]
"""


@pytest.mark.parametrize("name", ["Previous", "Restoring"])
def test_what_is_kept_of_an_image_of_the_same_size_changes_no_other(
    folder: Path, name: str
) -> None:
    (folder / "kept.py").write_text(OF_A_SIZE)
    word = f"{folder}/kept.py:{name}"
    both = number(folder, word, workers=1)
    alone = []
    for photo in sorted((folder / "photos").iterdir()):
        spec = spec_of(folder, word, workspace=str(folder / photo.stem))
        found = run(spec, only=[photo.name]).value("photoshop-heavy", f"kept:{name}", *PSNR)
        alone.append(found.value or 0.0)
    assert both == pytest.approx(sum(alone) / 2, abs=1e-9)


@pytest.mark.parametrize("name", ["Everywhere", "OfClass", "Last"])
def test_what_is_kept_of_images_beyond_the_network_is_refused(folder: Path, name: str) -> None:
    (folder / "kept.py").write_text(OF_A_SIZE)
    with pytest.raises(UsageError, match="depends on those before"):
        run(spec_of(folder, f"{folder}/kept.py:{name}"))


@pytest.mark.parametrize(("name", "is_stateful"), [("First", True), ("Grid", False)])
def test_a_table_for_each_size_is_a_state_where_an_image_made_it(
    folder: Path, name: str, is_stateful: bool
) -> None:
    (folder / "kept.py").write_text(OF_A_SIZE)
    ledger = Ledger(folder / "runs")
    plan = tried(make_plan(spec_of(folder, f"{folder}/kept.py:{name}"), {}), ledger)
    ledger.close()
    assert any(c.derainer.is_stateful for c in plan.conditions) == is_stateful


def test_another_seed_is_another_draw(folder: Path) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    word = f"{folder}/chance.py:Net"
    values = []
    for seed in (0, 1, 0):
        results = run(spec_of(folder, word, seed=seed, rain=("none",)))
        values += [r.value for r in results.records if r.derainer.startswith("chance")]
    assert values[0] == values[2] != values[1]


def test_a_network_with_a_state_gives_each_image_a_fresh_copy(folder: Path) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    word = f"{folder}/chance.py:Counting"
    found = {number(folder, word, workspace=str(folder / str(i)), workers=i + 1) for i in range(2)}
    (folder / "chance.py").write_text(STOCHASTIC.replace("self.seen += 1", "self.seen = 1"))
    assert found == {number(folder, word, workspace=str(folder / "right"))}


@pytest.mark.parametrize("name", ["Outside", "Unseeded"])
def test_a_state_beyond_the_network_is_refused_with_the_remedy(folder: Path, name: str) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    with pytest.raises(UsageError, match="depends on those before: keep its state in what a fact"):
        run(spec_of(folder, f"{folder}/chance.py:{name}"))


def test_a_trial_takes_few_small_forwards(folder: Path) -> None:
    shapes: list[Any] = []

    class Told(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shapes.append(tuple(x.shape[2:]))
            return x

    told = Told()
    key_of(folder, "mine", {"mine": told})
    odd, even, fit = (65, 97), (64, 96), (67, 71)
    assert shapes == [fit, odd, even, odd, odd, fit, odd]


def test_what_is_ours_is_not_tried(folder: Path) -> None:
    spec = spec_of(folder, "median", "granet")
    plan = make_plan(spec, {})
    ledger = Ledger(folder / "runs")
    assert tried(plan, ledger) is plan
    ledger.close()


def test_what_draws_runs_again_alone_and_leaves_no_trace() -> None:
    def make() -> tuple[float, float, float]:
        chance = np.random.rand()  # noqa: NPY002
        return random.random(), float(chance), float(torch.rand(()))

    assert without_chance(make, False, 3, "a") == without_chance(make, True, 3, "a")
    assert without_chance(make, True, 3, "a") != without_chance(make, True, 3, "b")
    before = states()
    without_chance(make, True, 3, "a")
    assert not drew(before)
    assert without_chance(lambda: 1, False, 3, "a") == 1


SEGMENTERS = """
import torch
from torch import nn


class Plain(nn.Module):
    names = ["sky", "road"]

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x):
        return torch.cat([x[:, :1], 1 - x[:, :1] + torch.rand_like(x[:, :1]) * 0.5], 1)


class Counting(Plain):
    def forward(self, x):
        self.seen += 1
        return super().forward(x) * (1 if self.seen > 2 else -1)


class First(Plain):
    def forward(self, x):
        self.level = getattr(self, "level", {})
        level = self.level.setdefault(x.shape, x.mean())
        return torch.cat([x[:, :1] - level, level - x[:, :1]], 1)
"""


def test_a_segmenter_is_tried_too(folder: Path) -> None:
    (folder / "seg.py").write_text(SEGMENTERS)
    options = {"task": ("semantic",), "rain": ("none",)}
    model = {"semantic": f"{folder}/seg.py:Plain"}
    found = set()
    for i in range(2):
        spec = spec_of(folder, "median", model=model, workspace=str(folder / str(i)), **options)
        ledger = Ledger(folder / str(i))
        plan = tried(make_plan(spec, {}), ledger)
        ledger.close()
        assert plan.tasks[0].draws
        found.add(canonical(plan.tasks[0].model_key))
        assert not run(spec).errors
    assert len(found) == 1
    for name in ("Counting", "First"):
        model = {"semantic": f"{folder}/seg.py:{name}"}
        with pytest.raises(UsageError, match="depends on those before"):
            run(spec_of(folder, "median", model=model, **options))
