"""Frozen benchmarks: rows beside a tiny one, and what would change it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frozen_world import RAINS, World, plain, refused, with_provenance

import harness
from harness.cli.main import run_command_line
from harness.ledger import frozen
from reports.beside import on_board
from reports.findings.effects import effects
from reports.results.results import Results
from reports.results.training import Training

ROOT = Path(__file__).parent.parent.parent


def test_a_new_row_stands_beside_the_frozen_ones(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = world.mine / "benchmark-v1"
    mine = harness.load(folder)
    assert {r.derainer for r in mine.records} == {"identity", "twice"}, "only my row is computed"
    assert {**mine.spec, "derainer": ["median"]} == world.kept.spec

    # What a run of both says, each derainer judged beside the other.
    words = ["--rain", RAINS, "--seed", "7", "--quality", "psnr,ssim"]
    words += ["--derainer", "median,twice=median+median"]
    assert plain(world.photos, world.runs, tmp_path / "both", *words) == 0
    right = harness.load(tmp_path / "both")
    found = on_board(world.kept, {"mine": mine})
    pairs = zip(effects(found), effects(right), strict=True)
    unknown: dict[str, Any] = {
        "lower": None,
        "lower_n": 0,
    }  # a frozen benchmark has no images of its own
    assert all(replace(a, **unknown) == replace(b, **unknown) for a, b in pairs)
    assert {r.cell: r.value for r in found.records} == {
        r.cell: r.value
        for r in right.records
        if r.metric in world.kept.metrics and r.task in found.tasks
    }

    text = (world.mine / "board.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| quality")]
    assert lines[0].split(" | ")[1] == "no derainer"
    assert {line.split(" | ")[1] for line in lines} == {"no derainer", "median", "twice"}
    assert sum("frozen |" in line for line in lines) == 2
    assert "evidence " + frozen.digests()["benchmark-v1"][:12] in text
    capsys.readouterr()
    words = ["verify", str(folder), "--data-root", str(world.photos), "--images", "3"]
    assert run_command_line(words) == 0
    assert "twice" in capsys.readouterr().out
    frozen_too = ["verify", str(world.home / "v1"), "--data-root", str(world.photos), "--all"]
    assert run_command_line(frozen_too) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rain", "rain100l"], "benchmark-v1 is frozen: --rain would make another of it"),
        (["--limit", "2"], "name data in place of --suite, as --dataset streetsim"),
        (["--seeds", "2"], "--seeds would make another"),
        (["--layout", "table6"], "--layout would make another"),
        (
            ["--derainer", "median"],
            "has a row median: call yours something else, as --derainer mine=",
        ),
        (["--derainer", "x=identity,identity"], "has a row identity"),
        (["--from", "x"], "--suite and --from: give one of the two"),
    ],
)
def test_what_would_change_a_benchmark_is_refused(
    words: list[str], said: str, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [] if "--derainer" in words else ["--derainer", "mine=median"]
    assert said in refused(capsys, world.command(tmp_path / "out", *own, *words))
    assert not (tmp_path / "out").exists()


def test_a_row_and_a_folder_must_be_named(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "takes a row of yours" in refused(capsys, world.command(tmp_path / "out"))
    alone = ["run", "--suite", "benchmark-v1", "--derainer", "mine=median"]
    assert "--out, a folder for the submission" in refused(capsys, alone)
    without = [*alone, "--out", str(tmp_path / "out")]
    assert "type --data-root, the folder called photos" in refused(capsys, without)
    for words in (
        ["run", "--suite", "benchmark-v2", "--derainer", "mine=median"],
        ["report", str(world.mine / "benchmark-v1"), "--suite", "benchmark-v2", "--out", "x"],
        ["report", str(world.mine / "benchmark-v1"), "--suite", "mine.yaml", "--out", "x"],
    ):
        said = refused(capsys, words)
        assert "this version of derain-harness has no evidence of such a benchmark" in said
        assert "frozen in it: benchmark-v1" in said


FAILS = """
from torch import nn

