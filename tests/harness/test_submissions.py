"""Submissions to a frozen benchmark: boards of them, and those that are refused."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frozen_world import World, refused, with_provenance
from mutations import any_json
from numpy.typing import NDArray
from signed import sign

import harness
from harness.cli.main import run_command_line
from reports.beside import on_board
from reports.results.intervals import level_interval
from reports.results.record import ImageError
from reports.results.results import Results

Draws = NDArray[np.float32]


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
    assert run_command_line([*words, "--images", "2"]) == 2
    assert "ssim_y of twice under" in capsys.readouterr().err
    assert run_command_line([*words, "--all"]) == 1
    assert "ssim_y of the set" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def _narrow(draws: Draws) -> Draws:
    made: Draws = ((draws + draws.mean()) / 2).astype(np.float32)
    return made


def _unpaired(draws: Draws) -> Draws:
    """The same ones for other resampled sets: no interval of a level changes."""
    return draws[np.random.default_rng(0).permutation(len(draws))]


@pytest.mark.parametrize(
    ("change", "groups", "said"),
    [
        (_narrow, 20, ["draws of quality/psnr_y_db", "interval of quality/psnr_y_db"]),
        (_unpaired, 20, ["draws of quality/psnr_y_db"]),
        (lambda draws: draws, 1000, ["interval of quality/psnr_y_db"]),
        (None, 20, ["draws of quality/psnr_y_db"]),
    ],
)
def test_forged_intervals_and_draws_are_found_where_all_is_recomputed(
    change: Callable[[Draws], Draws] | None,
    groups: int,
    said: list[str],
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(world.mine / "benchmark-v1", folder)
    told = json.loads((folder / "results.json").read_text())
    with np.load(folder / "draws.npz") as held:
        arrays = dict(held)
    name = "rain100h|twice|quality|psnr_y_db"
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
        (record,) = [r for r in told["records"] if r["ci"] and _named(r) == name]
        record["ci"] = level_interval(arrays[name], record["value"], groups)
    np.savez_compressed(folder / "draws.npz", **arrays)
    (folder / "results.json").write_text(json.dumps(told))
    sign(folder)
    words = ["verify", str(folder), "--data-root", str(world.photos), "--all"]
    assert run_command_line(words) == 1
    shown = "".join(capsys.readouterr().out.replace("│", " ").split())
    for what in said:
        assert what.replace(" ", "") in shown
    assert shown.count("beyondthebound:") == 1
    if len(said) == 1:
        assert ("intervalof" in shown) == said[0].startswith("interval")


def _named(record: dict[str, Any]) -> str:
    return "|".join(record[word] for word in ("rain", "derainer", "task", "metric"))


def test_a_number_that_was_left_out_is_found_where_all_is_recomputed(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(world.mine / "benchmark-v1", folder)
    told = json.loads((folder / "results.json").read_text())
    gone = "none|twice|quality|ssim_y"
    told["records"] = [r for r in told["records"] if _named(r) != gone]
    with np.load(folder / "draws.npz") as held:
        arrays = {name: draws for name, draws in held.items() if name != gone}
    np.savez_compressed(folder / "draws.npz", **arrays)
    (folder / "results.json").write_text(json.dumps(told))
    sign(folder)
    words = ["verify", str(folder), "--data-root", str(world.photos)]
    assert run_command_line([*words, "--all"]) == 1
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "lacking: quality/ssim_y of the set" in shown
    told["provenance"]["groups"] = 19
    (folder / "results.json").write_text(json.dumps(told))
    sign(folder)
    assert "the folder is of other groups of images" in refused(capsys, [*words, "--all"])


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

    alone = ["report", "--suite", "benchmark-v1", "--out", str(tmp_path / "alone")]
    assert run_command_line(alone) == 0
    rows = (tmp_path / "alone" / "board.md").read_text().splitlines()
    assert sum(line.startswith("| quality") for line in rows) == 2
    assert "name a workspace" in refused(capsys, ["report", *alone[3:]])

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
    "images": (lambda run: with_provenance(run, data_fingerprint="0"), "mine: other images"),
    "rain": (lambda run: with_provenance(run, rains={"rain100h": "0"}), "another rain of rain100h"),
    "version": (
        lambda run: with_provenance(run, metric_versions={"psnr_y_db": 99}),
        "another version",
    ),
    "unnamed rains": (
        lambda run: with_provenance(run, rains=None),
        "which rain of rain100h it is of",
    ),
    "unnamed metrics": (
        lambda run: with_provenance(run, metric_versions={}),
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
        "1 image failed, 3 first (derain): too small",
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
