"""Results folders against each other: what is equivalent, worse, missing or undecided."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.checks import runs as regress_runs
from harness.cli.main import run_command_line
from harness.scores.replicates import resample_counts
from harness.spec import UsageError
from reports.beside import beside
from reports.pages.two_runs import differences
from reports.results.provenance import Provenance
from reports.results.record import ImageError, Record
from reports.results.results import ByImage, Results
from reports.write import write
from tests.reports.made import rowed


@functools.cache
def drawn(n: int) -> np.ndarray[Any, Any]:
    return resample_counts("data", [str(i) for i in range(n)]).astype(float)


def study(
    values: dict[str, np.ndarray[Any, Any]], seed: int = 0, provenance: dict[str, Any] | None = None
) -> Results:
    """A run whose PSNR of single images is given, by derainer, its weights' digest behind an @."""
    n = len(next(iter(values.values())))
    counts = drawn(n)
    records, draws = [], {}
    for derainer, psnr in values.items():
        one = Record(
            dataset="coco",
            split="val",
            rain="heavy",
            derainer=derainer,
            weights=derainer.partition("@")[2].ljust(64, "0") if "@" in derainer else None,
            task="quality",
            model=None,
            metric="psnr_y_db",
            value=float(psnr.mean()),
            n=n,
            ci=None,
            seen=(),
            seed=seed,
            unit="dB",
        )
        records.append(one)
        draws[one.cell] = (counts @ psnr / counts.sum(1)).astype(np.float32)
    known = Provenance(
        data_fingerprint="f",
        rains={"heavy": "r"},
        models={},
        metric_versions={"psnr_y_db": 1},
        groups=n,
    )
    known = replace(known, **(provenance or {}))
    spec = {"dataset": "coco", "split": "val", "seed": seed}
    return rowed(Results("0" * 64, spec, known, [], [], records, draws))


def fewer_sets(run: Results, times: int) -> Results:
    """The run as if it had been resampled so many times, which gives other sets altogether."""
    draws = {cell: np.random.default_rng(1).permutation(d)[:times] for cell, d in run.draws.items()}
    return replace(run, draws=draws)


RNG = np.random.default_rng(0)
PSNR = {"identity": RNG.normal(18, 2, 100), "mine@1234abcd": RNG.normal(26, 2, 100)}


def test_the_same_run_is_equivalent() -> None:
    found = regress_runs.compare(study(PSNR), study(PSNR))
    assert [(v.cell, v.verdict, v.difference) for v in found] == [
        ("heavy|identity|quality|psnr_y_db", "equivalent", 0),
        ("heavy|mine|quality|psnr_y_db", "equivalent", 0),
    ]


def test_no_psnr_is_above_images_that_equal_their_reference() -> None:
    finite = study(PSNR)
    mine = replace(finite.records[1], value=None, n_identical=100)
    identical = replace(finite, records=[finite.records[0], mine])
    for old, new, verdict in (
        (finite, identical, "better"),
        (identical, finite, "worse"),
        (identical, identical, "equivalent"),
    ):
        found = regress_runs.compare(old, new)
        assert [v.verdict for v in found] == ["equivalent", verdict]
        assert (found[1].why is None) == (verdict == "equivalent")
    gone = replace(finite, records=finite.records[:1])
    assert regress_runs.compare(identical, gone)[1].verdict == "missing"
    none = replace(mine, n_identical=0)
    assert regress_runs.compare(finite, replace(finite, records=[none]))[1].verdict == "missing"