class Fails(nn.Module):
    def forward(self, x):
        if x.shape[-1] == 40 and x.mean() > 0.52:
            raise ValueError("too bright")
        return x

build = Fails
"""


def test_an_image_that_fails_leaves_no_row(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    out = tmp_path / "out"
    assert run_command_line(world.command(out, "--derainer", f"{tmp_path}/fails.py:build")) == 1
    assert "no row of benchmark-v1: images failed" in capsys.readouterr().err
    assert not (out / "board.html").exists()
    words = ["report", str(out / "benchmark-v1"), "--suite", "benchmark-v1", "--out", str(out)]
    assert run_command_line(words) == 2
    assert "images failed" in capsys.readouterr().err


@pytest.fixture
def copy(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The frozen benchmarks once more, to be changed."""
    shutil.copytree(world.home, tmp_path / "home")
    monkeypatch.setattr(frozen, "HOME", tmp_path / "home")
    return tmp_path / "home"


def test_rows_come_later_and_change_nothing_that_is_frozen(
    world: World, copy: Path, freeze: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = frozen.digests()
    mine = world.mine / "benchmark-v1"
    assert freeze.freeze(mine, "v1+twice") == copy / "v1+twice"
    assert frozen.digests() == before
    held = frozen.frozen("benchmark-v1").board().records
    assert {r.derainer for r in held} == {"identity", "median", "twice"}
    for version, said in (
        ("v1+twice", "what is frozen is never changed"),
        ("v1+again", "v1\\+twice has a row twice"),
        ("v2+twice", "no evidence of such a benchmark"),
        ("v1+", "expected v1, v2"),
        ("v1+../x", "expected v1, v2"),
    ):
        with pytest.raises(ValueError, match=said):
            freeze.freeze(mine, version)
    assert "has a row twice" in refused(
        capsys, world.command(tmp_path / "out", "--derainer", "twice=median")
    )
    assert run_command_line(world.command(tmp_path / "out", "--derainer", "mine=median")) == 0
    lines = (tmp_path / "out" / "board.md").read_text().splitlines()
    rows = {line.split(" | ")[1]: line for line in lines if line.startswith("| quality")}
    assert rows.keys() == {"no derainer", "median", "twice", "mine"}
    assert rows["twice"].endswith(f"v1+twice, run {harness.load(mine).run[:12]} |")
    (copy / "v1+twice" / "images.csv").write_text("")
    said = refused(capsys, world.command(tmp_path / "other", "--derainer", "x=median"))
    assert "v1+twice is not what was frozen" in said


@pytest.mark.parametrize("name", ["results.json", "draws.npz", "images.csv"])
@pytest.mark.parametrize("is_gone", [False, True])
def test_evidence_that_was_changed_is_refused(
    name: str,
    is_gone: bool,
    world: World,
    copy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = copy / "v1" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.unlink() if is_gone else file.write_bytes(data)
    for words in (
        world.command(tmp_path / "out", "--derainer", "mine=median"),
        ["report", str(world.mine / "benchmark-v1"), "--suite", "benchmark-v1", "--out", "x"],
    ):
        said = refused(capsys, words)
        assert "is not what was frozen: install derain-harness again" in said


def test_a_package_without_evidence_says_so(
    world: World, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / frozen.SUMS).unlink()
    said = refused(capsys, world.command(tmp_path / "out", "--derainer", "mine=median"))
    assert "no evidence of such a benchmark; frozen in it: none" in said


def test_a_frozen_spec_runs_no_code(
    world: World, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('foreign code')")
    file = copy / "v1" / "results.json"
    told = json.loads(file.read_text())
    told["spec"] |= {"task": ["detection"], "model": {"detection": f"{tmp_path}/evil.py:build"}}
    file.write_text(json.dumps(told))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (copy / frozen.SUMS).write_text(f"{digest}  v1/results.json\n")
    said = refused(capsys, world.command(tmp_path / "out", "--derainer", "mine=median"))
    assert "asks to run code" in said


def test_what_is_frozen_is_small_whole_and_never_changed(world: World, freeze: Any) -> None:
    sums = (world.home / frozen.SUMS).read_text()
    for line in sums.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((world.home / name).read_bytes()).hexdigest() == digest
    assert {line.split("/")[1] for line in sums.splitlines()} == {
        *("croissant.json", "draws.npz", "images.csv", "results.json")
    }
    full = harness.load(world.home.parent / "full")
    assert {c.metric for c in world.kept.draws} == {"psnr_y_db"}
    assert {c.metric for c in full.draws} > {"psnr_y_db"}
    for cell, draws in world.kept.draws.items():
        assert np.array_equal(full.draws[cell], draws, equal_nan=True)
    with pytest.raises(ValueError, match="what is frozen is never changed"):
        freeze.freeze(world.home.parent / "full", "v1")
    with pytest.raises(ValueError, match="expected v1, v2"):
        freeze.freeze(world.home.parent / "full", "../v2")
    with pytest.raises(ValueError, match="no results"):
        freeze.freeze(world.photos, "v2")
    assert (world.home / frozen.SUMS).read_text() == sums


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limit": 5}, "a part of its split"),
        ({"shard": "0/2"}, "a part of its split"),
        ({"where": ["weather=clear"]}, "conditions of its own"),
        ({"model": {"detection": ["yolo-streetsim", "yolo@a.safetensors"]}}, "files of yours"),
    ],
)
def test_a_run_of_a_part_is_not_frozen(
    changes: dict[str, Any], said: str, world: World, freeze: Any
) -> None:
    with pytest.raises(ValueError, match=said):
        freeze._require_fit(replace(world.kept, spec=world.kept.spec | changes))
    with pytest.raises(ValueError, match="other than 2,000 resampled sets"):
        freeze._require_fit(
            replace(world.kept, draws={c: d[:9] for c, d in world.kept.draws.items()})
        )


def test_machines_can_read_what_is_frozen(world: World) -> None:
    told = json.loads((world.home / "v1" / "croissant.json").read_text())
    assert told["conformsTo"][0] == "http://mlcommons.org/croissant/1.0"
    for file in told["distribution"]:
        data = (world.home / "v1" / file["contentUrl"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    (records,) = told["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in records["field"]]
    header = (world.home / "v1" / "images.csv").read_text().splitlines()[0]
    assert columns == header.split(",")
    assert {key["@id"] for key in records["key"]} < {field["@id"] for field in records["field"]}


def test_the_page_shows_the_benchmarks_that_there_are(
    freeze: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "HOME", ROOT / "harness" / "frozen")
    text = (ROOT / "docs" / "benchmark.md").read_text()
    assert text == freeze.filled(text, freeze.tables()), "run: python benchmarks/freeze.py"
    for name in frozen.digests():
        assert f"`{name}`" in text
        benchmark = frozen.frozen(name)
        assert frozen.made_otherwise(benchmark) is None, "rows of it can no longer be made"
        for network, told in _trainings(benchmark.results):
            file = ROOT / "tasks" / "weights" / f"{network}.safetensors"
            assert hashlib.sha256(file.read_bytes()).hexdigest() == told.sha256


def _trainings(run: Results) -> list[tuple[str, Training]]:
    return [pair for of_task in run.provenance.trainings.values() for pair in of_task.items()]


def test_what_this_package_makes_otherwise_is_told_before_it_is_computed(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = frozen.frozen("benchmark-v1")
    assert frozen.made_otherwise(whole) is None
    for changes, said in (
        ({"rains": {"rain100h": "0"}}, "rain100h"),
        ({"metric_versions": {"psnr_y_db": 99}}, "psnr_y_db"),
    ):
        changed = replace(whole, results=with_provenance(whole.results, **changes))
        assert frozen.made_otherwise(changed) == said
    monkeypatch.setattr(frozen, "made_otherwise", lambda _: "rain100h")
    words = world.command(tmp_path / "out", "--derainer", "mine=median")
    assert "rain100h is of another version here: a row takes the package" in refused(capsys, words)
