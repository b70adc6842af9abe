"""A results folder is believed only if its images come out again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from signed import sign

from harness import RunSpec, run
from harness.checks.verify import verify
from harness.cli.main import run_command_line
from harness.plan.foreign_specs import spec_here
from harness.spec import UsageError


@pytest.fixture(scope="module")
def honest(coco_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what came out."""
    workspace = tmp_path_factory.mktemp("honest")
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        workspace=str(workspace),
        out=str(workspace / "out"),
    )
    run(spec)
    return workspace / "out"


@pytest.fixture
def folder(honest: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(honest, tmp_path / "out"))


def test_what_came_out_comes_out_again(
    folder: Path, coco_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = verify(folder, {"data_root": str(coco_root)}, 3)
    assert [(c.rain, c.derainer) for c in checks] == [
        ("none", "identity"),
        ("real-like", "identity"),
        ("real-like", "median"),
    ]
    assert all(c.images == c.same_pixels == 3 and c.holds for c in checks)
    assert all(set(c.largest.values()) == {0.0} for c in checks)
    words = ["verify", str(folder), "--data-root", str(coco_root)]
    assert run_command_line([*words, "--all"]) == 0
    assert "8 of 8" in capsys.readouterr().out


def test_invented_numbers_are_noticed(
    folder: Path, coco_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *lines = (folder / "images.csv").read_text().splitlines()
    place = head.split(",").index("quality/psnr_y_db")
    for i, line in enumerate(lines):
        cells = line.split(",")
        if cells[3] == "median":
            cells[place] = f"{float(cells[place]) + 0.5:.6g}"
            lines[i] = ",".join(cells)
    (folder / "images.csv").write_text("\n".join([head, *lines]) + "\n")
    with pytest.raises(UsageError, match=r"images\.csv is not the file that results\.json names"):
        verify(folder, {"data_root": str(coco_root)})
    sign(folder)
    words = ["verify", str(folder), "--data-root", str(coco_root), "--images", "2"]
    assert run_command_line(words) == 1
    assert "quality/psnr_y_db" in "".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("task", "metric"), [("quality", "psnr_y_db"), ("robustness", "worse/psnr_y_db")]
)
def test_a_number_of_the_set_must_follow_from_those_of_its_images(
    task: str, metric: str, folder: Path, coco_root: Path
) -> None:
    content = json.loads((folder / "results.json").read_text())
    forged = [r for r in content["records"] if (r["task"], r["metric"]) == (task, metric)]
    forged[-1]["value"] -= 0.125
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=rf"^{metric} of median under real-like is .* give "):
        verify(folder, {"data_root": str(coco_root)}, 2)


CODE = "from torch import nn\ndef build():\n    return nn.Conv2d(3, 3, 1)\n"


