"""A run in parts, on several machines."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.image import decode, encode_png
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.runs.dry_run import survey
from harness.runs.shards import _require_all
from harness.spec import UsageError, checked
from reports.results.written import to_json


@pytest.fixture
def spec(coco_root: Path, detector_file: Path, tmp_path: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        model={"detection": (str(detector_file),)},
        workspace=str(tmp_path / "whole"),
    )


def test_parts_put_together_are_the_whole(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(spec)
    parts = [str(tmp_path / f"part-{i}") for i in range(3)]
    for i, workspace in enumerate(parts):
        part = run(spec.model_copy(update={"shard": f"{i}/3", "workspace": workspace}))
        assert {r.n for r in part.records} == {3 if i < 2 else 2}
    gathered = spec.model_copy(update={"workspace": str(tmp_path / "all")})
    words = ["gather", *parts[:2], "--workspace", gathered.workspace]
    assert run_command_line(words) == 0
    assert sum(cell.todo for cell in survey(gathered)) == 2 * 3
    words = ["gather", *parts, "--workspace", gathered.workspace]
    assert run_command_line(words) == 0
    assert sum(cell.todo for cell in survey(gathered)) == 0
    assert run(gathered).records == whole.records
    capsys.readouterr()
    assert run_command_line(words) == 0
    assert ": 0 rows of 3 workspaces are new" in capsys.readouterr().out


def test_a_report_of_all_parts_is_the_wholes(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "coco"
    shutil.copytree(str(spec.data_root), root)
    broken = root / "images" / "val2017" / "000000000007.jpg"
    broken.write_bytes(broken.read_bytes()[:900])
    file = root / "annotations" / "instances_val2017.json"
    file.write_text(file.read_text().replace('"name": "dog"', '"name": "hound"'))
    spec = spec.model_copy(update={"data_root": str(root)})
    whole = run(spec)
    assert [e.sample for e in whole.errors] == ["7"]
    parts = [tmp_path / f"part-{i}" for i in range(3)]
    for i, part in enumerate(parts):
        run(spec.model_copy(update={"shard": f"{i}/3", "workspace": str(part)}))
    before = {part: (part / "ledger.sqlite").read_bytes() for part in parts}
    where = ["--data-root", str(root), "--model", f"detection={spec.model['detection'][0]}"]
    out = ["--out", str(tmp_path / "out")]
    assert run_command_line(["report", *map(str, parts), *where, *out]) == 0
    text, text_of_whole = (tmp_path / "out" / "results.json").read_text(), to_json(whole)
    begins = ' "errors"'
    assert text[text.index(begins) :] == text_of_whole[text_of_whole.index(begins) :]
    assert {part: (part / "ledger.sqlite").read_bytes() for part in parts} == before
    said = json.loads(text)["provenance"]["data_notes"]
    assert said == list(whole.provenance.data_notes)
    assert "detection by tiny: 7 of 21 labelled objects (33%)" in said[0]
    capsys.readouterr()

    label = root / "images" / "val2017" / "000000000001.jpg"
    for words, told in (
        ([*parts[:2], *where], "missing: 2/3; run them with --shard and report all workspaces"),
        ([*parts, *where[2:]], "no such folder; give the one where the data lie"),
        ([*parts, "--run", "a", *where], "--run is of one workspace"),
        ([parts[0], spec.workspace, *where], "these are of different runs"),
    ):
        assert run_command_line(["report", *map(str, words), *out]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert err.count("\n") == 1
    label.write_bytes(label.read_bytes() + b"\0")
    assert run_command_line(["report", *map(str, parts), *where, *out]) == 2
    assert "missing: 1 of 7 images, 1 among them; repeat" in capsys.readouterr().err


def test_restored_files_are_reported_in_parts(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = Path(str(spec.data_root)) / "images" / "val2017"
    (tmp_path / "restored").mkdir()
    for file in images.glob("*.jpg"):
        image = cv2.medianBlur(decode(file.read_bytes(), file.name), 3)
        (tmp_path / "restored" / f"{file.stem}.png").write_bytes(encode_png(np.asarray(image)))
    word = f"dir:{tmp_path / 'restored'}"
    spec = spec.model_copy(update={"derainer": (word,), "task": ("none",), "model": {}})
    whole = run(spec)
    parts = [str(tmp_path / f"part-{i}") for i in range(2)]
    for i, part in enumerate(parts):
        run(spec.model_copy(update={"shard": f"{i}/2", "workspace": part}))
    where = ["--data-root", str(spec.data_root), "--derainer", word]
    assert run_command_line(["report", *parts, *where, "--out", str(tmp_path / "out")]) == 0
    told = json.loads((tmp_path / "out" / "results.json").read_text())["records"]
    assert [r["value"] for r in told] == [r.value for r in whole.records]
    (tmp_path / "restored" / "000000000001.png").write_bytes(
        encode_png(np.zeros((9, 9, 3), np.uint8))
    )
    assert sum(cell.todo for cell in survey(spec)) == 1


def test_parts_of_two_devices_are_told_apart(spec: RunSpec, tmp_path: Path) -> None:
    spec = spec.model_copy(update={"task": ("none",), "model": {}})
    parts = [
        run(spec.model_copy(update={"shard": f"{i}/2", "workspace": str(tmp_path / f"part-{i}")}))
        for i in range(2)
    ]
    other = replace(parts[1].provenance, device="cuda")
    with pytest.raises(UsageError, match="the parts were computed on cpu and on cuda, which give"):
        _require_all([parts[0], replace(parts[1], provenance=other)])


def test_parts_that_ask_to_run_code_are_refused(
    spec: RunSpec,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "own.py").write_text("from torch.nn import Identity as own\n")
    word = f"{tmp_path}/own.py:own"
    spec = spec.model_copy(update={"derainer": (word,), "task": ("none",), "model": {}})
    parts = [str(tmp_path / f"part-{i}") for i in range(2)]
    for i, part in enumerate(parts):
        run(spec.model_copy(update={"shard": f"{i}/2", "workspace": part}))
    words = ["report", *parts, "--data-root", str(spec.data_root), "--out", str(tmp_path / "out")]
    assert run_command_line(words) == 2
    said = "asks to run code, own.py:own (not here): type it with the folders of its files, "
    assert f"{said}--derainer own.py:own, if you trust it" in capsys.readouterr().err
    assert run_command_line([*words, "--derainer", word]) == 0
    monkeypatch.chdir(tmp_path)
    assert run_command_line([*words, "--allow-code", "own.py:own"]) == 0


def test_parts_made_by_other_sources_are_refused(
    spec: RunSpec,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = spec.model_copy(update={"task": ("none",), "model": {}})
    parts = [str(tmp_path / f"part-{i}") for i in range(2)]
    for i, part in enumerate(parts):
        run(spec.model_copy(update={"shard": f"{i}/2", "workspace": part}))
    words = ["report", *parts, "--data-root", str(spec.data_root), "--out", str(tmp_path / "out")]
    assert run_command_line(words) == 0
    monkeypatch.setattr("harness.plan.stages.code_of", lambda *_: "another")
    capsys.readouterr()
    assert run_command_line(words) == 2
    assert "here is sources another: report where the same" in capsys.readouterr().err


def test_wrong_parts_are_one_line(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("3", "1/0", "-1/2", "a/b", "1/2/3"):
        with pytest.raises(UsageError, match="--shard: String should match"):
            checked(shard=word)
    for word in ("2/2", "0/9"):
        with pytest.raises(UsageError, match="of 8 images there are at most as many parts"):
            run(spec.model_copy(update={"shard": word}))
    assert run_command_line(["gather", str(tmp_path), "--workspace", str(tmp_path / "x")]) == 2
    assert "no ledger there" in capsys.readouterr().err
    assert run_command_line(["gather", str(tmp_path), "--workspace", str(tmp_path)]) == 2
    assert "one of those to gather from" in capsys.readouterr().err