def test_reruns_rarely_alarm_and_a_worse_derainer_does() -> None:
    """The same derainer on other rain drops: each image changes, the mean does not."""
    rng = np.random.default_rng(1)
    old = study(PSNR)
    alarms = 0
    for _ in range(200):
        again = {name: psnr + rng.normal(0, 0.6, 100) for name, psnr in PSNR.items()}
        found = regress_runs.compare(old, study(again))
        alarms += any(v.verdict == "worse" for v in found)
    assert alarms <= 10
    worse = {"identity": PSNR["identity"], "mine@5678abcd": PSNR["mine@1234abcd"] - 0.5}
    worse["mine@5678abcd"] = worse["mine@5678abcd"] + rng.normal(0, 0.6, 100)
    found = regress_runs.compare(old, study(worse))
    assert [v.verdict for v in found] == ["equivalent", "worse"]


@pytest.mark.parametrize(
    ("difference", "ci", "verdict", "needed"),
    [
        (-0.5, (-0.6, -0.4), "worse", None),
        (0.5, (0.2, 0.8), "better", None),
        (0.0, (-0.05, 0.05), "equivalent", None),
        (-0.2, (-0.4, 0.0), "inconclusive", 400),
        (0.05, None, "inconclusive", None),
        (-0.05, None, "inconclusive", None),
        (0.0, None, "equivalent", None),
        # Too few images for an interval: a difference beyond the tolerance counts none the less.
        (-13.0, None, "worse", None),
        (-0.11, None, "worse", None),
        (13.0, None, "better", None),
    ],
)
def test_verdicts(
    difference: float, ci: tuple[float, float] | None, verdict: str, needed: int | None
) -> None:
    assert regress_runs.judge(difference, ci, 0.1, 100) == (verdict, needed)


def test_images_that_failed_are_named_where_the_runs_are_of_other_images() -> None:
    boom = [ImageError("3", "derain", "boom")]
    failed = replace(study(PSNR, provenance={"data_fingerprint": "g"}), errors=boom)
    with pytest.raises(UsageError, match=r"in the new one 1 image failed, 3 first .*: boom: mend"):
        regress_runs.compare(study(PSNR), failed)
    assert any("in the second 1 image failed" in line for line in differences(study(PSNR), failed))
    with pytest.raises(ValueError, match="there 1 image failed, 3 first"):
        beside(study(PSNR), failed)


def test_other_data_rain_networks_or_metrics_are_refused() -> None:
    for changed, said in (
        ({"data_fingerprint": "g"}, "differ in the images"),
        ({"rains": {}}, "differ in the rains"),
        ({"labels": {"quality": "other"}}, "differ in the labels"),
        ({"models": {"quality": "y"}}, "differ in the task networks .*`report A B` compares two"),
        ({"metric_versions": {}}, "differ in how scores are computed"),
        # What one of the two alone knows may be another.
        ({"rains": None}, "differ in the rains"),
        ({"models": None}, "differ in the task networks"),
        ({"metric_versions": None}, "differ in how scores are computed"),
    ):
        with pytest.raises(UsageError, match=said):
            regress_runs.compare(study(PSNR), study(PSNR, provenance=changed))
    for unknown in ("data_fingerprint", "metric_versions"):
        run = study(PSNR, provenance={unknown: None})
        with pytest.raises(UsageError, match="do not say"):
            regress_runs.compare(run, run)
    with pytest.raises(UsageError, match="seeds 0 and 1"):
        regress_runs.compare(study(PSNR), study(PSNR, seed=1))
    with pytest.raises(UsageError, match="--guard ap/person: the old run has no such number"):
        regress_runs.compare(study(PSNR), study(PSNR), guard=["ap/person"])


