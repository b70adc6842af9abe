"""The pieces of the study that docs/study-plan.md plans."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from datasets.rain import digest
from harness.cli.flags import fields_of
from harness.cli.main import parser
from harness.plan.rains import rains_of
from harness.spec import checked

ROOT = Path(__file__).parent.parent


SHOWING = (
    "scenes",
    "trials",
    "coco-remedies",
    "for-task",
    "footing",
    "seeds-mspfn-light",
    "seeds-dcsfn-light",
)
"""Runs of the networks that are trained."""


@pytest.fixture(scope="module")
def benchmark() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("study")


def test_every_piece_is_a_command(benchmark: Any, tmp_path: Path) -> None:
    study = benchmark.Study(
        tmp_path / "data", tmp_path / "out", 1e-4, "dcsfn-light", ("granet", "median")
    )
    pieces = study.pieces()
    assert len({piece.name for piece in pieces}) == len(pieces)
    for piece in pieces:
        read = parser().parse_args([*piece.words, "--out", "x"])
        checked(**fields_of(read, without=("out",)))
    assert sum(piece.core_hours for piece in pieces) < 40
    trained = [piece.name for piece in pieces if piece.words[0] == "train"]
    runs = [piece for piece in pieces if piece.name in SHOWING]
    assert {"x-pixels", "x-task"} <= {*trained}
    words = {p.name: p.words for p in pieces if p.name.startswith("x-")}
    assert words["x-task"] == (*words["x-pixels"], "--for", benchmark.FOR)
    for name in trained:
        shown = [word for run in runs for word in run.words if f"/{name}/" in word]
        assert shown, "a network that no run shows"


def test_what_is_not_chosen_yet_is_not_made(benchmark: Any, tmp_path: Path) -> None:
    def verbs(*chosen: Any) -> list[str]:
        return [p.words[0] for p in benchmark.Study(tmp_path, tmp_path, *chosen).pieces()]

    rates = len(benchmark.LEARNING_RATES)
    assert verbs() == ["train"] * rates + ["run"]
    assert len(verbs(1e-4)) < len(verbs(1e-4, "median"))
    assert verbs(1e-4).count("run") == 1


def test_detectors_differ_in_their_rain_alone(benchmark: Any, tmp_path: Path) -> None:
    study = benchmark.Study(tmp_path, tmp_path, 1e-4, "dcsfn-light")
    shared = set()
    for piece in study.pieces():
        if piece.name.startswith("yolo-") and piece.name.endswith("-1"):
            words = list(piece.words)
            shared.add(tuple(words[: words.index("--rain")]))
    assert len(shared) == 1


def test_a_pilot_opens_no_image_of_the_study(benchmark: Any, tmp_path: Path) -> None:
    pilot = benchmark.Study(tmp_path, tmp_path, 1e-4, "dcsfn-light", ("median",), 4)
    words = [word for piece in pilot.pieces() for word in piece.words]
    assert "study" not in words
    assert "test" not in words
    assert "coco" not in words


def test_held_out_rain_is_of_no_kind_that_was_trained_on(benchmark: Any) -> None:
    ((_, seen),), ((_, other),) = (rains_of(word) for word in (benchmark.SEEN, benchmark.HELD_OUT))
    assert seen is not None
    assert other is not None
    assert seen.family != other.family
    assert digest(seen) != digest(other)
