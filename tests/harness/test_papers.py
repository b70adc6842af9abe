"""Printed numbers and baselines: what is reproduced, what differs, what alarms."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch

from derainers import DERAINERS
from derainers.derainer import Derainer
from harness import RunSpec
from harness.checks import papers
from harness.checks.paper_inputs import Given, Input, given_of, needed, require_used, set_of
from harness.checks.papers import judge, regress, select
from harness.cli.main import run_command_line
from harness.spec import UsageError
from reports.papers.reading import FOLDER, read_claims

PRENET = "baselines:prenet"


def claim(**changes: Any) -> Any:
    found = next(
        c
        for c in select([PRENET])
        if (c.derainer, c.dataset, c.metric) == ("prenet", "rain100l", "psnr_y_db@prenet")
    )
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("measured", "n", "ci", "verdict"),
    [
        (37.464, 100, None, "reproduced"),
        (37.53, 100, (37.0, 38.0), "reproduced"),
        (37.54, 100, None, "differs"),
        (37.48, 40, (37.47, 37.50), "inconclusive"),
        (37.48, 40, (37.2, 37.7), "inconclusive"),
        (36.0, 40, (35.5, 36.5), "differs"),
        (37.48, 5, None, "inconclusive"),
    ],
)
def test_the_interval_decides(
    measured: float, n: int, ci: tuple[float, float] | None, verdict: str
) -> None:
    found = judge(claim(), measured, n, ci)
    assert found.verdict == verdict
    assert found.difference == pytest.approx(measured - 37.48)
    assert found.alarms == (verdict == "differs")
    assert not judge(claim(differs="known"), measured, n, ci).alarms


def test_a_truncated_print_holds_upwards_alone() -> None:
    cut = claim(tolerance=(0.0, 0.01))
    assert [judge(cut, v, 100, None).verdict for v in (37.479, 37.4813, 37.491)] == [
        "differs",
        "reproduced",
        "differs",
    ]


def test_parameters_are_counted() -> None:
    found = regress(select(["mspfn:2", "mspfn:3"]), Given({}, {}, RunSpec()))
    counted = {f.claim.column: f for f in found.claims if f.claim.metric == "parameters"}
    table_3 = [f for name, f in counted.items() if name.startswith("MSPFN_")]
    assert len(table_3) == 7
    assert {f.verdict for f in table_3} == {"reproduced"}
    assert {n: counted[n].verdict for n in ("Model1", "Model2", "Model3", "Model4", "Model5")} == {
        "Model1": "differs",
        "Model2": "differs",
        "Model3": "differs",
        "Model4": "cannot-run",
        "Model5": "differs",
    }
    assert counted["Model2"].measured == pytest.approx(11.65, abs=0.001)
    assert found.alarms == []
    assert all(f.reason for f in found.claims if f.verdict in ("cannot-run", "differs"))


def test_every_claim_has_a_verdict_and_what_is_missing() -> None:
    everything = select(["papers"])
    found = regress([c for c in everything if c.metric != "parameters"], Given({}, {}, RunSpec()))
    assert len(found.claims) == len(everything) - 14
    assert {f.verdict for f in found.claims} == {"cannot-run"}
    assert all(f.reason for f in found.claims)
    reasons = {f.reason for f in found.claims if f.claim.paper == "baselines"}
    assert any(
        "fetch prenet-rain100l" in str(r) and "--data rain100l=DIR" in str(r) for r in reasons
    )
    assert len(found.ordinal) > 800


def test_a_part_of_the_images_reproduces_nothing() -> None:
    found = judge(claim(), 37.48, 40, (37.47, 37.50))
    assert found.reason is not None
    assert found.reason.startswith("40 of 100 images: the interval is within the tolerance")
    wide = judge(claim(), 37.48, 40, (37.2, 37.7))
    assert wide.reason == "40 of 100 images: the interval is wider than the tolerance"


def test_an_order_is_not_reproduced_on_a_part_of_the_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(24):
        clean = rng.integers(0, 255, (8, 10, 3), np.uint8)
        made = {"input": rng.integers(0, 255, clean.shape, np.uint8), "target": clean}
        made |= {"near/Rain800": clean // 8 * 8, "far/Rain800": clean // 64 * 64}
        for kind, image in made.items():
            (tmp_path / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / kind / f"{i}.png"), image)
    data = tmp_path / "data"
    data.mkdir()
    for kind in ("input", "target"):
        (tmp_path / kind).rename(data / kind)
    chosen = [c for c in select(["later:rain13k"]) if c.metric == "psnr_y_db"]
    better, worse = sorted({c.method: c for c in chosen}.values(), key=lambda c: -c.value)
    assert better.dataset == worse.dataset
    folders = {better.method: "near/Rain800", worse.method: "far/Rain800"}  # METHOD/SET
    for images, verdict in ((24, "reproduced"), (100, "inconclusive")):
        two = [
            replace(c, dataset="rain800", split=f"test-{images}", trained_on="x", cannot_run=None)
            for c in (better, worse)
        ]
        spec = RunSpec(workspace=str(tmp_path / "ws"), limit=24)
        restored = [f"{c.method}:rain800={tmp_path / folders[c.method]}" for c in two]
        found = regress(two, given_of([f"rain800={data}"], [], spec, None, restored))
        assert [o.verdict for o in found.ordinal] == [verdict]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(4):
        for kind in ("input", "target"):
            (tmp_path / "pairs" / kind).mkdir(parents=True, exist_ok=True)
            image = rng.integers(0, 255, (32, 40, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "pairs" / kind / f"{i}.png"), image)
    return tmp_path / "pairs"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """PReNet as it is before training."""
    torch.manual_seed(0)
    built = DERAINERS["prenet"].build(None)
    assert isinstance(built, Derainer)
    torch.save(built.module.state_dict(), tmp_path / "prenet.pth")
    return tmp_path / "prenet.pth"


def test_what_is_there_is_run(pairs: Path, weights: Path, tmp_path: Path) -> None:
    claims = [c for c in select([PRENET]) if (c.derainer, c.dataset) == ("prenet", "rain100l")]
    words = [f"rain100l={pairs}"], [f"prenet:rain100l={weights}"]
    spec = RunSpec(workspace=str(tmp_path / "ws"))
    found = regress(claims, given_of(*words, spec, None))
    assert {f.verdict for f in found.claims} == {"cannot-run"}
    assert {f.reason for f in found.claims} == {"pairs holds 4 pairs, the print is of 100"}
    part = spec.model_copy(update={"limit": 3})
    found = regress(claims, given_of(*words, part, None))
    assert {f.verdict for f in found.claims} == {"inconclusive"}
    assert all(f.n == 3 and f.measured is not None for f in found.claims)
    # A folder of more images than the print's is of others, whatever is measured of them.
    fewer = [replace(c, split="test-2") for c in claims]
    found = regress(fewer, given_of(*words, part, None))
    assert {f.reason for f in found.claims} == {"pairs holds 4 pairs, the print is of 2"}
    assert not any(f.measured for f in found.claims)


def test_named_weights_and_restored_images_are_judged_by_print(
    pairs: Path, weights: Path, tmp_path: Path
) -> None:
    spec = RunSpec(workspace=str(tmp_path / "ws"), limit=3)
    chosen = [
        c
        for c in select(["mspfn:4", "mspfn:6"])
        if c.dataset in ("rain100h", "coco350") and c.metric in ("psnr_y_db", "ssim_y")
    ]
    data = [f"rain100h={pairs}", f"coco350={pairs}"]
    # What fetch knows of PReNet is not the PReNet that MSPFN's authors trained.
    known = replace(given_of(data, [], spec, None), weights={("prenet", "rain100h"): weights})
    named = given_of(
        data, [f"prenet:rain100h={weights}"], spec, None, [f"UMRL:rain100h={pairs / 'target'}"]
    )
    for held, measured in (
        (known, {("rainy input", "coco350")}),
        (named, {("rainy input", "coco350"), ("PReNet", "rain100h"), ("UMRL", "rain100h")}),
    ):
        found = regress(chosen, held).claims
        done = {(f.claim.method, f.claim.dataset) for f in found if f.verdict == "inconclusive"}
        assert done == measured
        assert all(f.reason for f in found if f.verdict == "cannot-run")


def test_photographs_without_clean_ones_are_judged_by_their_own_print(
    weights: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for kind in ("rid", "restored"):
        (tmp_path / kind).mkdir()
        picture = cv2.resize(rng.integers(0, 255, (40, 40, 3), np.uint8), (200, 200))
        cv2.imwrite(str(tmp_path / kind / "a.png"), picture)
    spec = RunSpec(workspace=str(tmp_path / "ws"))
    chosen = [c for c in select(["mspfn:5"]) if (c.dataset, c.metric) == ("rid", "niqe")]
    data, files = [f"rid={tmp_path / 'rid'}"], [f"prenet:rid={weights}"]
    images = [f"UMRL:rid={tmp_path / 'restored'}"]
    held = given_of(data, files, spec, None, images)
    require_used(chosen, held, held.data)
    found = {f.claim.method: f for f in regress(chosen, held).claims}
    assert found["PReNet"].measured is None
    assert found["PReNet"].reason == "rid holds 1 photographs, the print is of 2495"
    part = replace(held, spec=spec.model_copy(update={"limit": 1}), weights={}, named=frozenset())
    measured = {f.claim.method for f in regress(chosen, part).claims if f.measured is not None}
    assert measured == {"UMRL"}
    (of, *_) = [c for c in chosen if c.method == "PReNet"]
    missing = str(needed(of, given_of([], files, spec, None)))
    assert missing.startswith("the 2495 photographs of rid (https://github.com/panda-lab/")


def test_outputs_inside_a_network_are_judged_by_their_own_print(
    pairs: Path, tmp_path: Path
) -> None:
    spec = RunSpec(workspace=str(tmp_path / "ws"), limit=2)
    file = DERAINERS["granet"].weights
    held = given_of([f"rain100h={pairs}"], [f"granet:rain100h={file}"], spec, None)
    chosen = [c for c in select(["granet"]) if c.dataset == "rain100h" and c.table in ("1", "3")]
    chosen = [c for c in chosen if (c.derainer or "").startswith("granet")]
    found = regress(chosen, held).claims
    assert {(f.claim.derainer, f.claim.metric.partition("@")[0]) for f in found} == {
        (name, metric)
        for name in ("granet", "granet/coarse", "granet/mask")
        for metric in ("psnr_y_db", "ssim_y")
    }
    assert {(f.verdict, f.n) for f in found} == {("inconclusive", 2)}
    assert len({f.measured for f in found}) == 6


def test_what_serves_no_chosen_number_is_refused(pairs: Path, weights: Path) -> None:
    claims = select(["mspfn:4"])
    for data, files, images, said in (
        (
            [f"rain12={pairs}"],
            [],
            [],
            "--data rain12: no chosen number is of it; they are of rain1",
        ),
        ([], [f"granet:rain100h={weights}"], [], "--weights granet:rain100h: no chosen number"),
        ([], [], [f"UMR:rain100h={pairs}"], "unknown method in --restored 'umr'.*umrl"),
        ([], [], [f"UMRL:bdd350={pairs}"], "--restored umrl:bdd350: no chosen number"),
    ):
        held = given_of(data, files, RunSpec(), None, images)
        with pytest.raises(UsageError, match=said):
            require_used(claims, held, [word.partition("=")[0] for word in data])
    with pytest.raises(UsageError, match="expected METHOD:DATASET=DIR"):
        given_of([], [], RunSpec(), None, ["UMRL:rain100h=nowhere"])


def test_rain12_is_measured_with_the_weights_of_rain100l(pairs: Path, weights: Path) -> None:
    (of, *_) = [c for c in select([PRENET]) if (c.derainer, c.dataset) == ("prenet", "rain12")]
    held = Given({"rain12": pairs}, {("prenet", "rain100l"): weights}, RunSpec())
    assert needed(of, held) == Input(f"prenet@{weights}", weights)
    missing = str(needed(of, Given({}, {}, RunSpec())))
    assert "the 12 pairs of rain12" in missing
    assert "fetch prenet-rain100l" in missing


def test_what_changes_no_weights_takes_those_of_its_row(pairs: Path, weights: Path) -> None:
    chosen = [c for c in select(["granet:1"]) if c.derainer == "nledn:sides=odd"]
    assert {c.dataset for c in chosen} == {"rain100h"}
    for word in ("nledn", "nledn:sides=odd"):
        held = given_of([f"rain100h={pairs}"], [f"{word}:rain100h={weights}"], RunSpec(), None)
        require_used(chosen, held, held.data)
        found = {needed(c, held) for c in chosen}
        assert found == {Input(f"nledn:sides=odd@{weights}", weights)}
    assert "fetch nledn-rain100h" in str(needed(chosen[0], Given({}, {}, RunSpec())))


def test_sets_have_the_names_that_the_field_gives_them(pairs: Path, weights: Path) -> None:
    assert given_of([f"test2800={pairs}"], [], RunSpec(), None).data == {"rain14000": pairs}
    (of, *_) = [c for c in select(["dcsfn:1"]) if (c.derainer, c.dataset) == ("prenet", "rain100h")]
    assert of.split == "test-200"
    both = [f"rain100h={pairs.parent}", f"rain200h={pairs}"]
    named = [f"prenet:rain200h={weights}", f"prenet:rain1400={weights}"]
    held = given_of(both, named, RunSpec(), None)
    assert needed(of, held) == Input(f"prenet@{weights}", weights)
    assert set_of(of, held.data) == "rain200h"
    with pytest.raises(UsageError, match="--weights prenet:rain14000: no chosen number"):
        require_used(select(["dcsfn:1"]), held, ["rain200h"])
    with pytest.raises(UsageError, match="--data rain200h: no chosen number is of it"):
        require_used(select(["mspfn:4"]), held, ["rain200h"])


def test_a_row_of_ones_own_stands_below_the_table(
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DERAIN_HARNESS_DATA", raising=False)
    words = ["regress", "later:rain13k", "--own", "median", "--limit", "2"]
    words += ["--workspace", str(tmp_path / "ws"), "--data", f"test100={pairs}"]
    assert run_command_line(words) == 2
    assert "--own is a row of a table" in capsys.readouterr().err
    assert run_command_line([*words, "--layout", "paper"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells[0] == "median"
    assert 0 < float(cells[1]) < 60
    assert 0 < float(cells[2]) < 1
    assert set(cells[3:]) == {"-"}
    assert run_command_line(["regress", "--suite", "rain13k", *words[2:]]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert last in rows
    named = [row.split("|")[1].strip() for row in rows if row.startswith("|")]
    assert [n for n in named if n.strip("- ")] == [
        "MPRNet",
        "SPAIR",
        "median",
        "Restormer",
        "median",
    ]
    assert run_command_line(["regress", "later", "--suite", "rain13k"]) == 2
    assert run_command_line(["regress"]) == 2
    capsys.readouterr()
    assert run_command_line([*words[:4], "--layout", "paper"]) == 2
    assert "no chosen number is of images that are given" in capsys.readouterr().err


@pytest.mark.parametrize("table", ["baselines:prenet", "mspfn:2", "baselines", "papers"])
def test_a_row_of_ones_own_is_refused_where_columns_are_no_sets(
    table: str,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DERAIN_HARNESS_DATA", raising=False)
    words = ["regress", table, "--own", "median", "--layout", "paper", "--limit", "2"]
    words += ["--workspace", str(tmp_path / "ws")]
    words += ["--data", f"{'rain800' if table == 'mspfn:2' else 'rain100h'}={pairs}"]
    assert run_command_line(words) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "has no columns of one set and metric each" in shown.err
    fit = "choose among mspfn:4, hrrsr:2, later:rain13k, later:mmagic"
    assert shown.err.strip().endswith(fit)
    assert not (tmp_path / "ws").exists()


def test_words_that_name_nothing_are_one_line(tmp_path: Path) -> None:
    for data, files, said in (
        (["rain100l=nowhere"], [], "--data rain100l=nowhere: no such folder"),
        (["rain1=x"], [], "unknown data set in --data 'rain1'"),
        ([], ["prenet=x"], "--weights prenet=x: expected DERAINER:DATASET=FILE"),
    ):
        with pytest.raises(UsageError, match=said):
            given_of(data, files, RunSpec(), tmp_path)
    with pytest.raises(UsageError, match="unknown paper 'rescan'"):
        select(["rescan"])
    with pytest.raises(UsageError, match="unknown table of mspfn '9'"):
        select(["mspfn:9"])


def test_a_changed_print_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FOLDER, tmp_path / "papers")
    file = tmp_path / "papers" / "mspfn.yaml"
    text = file.read_text(encoding="utf-8")
    assert run_command_line(["regress", "mspfn:3", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)["claims"]
    assert sum(c["verdict"] == "reproduced" for c in judged) == 7
    file.write_text(text.replace("| 21.81 ", "| 22.81 "), encoding="utf-8")
    monkeypatch.setattr(papers, "read_claims", partial(read_claims, folder=tmp_path / "papers"))
    junit = tmp_path / "junit.xml"
    assert run_command_line(["regress", "mspfn:3", "--junit", str(junit)]) == 1
    shown = capsys.readouterr()
    assert "differs: mspfn:3 Par. (Millions) | MSPFN_M30N1" in shown.err
    assert "7 numbers" not in shown.out
    root = ElementTree.parse(junit).getroot()
    assert (root.get("tests"), root.get("failures")) == ("28", "1")
    file.write_text(text.replace("metric: psnr_y_db", "metrik: psnr_y_db", 1), encoding="utf-8")
    assert run_command_line(["regress", "mspfn:3"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