def test_folders_are_judged_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(study(PSNR), tmp_path / "old")
    write(study({"identity": PSNR["identity"]}), tmp_path / "less")
    down = {"identity": PSNR["identity"], "mine": PSNR["mine@1234abcd"] - 0.5}
    write(study(down), tmp_path / "new")
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    assert run_command_line(["regress", old, old]) == 0
    junit = tmp_path / "junit.xml"
    assert run_command_line(["regress", old, new, "--junit", str(junit)]) == 1
    assert "worse: heavy|mine|quality|psnr_y_db" in capsys.readouterr().err
    assert ElementTree.parse(junit).getroot().get("failures") == "1"
    assert run_command_line(["regress", old, new, "--tolerance", "psnr_y_db=1"]) == 0
    assert run_command_line(["regress", old, str(tmp_path / "less")]) == 1
    assert "missing: heavy|mine|" in capsys.readouterr().err
    assert run_command_line(["regress", old, new, "--tolerance", "psnr_y_db=x"]) == 2
    for word in ("0.02", "=0.02", "ap_pooled/timeofday=night", "ap_pooled/timeofday=night=-1"):
        assert run_command_line(["regress", old, new, "--tolerance", word]) == 2
        assert "expected METRIC=X" in capsys.readouterr().err
    part = ["--tolerance", "psnr_y_db/timeofday=night=0.02"]
    assert run_command_line(["regress", old, new, *part]) == 2
    assert "--tolerance 'psnr_y_db/timeofday=night'" in capsys.readouterr().err
    (tmp_path / "new" / "draws.npz").write_bytes(b"PK")
    assert run_command_line(["regress", old, new]) == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("by", "require", "said"),
    [
        ((0.05,), None, "undecided: 1 of 2 numbers is inconclusive (see --require)"),
        ((0.05,), "equivalent", "failed: 1 of 2 numbers is inconclusive"),
        ((0.05,), "not-worse", "passed: 1 of 2 numbers is inconclusive"),
        ((-13, 0.05), None, "failed: 1 of 3 numbers is worse, 1 is inconclusive"),
        ((-13, 0.05), "not-worse", "failed: 1 of 3 numbers is worse, 1 is inconclusive"),
        ((-13, -13, None), None, "failed: 2 of 4 numbers are worse, 1 is missing"),
        ((0, 2), None, ""),
    ],
)
def test_the_last_line_names_what_decides(
    by: tuple[float | None, ...],
    require: str | None,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = {f"mine-{i}": PSNR["mine@1234abcd"][:8] for i in range(len(by))}
    moved = {f"mine-{i}": few[f"mine-{i}"] + x for i, x in enumerate(by) if x is not None}
    same = {"identity": PSNR["identity"][:8]}
    words = []
    for name, values in (("old", same | few), ("new", same | moved)):
        write(study(values), tmp_path / name)
        words.append(str(tmp_path / name))
    capsys.readouterr()
    run_command_line(["regress", *words, *([] if require is None else ["--require", require])])
    lines = [x for x in capsys.readouterr().err.splitlines() if " of " in x]
    assert lines == [said] * bool(said)


def without_interval(n: int, by: float) -> tuple[Results, Results]:
    """A run of few images, and one whose derainer is better by so much."""
    old = {"identity": PSNR["identity"][:n], "mine": PSNR["mine@1234abcd"][:n]}
    return study(old), study({**old, "mine": old["mine"] + by})


@pytest.mark.parametrize("n", [4, 8])
def test_few_images_hide_no_broken_derainer(n: int, tmp_path: Path) -> None:
    old, new = without_interval(n, -13)
    found = regress_runs.compare(old, new)
    assert [(v.verdict, v.interval) for v in found] == [("equivalent", None), ("worse", None)]
    assert regress_runs.outcome(found) == "failed"
    write(old, tmp_path / "old")
    write(new, tmp_path / "new")
    assert run_command_line(["regress", str(tmp_path / "old"), str(tmp_path / "new")]) == 1


def test_of_a_metric_of_which_less_is_better_more_is_worse() -> None:
    old, new = without_interval(8, 2)
    less = {"psnr_y_db": replace(old.metrics["psnr_y_db"], higher_is_better=False)}
    found = regress_runs.compare(replace(old, metrics=less), replace(new, metrics=less))
    assert [v.verdict for v in found] == ["equivalent", "worse"]


@pytest.mark.parametrize(
    ("by", "require", "status", "counts"),
    [
        (-13, None, 1, ("1", "0")),
        (-13, "not-worse", 1, ("1", "0")),
        (-0.05, None, 3, ("0", "1")),
        (0.05, None, 3, ("0", "1")),
        (0.05, "equivalent", 1, ("1", "0")),
        (0.05, "not-worse", 0, ("0", "1")),
        (0, None, 0, ("0", "0")),
        (0, "equivalent", 0, ("0", "0")),
        (2, None, 0, ("0", "0")),
    ],
)
def test_what_is_inconclusive_has_not_passed(
    by: float,
    require: str | None,
    status: int,
    counts: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = []
    for name, run in zip(("old", "new"), without_interval(8, by), strict=True):
        write(run, tmp_path / name)
        words.append(str(tmp_path / name))
    junit = tmp_path / "junit.xml"
    asked = [] if require is None else ["--require", require]
    assert run_command_line(["regress", *words, "--junit", str(junit), *asked]) == status
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("failures"), suite.get("skipped"), suite.get("tests")) == (*counts, "2")
    said = "inconclusive: heavy|mine|quality|psnr_y_db" in capsys.readouterr().err
    assert said == (abs(by) == 0.05)


IDENTITY, GOOD = PSNR["identity"], PSNR["mine@1234abcd"]
SEVERAL = {"identity": IDENTITY, "mine@aaaaaaaa": GOOD, "mine@bbbbbbbb": GOOD - 2}


def test_trainings_of_one_network_are_compared_each_with_itself() -> None:
    old = study(SEVERAL)
    found = regress_runs.compare(old, old)
    assert [(v.derainer, v.verdict, v.difference) for v in found] == [
        ("identity", "equivalent", 0),
        ("mine@aaaaaaaa", "equivalent", 0),
        ("mine@bbbbbbbb", "equivalent", 0),
    ]
    # The other training is what is left for the one that is gone.
    one = study({"identity": IDENTITY, "mine@aaaaaaaa": GOOD, "mine@cccccccc": GOOD - 2})
    assert {v.verdict for v in regress_runs.compare(old, one)} == {"equivalent"}
    less = study({"identity": IDENTITY, "mine@bbbbbbbb": GOOD - 2})
    verdicts = {v.derainer: v.verdict for v in regress_runs.compare(old, less)}
    assert verdicts["mine@aaaaaaaa"] == "missing"
    # What the new run alone has stands for nothing.
    known = study({"identity": IDENTITY, "mine@aaaaaaaa": GOOD})
    more = study({"mine": GOOD - 9, "identity": IDENTITY, "mine@aaaaaaaa": GOOD, "mine@d": GOOD})
    assert {v.verdict for v in regress_runs.compare(known, more)} == {"equivalent"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["mine@cccccccc"],
            "mine is mine@aaaaaaaa, mine@bbbbbbbb in one run and mine@cccccccc in",
        ),
        (
            ["mine@cccccccc", "mine@dddddddd"],
            "in one run and mine@cccccccc, mine@dddddddd in the",
        ),
        (["mine"], "nobody can tell which is which: .* --derainer NAME=WORD"),
    ],
)
def test_trainings_that_nobody_can_match_are_refused(names: list[str], said: str) -> None:
    new = study({"identity": IDENTITY, **dict.fromkeys(names, GOOD)})
    with pytest.raises(UsageError, match=said):
        regress_runs.compare(study(SEVERAL), new)
    back = said if names == ["mine"] else "nobody can tell"
    with pytest.raises(UsageError, match=back):
        regress_runs.compare(new, study(SEVERAL))