@pytest.mark.parametrize("place", [".", "sub"])
def test_own_code_is_verified_by_the_remedy_of_its_refusal(
    place: str,
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(CODE)
    Path(place).mkdir(exist_ok=True)
    state = {"weight": torch.eye(3).reshape(3, 3, 1, 1) / 2, "bias": torch.zeros(3)}
    torch.save(state, f"{place}/w.pth")
    data = ["--data-root", str(coco_root)]
    own = f"nets.py:build@{place}/w.pth"
    words = ["--derainer", f"mine={own},median", "--task", "none", "--out", "after"]
    words += ["--dataset", "coco", *data, "--limit", "2", "--workspace", "w", "--quality", "psnr"]
    assert run_command_line(["run", *words]) == 0
    capsys.readouterr()
    assert run_command_line(["verify", "after", *data]) == 2
    err = capsys.readouterr().err
    rows = "mine=nets.py:build@w.pth,median"
    assert f" its files, --derainer {rows}" in err
    assert ("--allow-code mine=nets.py:build@w.pth" in err) == (place == ".")
    for typed in (f"mine={own}", f"mine={own},median"):
        assert run_command_line(["verify", "after", *data, "--derainer", typed]) == 0
    if place == ".":
        typed = err.partition("or add ")[2].partition(", if")[0]
        assert run_command_line(["verify", "after", *data, *typed.split()]) == 0


def test_code_beside_the_row_that_was_typed_stays_refused() -> None:
    found = {"derainer": ["mine=nets.py:build", "other=evil.py:build", "median"]}
    typed = {"derainer": ("mine=sub/nets.py:build",)}
    with pytest.raises(UsageError, match=r"asks to run code, other=evil\.py:build \(not here\)"):
        spec_here("found", found, typed)
    spec = spec_here("found", found, typed, ["other=evil.py:build"])
    assert spec.derainer == ("mine=sub/nets.py:build", "other=evil.py:build", "median")


def test_rows_and_networks_of_which_nothing_was_typed_stay() -> None:
    found = {
        "derainer": ["mine=nets.py:build", "median"],
        "model": {"detection": ["a.pt", "b.pt"], "semantic": "c.pt"},
    }

    def here(**typed: Any) -> RunSpec:
        return spec_here("found", found, typed, ["mine=nets.py:build"])

    for word in ("mine=sub/nets.py:build", "sub/nets.py:build"):
        assert here(derainer=(word,)).derainer == ("mine=sub/nets.py:build", "median")
    spec = here(model={"detection": ("sub/b.pt",)})
    assert spec.model == {"detection": ("a.pt", "sub/b.pt"), "semantic": ("c.pt",)}
    assert spec.derainer == ("mine=nets.py:build", "median")
    # Files of other names: as many as stand there are all of them.
    assert here(derainer=("granet", "median")).derainer == ("granet", "median")
    renamed = here(model={"detection": ("x.pt", "y.pt"), "semantic": ("z.pt",)}).model
    assert renamed == {"detection": ("x.pt", "y.pt"), "semantic": ("z.pt",)}
    for typed in ({"derainer": ("other.py:build",)}, {"model": {"detection": ("x.pt",)}}):
        with pytest.raises(UsageError, match=r"found: --\w+.* stand there: type which of them"):
            here(**typed)


Lines = list[list[str]]


def cut(lines: Lines) -> Lines:
    """The columns that say what a line is of alone."""
    return [cells[:5] for cells in lines]


def without_column(lines: Lines) -> Lines:
    place = lines[0].index("quality/psnr_y_db")
    return [cells[:place] + cells[place + 1 :] for cells in lines]


def without_condition(lines: Lines) -> Lines:
    return [cells for cells in lines if cells[3] != "median"]


def without_images(lines: Lines) -> Lines:
    gone = {lines[1][0], lines[2][0]}
    return [cells for cells in lines if cells[0] not in gone]


def twice(lines: Lines) -> Lines:
    return [*lines, lines[-1]]


def more(lines: Lines) -> Lines:
    return [*lines, *([*cells[:3], "best", *cells[4:]] for cells in lines if cells[3] == "median")]


def other_image(lines: Lines) -> Lines:
    return [*lines, ["elsewhere", *lines[-1][1:]]]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (cut, 1, "lacking: column quality/psnr_y_db"),
        (without_column, 1, "lacking: column quality/psnr_y_db"),
        (without_condition, 1, "lacking: 8 of 8 images"),
        (without_images, 1, "lacking: 2 of 8 images"),
        (twice, 2, "under real-like, median stands there twice"),
        (more, 2, "under real-like, best is not made here"),
        (other_image, 2, "image elsewhere under real-like, median is not made here"),
        (lambda lines: lines[:1], 2, "holds no numbers of single images"),
    ],
)
def test_what_comes_out_must_all_be_there_and_nothing_else(
    change: Callable[[Lines], Lines],
    status: int,
    said: str,
    folder: Path,
    coco_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [line.split(",") for line in (folder / "images.csv").read_text().splitlines()]
    made = "\n".join(",".join(cells) for cells in change(lines))
    (folder / "images.csv").write_text(f"{made}\n")
    sign(folder)
    words = ["verify", str(folder), "--data-root", str(coco_root), "--images", "2"]
    assert run_command_line(words) == status
    shown = capsys.readouterr()
    told = shown.err if status == 2 else shown.out.replace("│", " ")
    assert said.replace(" ", "") in "".join(told.split())


def test_the_number_that_verdicts_rest_on_must_be_there_whatever_a_folder_names(
    folder: Path, coco_root: Path
) -> None:
    content = json.loads((folder / "results.json").read_text())
    for metric in ("psnr_y_db", "ssim_y"):
        del content["metrics"][metric]
    content["records"] = [r for r in content["records"] if r["metric"] in content["metrics"]]
    content["correlations"] = []
    (folder / "results.json").write_text(json.dumps(content))
    lines = [line.split(",") for line in (folder / "images.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if not name.endswith(("psnr_y_db", "ssim_y"))]
    made = "\n".join(",".join(cells[i] for i in kept) for cells in lines)
    (folder / "images.csv").write_text(f"{made}\n")
    sign(folder)
    checks = verify(folder, {"data_root": str(coco_root)}, 2)
    assert {c.lacking for c in checks} == {("column quality/psnr_y_db",)}


def test_numbers_of_what_is_not_made_are_refused(folder: Path, coco_root: Path) -> None:
    content = json.loads((folder / "results.json").read_text())
    more = [{**r, "derainer": "best"} for r in content["records"] if r["derainer"] == "median"]
    content["records"] += more
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="best under real-like is not made here"):
        verify(folder, {"data_root": str(coco_root)}, 2)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("spec", {"quality": ["psnr"]}, "niqe of quality is not made here: the spec does not ask"),
        ("records", {"task": "detection", "model": "x"}, "ssim_y of detection is not made here"),
    ],
)
def test_numbers_that_the_spec_does_not_ask_for_are_refused(
    key: str, value: dict[str, Any], said: str, folder: Path, coco_root: Path
) -> None:
    content = json.loads((folder / "results.json").read_text())
    if key == "spec":
        content["spec"] |= value
    else:
        of_ssim = [r for r in content["records"] if r["metric"] == "ssim_y"]
        content["records"] += [{**r, **value} for r in of_ssim]
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=said):
        verify(folder, {"data_root": str(coco_root)}, 2)


