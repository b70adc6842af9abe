"""Recipes from training to print: their words are known, and each runs at toy size."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from harness.checks.paper_inputs import given_of, network_of, require_used
from harness.checks.papers import select
from harness.spec import RunSpec
from harness.training.trainee import trainee
from harness.training.wish import Wish
from reports.papers.reading import FOLDER

ROOT = Path(__file__).parent.parent
RECIPES = sorted(file.stem for file in (FOLDER / "recipes").glob("*.txt"))
MAIN = {"mspfn-4", "granet-1", "dcsfn-1", "hrrsr-2", "mscg-comparison"}


@pytest.fixture(scope="module")
def table() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("table")


def test_each_paper_has_its_main_table_and_an_ablation() -> None:
    papers = {"mspfn", "granet", "dcsfn", "hrrsr", "mscg"}
    assert set(RECIPES) > MAIN
    assert {name.partition("-")[0] for name in set(RECIPES) - MAIN} == papers


def said(words: list[str], flag: str) -> list[str]:
    return [value for name, value in itertools.pairwise(words) if name == flag]


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_trained_is_what_is_judged(name: str, table: Any, tmp_path: Path) -> None:
    paper, _, number = name.partition("-")
    *trainings, regress = table.commands(paper, number, tmp_path / "data", tmp_path)
    made = set()
    for verb, word, *flags in trainings:
        assert verb == "train"
        (out,), (recipe,) = said(flags, "--out"), said(flags, "--recipe")
        made.add(Path(out) / f"{trainee(word, Wish(recipe)).name}.safetensors")
    for file in made:
        file.parent.mkdir(parents=True)
        file.touch()
    table.make_pairs(paper, number, tmp_path / "data")
    assert regress[:2] == ["regress", f"{paper}:{number}"]
    held = given_of(said(regress, "--data"), said(regress, "--weights"), RunSpec(), None)
    claims = select([f"{paper}:{number}"])
    require_used(claims, held, held.data)
    assert {held.weights[place] for place in held.named} == made
    ours = {(network_of(c)[0], c.dataset) for c in claims if c.metric.startswith("psnr")}
    assert held.named <= ours
    assert {of.partition(":")[0] for of, _ in held.named} == {
        "dcsfn-paper" if paper == "dcsfn" else paper
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_to_its_table(
    name: str, table: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paper, _, number = name.partition("-")
    assert table.run(paper, number, tmp_path, None) == 0
    shown = capsys.readouterr().out
    assert shown.rpartition(f"{paper}, table {number}: ")[2].count("; ") >= 2
