"""A table of a paper from its training to its print, by the recipe in reports/papers/recipes.

    python benchmarks/table.py PAPER TABLE OUT [--data DIR]
    make table PAPER=mspfn TABLE=2 SIZE=tiny

A recipe is a text of our own commands, a line each, in which $DATA and $OUT stand for folders; its
comments say what lies in $DATA. Without --data everything is tiny: pairs are made, a training takes
one step of two crops and a table two images, which shows that all commands work and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Template

import cv2
import numpy as np

from derainers.training.recipes import PAPER
from harness.cli.main import run_command_line
from reports.papers.reading import FOLDER

TINY = {"train": ["--steps", "1", "--device", "cpu"], "regress": ["--limit", "2"]}
"""What tiny commands have beside their own words."""
PAIRS, SIDE_PX = 10, 128
_SET = re.compile(r"\$DATA/([\w-]+)")


def commands(paper: str, table: str, data: Path, out: Path) -> list[list[str]]:
    """The commands of a recipe."""
    text = (FOLDER / "recipes" / f"{paper}-{table}.txt").read_text(encoding="utf-8")
    filled = Template(text).substitute(DATA=shlex.quote(str(data)), OUT=shlex.quote(str(out)))
    lines = [line for line in filled.splitlines() if line and not line.startswith("#")]
    return [shlex.split(line) for line in lines]


def recipes() -> list[str]:
    """Every PAPER-TABLE that has a recipe."""
    return sorted(file.stem for file in (FOLDER / "recipes").glob("*.txt"))


def make_pairs(paper: str, table: str, data: Path) -> None:
    """Small pairs for each set that a recipe names: noise, and noise with bright lines."""
    text = (FOLDER / "recipes" / f"{paper}-{table}.txt").read_text(encoding="utf-8")
    for place, name in enumerate(dict.fromkeys(_SET.findall(text))):
        rng = np.random.default_rng(place)
        for kind in ("input", "target"):
            (data / name / kind).mkdir(parents=True, exist_ok=True)
        for i in range(PAIRS):
            coarse = rng.integers(0, 200, (8, 8, 3), np.uint8)
            clean = cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
            rainy = np.minimum(clean.astype(int) + 50 * (rng.random(SIDE_PX) > 0.8)[:, None], 255)
            cv2.imwrite(str(data / name / "target" / f"{i}.png"), clean)
            cv2.imwrite(str(data / name / "input" / f"{i}.png"), rainy.astype(np.uint8))


@contextlib.contextmanager
def of_two_crops() -> Iterator[None]:
    """Steps of two crops: the papers' own batches are of a GPU's memory, 18 GB of DCSFN's."""
    papers = dict(PAPER)
    PAPER.update({name: replace(recipe, batch=2) for name, recipe in papers.items()})
    try:
        yield
    finally:
        PAPER.update(papers)


def run(paper: str, table: str, out: Path, data: Path | None) -> int:
    """Run a recipe; the exit status of the first command that cannot go on, else of the last."""
    status = 0
    if data is None:
        make_pairs(paper, table, out / "pairs")
    for words in commands(paper, table, data or out / "pairs", out):
        more = [] if data else TINY[words[0]]
        more = [*more, "--workspace", str(out / "runs")] if words[0] == "regress" else more
        print("python -m harness", shlex.join([*words, *more]), flush=True)
        with contextlib.nullcontext() if data else of_two_crops():
            status = run_command_line([*words, *more])
        if status > 1:
            break
    return status


def main() -> int:
    """Run a recipe."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paper")
    parser.add_argument("table")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    a = parser.parse_args()
    if f"{a.paper}-{a.table}" not in recipes():
        parser.error(f"no recipe {a.paper} {a.table}: there are {', '.join(recipes())}")
    return run(a.paper, a.table, a.out, a.data)


if __name__ == "__main__":
    raise SystemExit(main())
