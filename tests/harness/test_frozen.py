"""Frozen benchmarks: a tiny one, rows beside it, and what would change it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mutations import any_json
from signed import sign

import harness
from datasets.image import encode_png
from harness.cli.main import run_command_line
from harness.ledger import frozen
from reports.beside import on_board
from reports.findings.effects import effects
from reports.results.record import ImageError
from reports.results.results import Results
from reports.results.training import Training

ROOT = Path(__file__).parent.parent.parent
RAINS = "none,rain100h"


class World(NamedTuple):
    """What the tests share; none changes it."""

    photos: Path
    home: Path
    """Where benchmark-v1 is frozen."""
    runs: Path
    """The workspace."""
    mine: Path
    """The --out of a row of it."""
    kept: Results

    def command(self, out: Path, *more: str) -> list[str]:
        return [
            *("run", "--suite", "benchmark-v1", "--data-root", str(self.photos)),
            *("--workspace", str(self.runs), "--no-images", "--out", str(out), *more),
        ]


@pytest.fixture(scope="module")
def freeze() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("freeze")


@pytest.fixture(scope="module")
def world(freeze: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("frozen")
    photos = root / "photos"
    photos.mkdir()
    for i in range(20):
        levels = np.random.default_rng(i).integers(0, 256, (4, 5, 3), np.uint8)
        (photos / f"{i}.png").write_bytes(encode_png(levels.repeat(8, 0).repeat(8, 1)))
    full = root / "full"
    words = ["--rain", RAINS, "--seed", "7", "--quality", "psnr,ssim", "--derainer", "median"]
    assert plain(photos, root / "runs", full, *words) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "HOME", root / "home")
        freeze.freeze(full, "v1")
        kept = frozen.frozen("benchmark-v1").results
        made = World(photos, root / "home", root / "runs", root / "mine", kept)
        assert run_command_line(made.command(made.mine, "--derainer", "twice=median+median")) == 0
        yield made


def plain(photos: Path, workspace: Path, out: Path, *words: str) -> int:
    """A run that names everything itself."""
    data = ["--dataset", "folder", "--data-root", str(photos), "--task", "none", "--no-images"]
    return run_command_line(
        ["run", *data, "--workspace", str(workspace), "--out", str(out), *words]
    )


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The one line with which a command ends before it does anything."""
    capsys.readouterr()
    assert run_command_line(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


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
    assert [replace(e, lower=None) for e in effects(found)] == effects(right)
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


def test_a_forged_number_of_the_set_is_found_where_all_is_recomputed(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(world.mine / "benchmark-v1", folder)
    words = ["verify", str(folder), "--data-root", str(world.photos)]
    assert run_command_line([*words, "--all"]) == 0
    told = json.loads((folder / "results.json").read_text())
    for record in told["records"]:
        if record["derainer"] == "twice" and record["metric"] == "ssim_y":
            record["value"] += 0.1
    (folder / "results.json").write_text(json.dumps(told))
    capsys.readouterr()
    assert run_command_line([*words, "--images", "2"]) == 0
    assert run_command_line([*words, "--all"]) == 1
    assert "ssim_y of the set" in " ".join(capsys.readouterr().out.replace("│", " ").split())


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


def test_a_board_is_made_of_submissions_alone(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    hostile = "<script>alert(1)</script>"
    assert run_command_line(world.command(other, "--derainer", "other=median+median+median")) == 0
    submissions = [world.mine / "benchmark-v1", other / "benchmark-v1"]
    out = tmp_path / "board"
    words = ["report", *map(str, submissions), "--suite", "benchmark-v1", "--out", str(out)]
    assert run_command_line(words) == 0
    rows = [line for line in (out / "board.md").read_text().splitlines() if "| quality" in line]
    assert {r.split(" | ")[1] for r in rows} == {"no derainer", "median", "twice", "other"}
    assert "other/benchmark-v1, run" in (out / "board.html").read_text()
    assert str(tmp_path) not in (out / "board.html").read_text()
    assert (out / "board.csv").read_text().count(",twice,") == 4

    twice = [*words[:2], words[1], *words[3:]]
    assert "stands there twice" in refused(capsys, twice)
    assert "no results folder" in refused(capsys, [*words[:1], str(world.runs), *words[3:]])
    assert "leave --board out" in refused(capsys, [*words, "--board"])

    names = (submissions[1] / "results.json").read_text().replace('"other', f'"{hostile}')
    (submissions[1] / "results.json").write_text(names)
    changed = np.load(submissions[1] / "draws.npz")
    arrays: dict[str, Any] = {k.replace("other", hostile): changed[k] for k in changed.files}
    np.savez_compressed(submissions[1] / "draws.npz", **arrays)
    sign(submissions[1])
    assert run_command_line(words) == 0
    assert hostile not in (out / "board.html").read_text()


def _told(run: Results, **changes: Any) -> Results:
    return replace(run, provenance=replace(run.provenance, **changes))


def _called(run: Results, name: str) -> Results:
    """The run with another name of its row."""
    new = {"twice": name, "identity": "identity"}
    return replace(
        run,
        records=[replace(r, derainer=new[r.derainer]) for r in run.records],
        draws={
            replace(c, condition=replace(c.condition, derainer=new[c.condition.derainer])): d
            for c, d in run.draws.items()
        },
    )


def _less(run: Results, gone: Callable[[Any], bool]) -> Results:
    return replace(run, records=[r for r in run.records if not gone(r)])


CASES: dict[str, tuple[Callable[[Results], Results], str]] = {
    "images": (lambda run: _told(run, data_fingerprint="0"), "mine: other images"),
    "rain": (lambda run: _told(run, rains={"rain100h": "0"}), "another rain of rain100h"),
    "version": (lambda run: _told(run, metric_versions={"psnr_y_db": 99}), "another version"),
    "unnamed rains": (lambda run: _told(run, rains=None), "which rain of rain100h it is of"),
    "unnamed metrics": (
        lambda run: _told(run, metric_versions={}),
        "does not say which version of psnr_y_db it is of",
    ),
    "a rain less": (
        lambda run: _less(run, lambda r: r.rain == "rain100h"),
        "no psnr_y_db of identity under rain100h, seed 7, over 20 images of folder",
    ),
    "a row less": (
        lambda run: _less(run, lambda r: r.rain == "none" and r.derainer == "twice"),
        "no psnr_y_db of twice under none",
    ),
    "fewer images": (
        lambda run: replace(run, records=[replace(r, n=19) for r in run.records]),
        "over 20 images",
    ),
    "another seed": (
        lambda run: replace(run, records=[replace(r, seed=8) for r in run.records]),
        "another seed of the rain",
    ),
    "another split": (
        lambda run: replace(run, records=[replace(r, split="x") for r in run.records]),
        "no psnr_y_db of identity",
    ),
    "no draws": (lambda run: replace(run, draws={}), "no draws of psnr_y_db of"),
    "other sets": (
        lambda run: replace(run, draws={c: d[:1000] for c, d in run.draws.items()}),
        "other resampled sets: 2,000 here, 1,000 there",
    ),
    "no row": (
        lambda run: _less(run, lambda r: r.derainer == "twice"),
        "no row of a derainer",
    ),
    "a frozen name": (
        lambda run: _called(run, "median"),
        "mine: the benchmark itself has a row median: run it again under another name",
    ),
    "failed": (
        lambda run: replace(run, errors=[ImageError("3", "derain", "too small")]),
        "1 images failed, 3 first (derain): too small",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_submission_of_something_else_is_refused(case: str, world: World) -> None:
    change, said = CASES[case]
    mine = harness.load(world.mine / "benchmark-v1")
    on_board(world.kept, {"mine": mine})
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace(")", r"\)")):
        on_board(world.kept, {"mine": change(mine)})
    with pytest.raises(ValueError, match="theirs: mine has a row twice"):
        on_board(world.kept, {"mine": mine, "theirs": mine})


@pytest.fixture
def copy(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The frozen benchmarks once more, to be changed."""
    shutil.copytree(world.home, tmp_path / "home")
    monkeypatch.setattr(frozen, "HOME", tmp_path / "home")
    return tmp_path / "home"


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


def test_the_page_names_the_benchmarks_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "HOME", ROOT / "harness" / "frozen")
    text = (ROOT / "docs" / "benchmark.md").read_text()
    assert ("None is frozen yet" in text) == (not frozen.digests())
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
        changed = replace(whole, results=_told(whole.results, **changes))
        assert frozen.made_otherwise(changed) == said
    monkeypatch.setattr(frozen, "made_otherwise", lambda _: "rain100h")
    words = world.command(tmp_path / "out", "--derainer", "mine=median")
    assert "rain100h is of another version here: a row takes the package" in refused(capsys, words)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_submission_ends_in_a_line(
    seed: int, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "theirs"
    shutil.copytree(world.mine / "benchmark-v1", folder)
    rng = np.random.default_rng(seed)
    file = folder / "results.json"
    file.write_bytes(any_json(file.read_bytes(), rng))
    with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
        sign(folder)
    words = ["report", str(folder), "--suite", "benchmark-v1", "--out", str(tmp_path / "out")]
    if run_command_line(words) == 0:
        assert "<script>alert" not in (tmp_path / "out" / "board.html").read_text()
    else:
        assert capsys.readouterr().err.count("\n") == 1
