"""Files that others made, damaged or hostile: every command ends in a line, whatever they hold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fuzz import outcomes
from mutations import corpus, make_frames, make_template

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


@pytest.fixture(scope="module")
def template(
    coco_root: Path, detector_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return make_template(tmp_path_factory.mktemp("fuzz") / "whole", coco_root, detector_file)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_frames(tmp_path_factory.mktemp("fuzz") / "frames")


def test_a_slice_of_the_corpus_ends_in_lines(template: Path, frames: Path, tmp_path: Path) -> None:
    assert wrong_in(template, frames, tmp_path, slice(None, None, 16)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_the_whole_corpus_ends_in_lines(
    part: int, template: Path, frames: Path, tmp_path: Path
) -> None:
    assert wrong_in(template, frames, tmp_path, slice(part, None, 4)) == {}


def wrong_in(template: Path, frames: Path, folder: Path, chosen: slice) -> dict[str, list[str]]:
    """Cases that did not end as they should."""
    canary = folder / "canary"
    cases = corpus(template, frames, canary)
    assert len(cases) >= 500
    before = {f: f.read_bytes() for f in template.rglob("*") if f.is_file()}
    found = outcomes(cases[chosen], folder)
    assert not canary.exists(), "foreign code was executed"
    assert {f: f.read_bytes() for f in template.rglob("*") if f.is_file()} == before
    return {name: wrong for name, wrong in found.items() if wrong}