def test_a_part_of_the_set_that_was_not_drawn_is_no_surplus(folder: Path, coco_root: Path) -> None:
    content = json.loads((folder / "results.json").read_text())
    part = {"metric": "psnr_y_db/place=city"}
    whole = content["metrics"]["psnr_y_db"]
    of_part = {"by": "part", "of": "psnr_y_db", "label": "place=city", "primary": False}
    content["metrics"][part["metric"]] = {**whole, **of_part, "is_column": False}
    content["records"] += [{**r, **part} for r in content["records"] if r["metric"] == "psnr_y_db"]
    (folder / "results.json").write_text(json.dumps(content))
    assert all(check.holds for check in verify(folder, {"data_root": str(coco_root)}, 2))


class _Drawn(Exception):
    """Ends a verification once its images are drawn."""


def test_no_word_of_a_folder_decides_which_images_are_drawn(
    folder: Path, coco_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def run(*_: Any, only: set[str], **__: Any) -> None:
        drawn.append(frozenset(only))
        raise _Drawn

    monkeypatch.setattr("harness.runs.engine.run", run)
    for _ in range(12):
        with pytest.raises(_Drawn):
            verify(folder, {"data_root": str(coco_root)}, 4)
    assert {len(images) for images in drawn} == {4}
    assert len(set(drawn)) > 1, "one of 70 sets, 12 times"


def test_code_of_a_folder_is_not_run(
    folder: Path, coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads((folder / "results.json").read_text())
    (tmp_path / "evil.py").write_text("raise SystemExit('foreign code')")
    monkeypatch.chdir(tmp_path)
    for key, value in (
        ("derainer", ["evil.py:build"]),
        ("derainer", ["half:median+evil.py:build"]),
        ("model", {"semantic": "evil.py:build"}),
        ("model", {"semantic": "evil.py:build@"}),
        ("model", {"semantic": "evil.py:1"}),
    ):
        changed = {**content, "spec": {**content["spec"], key: value, "task": ["semantic"]}}
        (folder / "results.json").write_text(json.dumps(changed))
        with pytest.raises(UsageError, match=r"asks to run code, .* \(sha256 [0-9a-f]{64}\)"):
            verify(folder, {"data_root": str(coco_root)})


@pytest.mark.parametrize(
    ("key", "value"),
    [("out", "elsewhere"), ("workspace", "elsewhere"), ("address", "10.0.0.1:6379")],
)
def test_a_folder_says_not_where_to_write_or_connect(
    folder: Path, coco_root: Path, key: str, value: str
) -> None:
    content = json.loads((folder / "results.json").read_text())
    content["spec"][key] = value
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=f"sets {key}, .* type --{key}"):
        verify(folder, {"data_root": str(coco_root)})


def test_damaged_folders_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no results\.json"):
        verify(tmp_path, {})
    with pytest.raises(UsageError, match="no such folder"):
        verify(folder, {"data_root": "nowhere"})
    (folder / "images.csv").write_text("image,rain\n1,2\n")
    sign(folder)
    with pytest.raises(UsageError, match="damaged results"):
        verify(folder, {})
    (folder / "images.csv").unlink()
    with pytest.raises(UsageError, match=r"no images\.csv"):
        verify(folder, {})
    (folder / "results.json").write_text("[" * 10**5)
    with pytest.raises(UsageError, match="damaged results"):
        verify(folder, {})