def test_other_resampled_sets_give_no_verdict_on_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = study(PSNR)
    new = fewer_sets(study({"identity": IDENTITY, "mine@5678abcd": GOOD + 0.5}), 1000)
    found = regress_runs.compare(old, new)
    assert [v.verdict for v in found] == ["equivalent", "inconclusive"]
    assert regress_runs.outcome(found) == "undecided"
    for name, run in (("old", old), ("new", new)):
        write(run, tmp_path / name)
    assert run_command_line(["regress", *(str(tmp_path / n) for n in ("old", "new"))]) == 3
    said = capsys.readouterr().err
    assert "2 of 2 numbers have no interval: the runs have 2,000 and 1,000 resampled sets" in said
    # Too few images for an interval have none whatever the sets.
    few, other = without_interval(8, -13)
    verdicts = [v.verdict for v in regress_runs.compare(few, fewer_sets(other, 1000))]
    assert verdicts == ["equivalent", "worse"]


def of_those_left(values: np.ndarray[Any, Any]) -> Results:
    """A run of images some of which equal their reference, so that the mean is of the others."""
    left = np.isfinite(values)
    run = study({"mine": np.where(left, values, values[left].mean())})
    held = ByImage(values={run.records[0].cell: values.astype(np.float32)})
    return replace(run, by_image=held)


