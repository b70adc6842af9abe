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


@pytest.fixture(scope="module")
def benchmark() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("remedies")


def test_every_piece_is_a_command(benchmark: Any, tmp_path: Path) -> None:
    study = benchmark.Study(
        tmp_path / "data", tmp_path / "out", "dcsfn-light", 1e-4, ("granet", "median")
    )
    pieces = study.pieces()
    assert len({piece.name for piece in pieces}) == len(pieces)
    for piece in pieces:
        read = parser().parse_args([*piece.words, "--out", "x"])
        checked(**fields_of(read, without=("out",)))
    assert sum(piece.core_hours for piece in pieces) < 40
    trained = [piece.name for piece in pieces if piece.words[0] == "train"]
    run = next(piece for piece in pieces if piece.name == "scenes")
    for name in trained:
        assert any(f"/{name}/" in word for word in run.words), "a network that no run shows"


def test_detectors_differ_in_their_rain_alone(benchmark: Any, tmp_path: Path) -> None:
    study = benchmark.Study(tmp_path, tmp_path, "dcsfn-light", 1e-4, ())
    shared = set()
    for piece in study.pieces():
        if piece.name.startswith("yolo-") and piece.name.endswith("-1"):
            words = list(piece.words)
            shared.add(tuple(words[: words.index("--rain")]))
    assert len(shared) == 1


def test_a_pilot_opens_no_image_of_the_study(benchmark: Any, tmp_path: Path) -> None:
    pilot = benchmark.Study(tmp_path, tmp_path, "dcsfn-light", 1e-4, ("median",), 4)
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
