"""What the command line says: bad input in one line, quick help, no host looked up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from command import QUIET, ROOT, finish, start, words

from datasets.image import encode_png
from derainers import DERAINERS
from derainers.published import PUBLISHED
from harness import run
from harness.cli.main import run_command_line
from harness.cli.run import GROUPS
from harness.machine import rooms
from harness.machine.about import version
from harness.spec import RunSpec, UsageError, checked


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def broken(root: Path, content: str) -> str:
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_a.json").write_text(content)
    return str(root)


def without_photographs(root: Path) -> str:
    image = {"id": 1, "file_name": "b.jpg", "width": 9, "height": 9}
    (root / "a").mkdir()
    return broken(root, json.dumps({"images": [image], "annotations": [], "categories": []}))


def saved(root: Path, name: str, content: object) -> str:
    torch.save(content, root / name)
    return str(root / name)


BAD: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "derainer": (
        lambda _: ["--derainer", "granett"],
        "unknown derainer 'granett' (did you mean granet?): known are identity, median, ",
    ),
    "rain": (
        lambda _: ["--rain", "acid"],
        "unknown rain 'acid': known are photoshop-light, photoshop-medium, photoshop-heavy, ",
    ),
    "rain's key": (
        lambda _: ["--rain", "physical:rate=1"],
        "physical has no parameter 'rate' (did you mean rate_mm_h?): known are rate_mm_h, ",
    ),
    "rain's range": (
        lambda _: ["--rain", "physical:rate_mm_h=-1/5"],
        "rate_mm_h=-1.0: must lie in [0, 300]",
    ),
    "dataset": (
        lambda _: ["--dataset", "kitti"],
        "unknown data set 'kitti': known are streetsim, coco",
    ),
    "given": (lambda _: ["--rain", "given,none"], "data set coco brings no rainy images"),
    "pair": (lambda _: ["--pair", "wet"], "wet not found: name the folder of the rainy images"),
    "where": (lambda _: ["--where", "weather=wet"], "no image has 'weather': known are none"),
    "protocol": (lambda _: ["--protocol", "matlab"], "unknown protocol 'matlab': choose among"),
    "published": (
        lambda _: ["--derainer", "prenet-r"],
        "derainer prenet-r comes without weights: get the authors' from https://",
    ),
    "unpublished": (
        lambda _: ["--derainer", "mspfn:m=13"],
        "derainer mspfn:m=13 comes without weights: none are public; give some as mspfn:m=13@FILE",
    ),
    "task": (
        lambda _: ["--task", "driving"],
        "unknown task 'driving': known are detection, instance, semantic, none",
    ),
    "quality": (lambda _: ["--quality", "psrn"], "unknown quality metric 'psrn'"),
    "data root": (lambda p: ["--data-root", str(p / "nowhere")], "nowhere: no such folder"),
    "empty root": (lambda p: ["--data-root", str(p)], "no annotations/instances_*.json there"),
    "split": (lambda _: ["--split", "test"], "one of its splits with --split (found: val2017)"),
    "not JSON": (lambda p: ["--data-root", broken(p, "{")], "instances_a.json: not a JSON file"),
    "key": (
        lambda p: ["--data-root", broken(p, '{"images": [], "annotations": []}')],
        "instances_a.json: the key 'categories' is missing",
    ),
    "absent image": (
        lambda p: ["--data-root", without_photographs(p)],
        "instances_a.json: image 1 names b.jpg, which is not in",
    ),
    "limit": (lambda _: ["--limit", "0"], "--limit: Input should be greater than or equal to 1"),
    "weights": (lambda _: ["--derainer", "granet@none.pth"], "weight file none.pth not found"),
    "no weights": (lambda _: ["--derainer", "median@a.pth"], "derainer median has no weights"),
    "architecture": (
        lambda p: ["--derainer", "granet@" + saved(p, "a.pth", {"conv.weight": torch.zeros(1)})],
        "a.pth holds the weights of another network than GraNet: the network wants "
        "coarse_stem.weight (64, 3, 3, 3), the file has conv.weight (1,): make the network as",
    ),
    "pickle": (
        lambda p: ["--derainer", "granet@" + saved(p, "a.pth", {"state_dict": Evil()})],
        "a.pth: refused, it is not plain weights",
    ),
    "model": (lambda _: ["--model", "detection=none.pt"], "detection=none.pt: no such file"),
    "model name": (
        lambda _: ["--model", "detection=yolov9x"],
        "detection network yolov9x.pt not found: get it from https://",
    ),
    "model form": (lambda _: ["--model", "yolo.pt"], "expected TASK=FILE"),
    "model weights": (
        lambda _: ["--model", "detection=fasterrcnn_resnet50_fpn"],
        "give its weights, detection=fasterrcnn_resnet50_fpn@FILE",
    ),
    "model's task": (
        lambda p: ["--model", "detection=refinenet@" + saved(p, "a.pth", {})],
        "refinenet is for semantic: for detection there are ultralytics, yolo, ",
    ),
    "model's kind": (
        lambda p: ["--model", "detection=" + saved(p, "a.pth", {})],
        "detection=a.pth: a file alone is .pt or .onnx; else say what it is, NAME@FILE: ultralytic",
    ),
    "model not installed": (
        lambda p: ["--model", "detection=faster_rcnn_R_50_FPN_3x@" + saved(p, "a.pkl", {})],
        "detectron2 is not installed: see https://detectron2.readthedocs.io/",
    ),
    "model of own": (
        lambda _: ["--model", "detection=mine.py:build"],
        "mine.py not found: give FILE.py:FACTORY",
    ),
    "model family": (
        lambda p: ["--model", "detection=fcos_resnet50@" + saved(p, "a.pth", {})],
        "detection=fcos_resnet50: unknown network for detection 'fcos_resnet50' (did you mean "
        "fcos_resnet50_fpn?): known are ultralytics, yolo, ",
    ),
    "model family's forms": (
        lambda p: ["--model", "detection=mmdet@" + saved(p, "a.pth", {})],
        "FILE.py:FACTORY[@WEIGHTS], MODULE:FACTORY, FILE.onnx, torchscript:FILE, "
        "transformers:FOLDER, detectron2@CONFIG.yaml@WEIGHTS; what runs elsewhere is scored from "
        "its files: score --task detection --predictions",
    ),
    "model alone": (lambda _: ["--model", "detection=ssd"], "unknown network for detection 'ssd'"),
    "model size": (lambda _: ["--model", "detection=yolov8n,imgsz=x"], "expected imgsz=N, 32 to"),
    "model folder": (lambda _: ["--model", "detection=transformers:no"], "no such folder"),
    "model configuration": (
        lambda p: ["--model", "detection=detectron2@" + saved(p, "a.pth", {})],
        "give its weights, detection=detectron2@CONFIG.yaml@WEIGHTS",
    ),
    "no network": (
        lambda _: ["--task", "semantic"],
        "--task semantic needs a network: give --model semantic=FILE or NAME@FILE",
    ),
    "instance's kind": (
        lambda _: ["--task", "instance", "--model", f"instance={__file__}"],
        "a file alone is .pt",
    ),
    "model pickle": (
        lambda p: ["--model", "detection=" + saved(p, "a.pt", {"model": Evil()})],
        "a.pt: refused",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_with_the_remedy(
    case: str,
    tmp_path: Path,
    coco_root: Path,
    detector_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DERAIN_HARNESS_DATA", raising=False)
    make, says = BAD[case]
    command = words(coco_root, detector_file, tmp_path / "runs", *make(tmp_path))
    assert run_command_line(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert says in err
    assert not Path("owned").exists()


def test_a_folder_of_what_is_one_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["run", "--data-root", str(tmp_path)]) == 2
    assert "name the data set there with --dataset: streetsim, " in capsys.readouterr().err


def test_without_data_the_scenes_that_need_none() -> None:
    assert checked().dataset == RunSpec().dataset == "streetsim"
    assert checked(data_root="photos").dataset is None
    assert checked(dataset="coco").dataset == "coco"


def test_unknown_keys_of_a_spec_are_errors() -> None:
    with pytest.raises(UsageError, match="unknown field 'colour': known are dataset, "):
        checked(colour="red")
    spec = RunSpec(rain="none", derainer=["granet"])  # type: ignore[arg-type]
    assert (spec.rain, spec.derainer) == (("none",), ("granet",))
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_every_field_of_a_spec_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command_line(["run", "--help"])
    shown = capsys.readouterr().out
    for name in RunSpec.model_fields:
        assert "--" + name.replace("_", "-") in shown


def test_lists_are_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", "derainers", "--json"]) == 0
    rows = {row["derainer"]: row for row in json.loads(capsys.readouterr().out)}
    assert [*rows] == [*DERAINERS, *PUBLISHED]
    assert rows["granet"] == {
        "derainer": "granet",
        "weights": "in the package",
        "parameters": 1_009_455,
        "MB": 2.0,
        "gain on its rains [dB]": 9.52,
        "learned from": [
            *("bsds500/train", "bsds500/val", "additive", "outdoor-rain", "photoshop")
        ],
        "terms": "BSDS500: non-commercial research and education",
    }
    assert rows["median"]["weights"] == "needs none"
    assert rows["dcsfn-paper"]["weights"] == "dcsfn-paper@FILE"
    assert rows["vrgnet-rain100l"]["weights"] == "python -m harness fetch vrgnet-rain100l"
    assert run_command_line(["list", "models"]) == 0
    out = capsys.readouterr().out
    assert "maskrcnn_resnet50_fpn" in out
    assert "detectron2 is not installed" in " ".join(out.replace("│", " ").split())
    assert run_command_line(["list", "papers", "--json"]) == 0
    mspfn = {"paper": "mspfn", "table": "1", "cells": 21, "caption": "Dataset description"}
    assert mspfn in json.loads(capsys.readouterr().out)
    for table in ("datasets", "rains", "tasks", "models", "metrics", "papers"):
        assert run_command_line(["list", table]) == 0
        assert capsys.readouterr().out
        assert run_command_line(["list", table, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert all(row.keys() == listed[0].keys() for row in listed)
        assert all(value for row in listed for value in [*row.values()][:1])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("rnu", "error: VERB: unknown 'rnu' (did you mean run?): known are run, report,"),
        ("run --derainr x", "error: unknown --derainr (did you mean --derainer?); derain-harness"),
        ("run --seeed=3 --out x", "error: unknown --seeed (did you mean --seed?)"),
        ("list rainz", "error: table: unknown 'rainz' (did you mean rains?)"),
        ("run --dtype fp8", "error: --dtype: unknown 'fp8': known are fp32, bf16, fp16;"),
        ("run --limit x", "error: --limit: invalid int value: 'x'; derain-harness run --help"),
        ("list rains --workspace x", "error: --workspace belongs to list runs"),
        (
            "list runs --workspace gone",
            "error: gone: no ledger there: give the --workspace of a run",
        ),
    ],
)
def test_a_slip_is_one_line_with_what_was_meant(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        sys.exit(run_command_line(words.split()))
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(says)
    assert told.count("\n") == 1


def test_every_field_of_a_spec_stands_in_one_group_of_the_help() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(
        RunSpec.model_fields
    )


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command_line(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"derain-harness {version('derain-harness')}\n"


def test_finished_runs_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(encode_png(np.full((40, 50, 3), 90, np.uint8)))
    spec = RunSpec(
        dataset="folder",
        data_root=str(tmp_path / "photos"),
        derainer=("identity",),
        task=("none",),
        workspace=str(tmp_path / "ws"),
    )
    results = run(spec)
    words = ["list", "runs", "--workspace", spec.workspace, "--json"]
    assert run_command_line(words) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert results.run.startswith(row.pop("run"))
    assert row.pop("finished") == results.provenance.finished
    assert row == {
        "data set": "folder",
        "images": 1,
        "rains": ["none", "real-like"],
        "derainers": ["identity"],
        "tasks": ["none"],
    }


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import atexit, sys\n"
        "heavy = 'torch numpy cv2 pandas matplotlib ultralytics pycocotools rich'.split()\n"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules]))"
    )
    status, out, _ = finish(start("--help", code=code))
    assert status == 0
    assert out.endswith("[]\n")


def test_no_host_is_looked_up_and_no_socket_opened(
    coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    code = QUIET + (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit(f'network: {a}')\n"
        "socket.socket.connect = socket.socket.connect_ex = refuse\n"
        "socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse\n"
        "socket.socket.bind = socket.socket.sendto = refuse"
    )
    more = ("--out", str(tmp_path / "out"), "--limit", "2", "--derainer", "granet")
    command = words(coco_root, detector_file, tmp_path / "runs", *more)
    status, _, err = finish(start(*command, code=code, cwd=tmp_path))
    assert (status, err) == (0, "")
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_users_files_of_our_names_do_not_hide_us(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("raise SystemExit('the wrong tasks')")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("raise SystemExit('the wrong datasets')")
    status, out, err = finish(start("list", "tasks", cwd=tmp_path, fresh=True))
    assert (status, err) == (0, "")
    assert "detection" in out


def test_where_a_file_hides_us_all_the_same_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    status, _, err = finish(start("list", "tasks", code=code, cwd=ROOT))
    assert status == 2
    assert "rename that file or folder" in err


def test_the_other_package_in_one_folder_with_ours_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an installer lays both: the folder `datasets` holds files of each."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    monkeypatch.setattr(rooms, "HOME", tmp_path)
    monkeypatch.setattr(rooms, "ROOMS", ("datasets",))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "datasets")
    assert rooms.foreign_room() is None
    (tmp_path / "datasets-5.2.0.dist-info").mkdir()
    assert "another package called datasets (Hugging Face's)" in str(rooms.foreign_room())


def test_the_other_package_of_a_name_of_ours_is_told_with_the_remedy(tmp_path: Path) -> None:
    other = tmp_path / "site-packages" / "datasets"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(other.parent)!r})"
    for verb in (("list", "tasks"), ("doctor",)):
        status, _, err = finish(start(*verb, code=code, cwd=ROOT))
        assert status == 2
        assert "another package called datasets (Hugging Face's) is installed here" in err
        assert "cannot share an environment: python3 -m venv .venv && " in err
        assert err.count("\n") == 1
    script = f"{code}\nfrom harness import run\nrun(task='none')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1].startswith("harness.spec.UsageError: another package")