@pytest.mark.parametrize("n", [8, 100])
def test_means_of_other_images_give_no_verdict_on_their_difference(n: int) -> None:
    values = np.sort(PSNR["mine@1234abcd"][:n])
    old, new = of_those_left(values), of_those_left(np.append(values[:-5], [np.inf] * 5))
    (found,) = regress_runs.compare(old, new)
    assert found.difference is not None
    assert found.difference < -0.1  # though nothing got worse
    assert (found.verdict, found.interval) == ("inconclusive", None)
    assert "of other images" in str(found.why)
    (same,) = regress_runs.compare(new, new)
    assert (same.verdict, same.why) == ("equivalent", None)


def test_what_would_be_judged_otherwise_than_asked_is_refused() -> None:
    run = study(PSNR)
    extra = replace(run.records[0], metric="ssim_y", unit="fraction")
    none = replace(extra, metric="niqe", value=None, why="too small", unit="score")
    held = rowed(replace(run, records=[*run.records, extra, none]))
    rows = {name: replace(row, is_judged=name == "psnr_y_db") for name, row in held.metrics.items()}
    held = replace(held, metrics=rows)
    for tolerances, guard, said in (
        ({"psnr_y": 0.2}, [], r"--tolerance 'psnr_y' \(did you mean psnr_y_db\?\)"),
        ({"ssim_y": 0.2}, [], "--tolerance ssim_y: it is not judged: add --guard ssim_y"),
        ({}, ["niqe"], r"--guard niqe: the old run has no value of it \(too small\)"),
        ({}, ["ap/person"], "--guard ap/person: the old run has no such number"),
    ):
        with pytest.raises(UsageError, match=said):
            regress_runs.compare(held, held, tolerances, guard)
    assert len(regress_runs.compare(held, held, {"ssim_y": 0.2}, ["ssim_y"])) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "rain12=DIR"],
        ["--weights", "prenet:rain12=FILE"],
        ["--restored", "UMRL:rain12=DIR"],
        ["--own", "median"],
        ["--layout", "paper"],
        ["--limit", "3"],
        ["--workers", "1"],
        ["--device", "cpu"],
        ["--workspace", "w"],
    ],
)
def test_options_of_printed_numbers_are_refused_beside_folders(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(study(PSNR), tmp_path / "old")
    folder = str(tmp_path / "old")
    capsys.readouterr()
    assert run_command_line(["regress", folder, folder, *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{words[0]} is of printed numbers, and" in err
    assert "names two results folders: leave it out" in err


def test_nothing_to_judge_is_no_pass() -> None:
    run = study(PSNR)
    rows = {name: replace(row, is_judged=False) for name, row in run.metrics.items()}
    with pytest.raises(UsageError, match="no number that is judged: name some with --guard"):
        regress_runs.compare(replace(run, metrics=rows), run)
    guarded = regress_runs.compare(replace(run, metrics=rows), run, guard=["psnr_y_db"])
    assert {v.verdict for v in guarded} == {"equivalent"}
