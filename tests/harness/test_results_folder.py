"""A results folder is whole or absent, whenever the command that writes it is killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from signed import sign

import reports.plots.plots
from datasets.marked import mark
from derainers.folder import paired
from harness import RunSpec, load, run
from harness.checks.verify import verify
from harness.cli.main import run_command_line
from harness.ledger.folder import holds, read
from harness.spec import UsageError
from reports.folder import FolderError, put, staging
from reports.plots.plots import plots
from reports.results.results import Results
from reports.write import write

WRITING = ("replace", "unlink", "write_bytes", "write_text", "mkdir", "rmdir")
"""What a writer does to files and folders, by the names of `pathlib.Path`."""


class KilledError(BaseException):
    """Stands for a signal that nothing can catch."""


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch, out: Path, names: Any = WRITING) -> Any:
    """Let the process end before step ``number`` of what it writes below a folder."""
    count = iter(range(10**6))

    def before(name: str) -> Callable[..., Any]:
        done = getattr(Path, name)

        def step(self: Path, *words: Any, **more: Any) -> Any:
            if self.is_relative_to(out) and next(count) == number:
                raise KilledError
            return done(self, *words, **more)

        return step

    for name in names:
        monkeypatch.setattr(Path, name, before(name))


def stage(out: Path, files: dict[str, str]) -> None:
    staged = staging(out)
    for name, text in files.items():
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_text(text)
    put(out, lambda digests: json.dumps({"files": dict(digests), "of": files}))


def content(folder: Path) -> dict[str, str] | None:
    """Which files a folder says it is of, None where it is refused; all of them must be there."""
    try:
        of: dict[str, str] = json.loads(read(folder, ())["results.json"])["of"]
    except UsageError:
        return None
    assert {name: (folder / name).read_text() for name in of} == of
    return of


OLD = {"a.csv": "old", "plots/one.svg": "old", "plots/two.svg": "old", "pictures/x/y.jpg": "old"}
NEW = {"a.csv": "new", "plots/one.svg": "new", "table6.md": "new"}


def test_a_kill_at_any_step_leaves_a_folder_whole_or_refused(tmp_path: Path) -> None:
    found, number = [], 0
    while True:
        out = tmp_path / str(number)
        stage(out, OLD)
        (out / "plots" / "mine.png").write_text("the user's")
        (out / "plots" / "two.svg").write_text("changed by the user") if number % 2 else None
        with pytest.MonkeyPatch.context() as patched:
            killed_at(number, patched, out)
            try:
                stage(out, NEW)
                break
            except KilledError:
                pass
        found.append(content(out))
        stage(out, NEW)
        assert content(out) == NEW
        kept = {"plots/mine.png"} | ({"plots/two.svg"} if number % 2 else set())
        files = {f.relative_to(out).as_posix() for f in out.rglob("*") if f.is_file()}
        assert files == {*NEW, "results.json", ".derain-harness"} | kept
        number += 1
    assert number > 20
    whole = found[::2].count(OLD)
    assert 0 < whole < len(found[::2])
    assert found[::2] == [OLD] * whole + [None] * (len(found[::2]) - whole)


@pytest.fixture(scope="module")
def specs(coco_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, RunSpec]:
    """Two runs that are in the ledger of one workspace; the first one has pictures."""
    old = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        limit=3,
        workspace=str(tmp_path_factory.mktemp("folder")),
    )
    new = old.model_copy(update={"limit": 5, "images": False})
    run(old)
    run(new)
    return old, new


@pytest.fixture
def _two_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two plots of each run, laid out once."""
    kept: dict[str, Any] = {}

    def two(results: Results) -> Any:
        if results.run not in kept:
            kept[results.run] = plots(results)[:2]
        return kept[results.run]

    monkeypatch.setattr(reports.plots.plots, "plots", two)


@pytest.mark.usefixtures("_two_plots")
def test_the_command_after_a_kill_leaves_a_whole_folder(
    specs: tuple[RunSpec, RunSpec],
    coco_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = specs
    whole, out = tmp_path / "whole", tmp_path / "out"
    before = run(old.model_copy(update={"out": str(whole)}))
    again = new.model_copy(update={"out": str(out)})
    refused, number = 0, 0
    while True:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        with pytest.MonkeyPatch.context() as patched:
            killed_at(number, patched, out, ("replace", "unlink"))
            try:
                after = run(again)
                break
            except KilledError:
                pass
        number += 1
        if not holds(out, before):
            refused += 1
            data = ["--data-root", str(coco_root)]
            for words in (["regress", str(whole), str(out)], ["verify", str(out), *data]):
                assert run_command_line(words) == 2
                said = capsys.readouterr().err
                assert "half-written, no results.json yet: run again to make the folder" in said
            with pytest.raises(UsageError, match="half-written"):
                load(out)
        after = run(again)
        assert holds(out, after)
        assert {r.n for r in load(out).records if r.task == "quality"} == {5}
        assert not any((out / "pictures").glob("*"))
    assert refused > 10
    assert number > refused
    assert holds(out, after)


@pytest.fixture
def folder(specs: tuple[RunSpec, RunSpec], tmp_path: Path) -> Path:
    """A whole folder of the second run."""
    write(run(specs[1]), tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.usefixtures("_two_plots")
def test_a_mixed_folder_is_refused(
    specs: tuple[RunSpec, RunSpec],
    folder: Path,
    tmp_path: Path,
    coco_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other"
    write(run(specs[0]), other)
    sound = str(shutil.copytree(folder, tmp_path / "sound"))
    for name in ("results.json", "results.csv", "draws.npz", "images.csv", "report.html"):
        mixed = tmp_path / f"mixed-{name}"
        shutil.copytree(folder, mixed)
        shutil.copy(other / name, mixed / name)
        data = ["--data-root", str(coco_root)]
        for words in (["regress", sound, str(mixed)], ["verify", str(mixed), *data]):
            assert run_command_line(words) == 2
            said = capsys.readouterr().err
            first = "draws.npz" if name == "results.json" else name
            assert f"damaged results: {first} is not the file that results.json names" in said
            assert said.count("\n") == 1
        spec = specs[1].model_copy(update={"out": str(mixed)})
        assert holds(mixed, run(spec))
    (folder / "plots" / next((folder / "plots").iterdir()).name).unlink()
    with pytest.raises(UsageError, match=r"damaged results: no plots/.*: run again to make the"):
        load(folder)


@pytest.mark.usefixtures("_two_plots")
def test_draws_of_other_values_are_refused(folder: Path, coco_of: Callable[[int], Path]) -> None:
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_of(24)),
        derainer=("median",),
        task=("none",),
        workspace=str(folder.parent / "w"),
        out=str(folder),
        images=False,
    )
    run(spec)
    assert any(record.ci for record in load(folder).records)
    with np.load(folder / "draws.npz") as file:
        draws = dict(file)
    first = next(iter(draws))
    beyond = {name: values + np.float32(0.01) for name, values in draws.items()}
    for changed in (
        beyond,
        {**draws, first: draws[first][:-1]},
        {**draws, f"{first}-other": draws[first]},
    ):
        np.savez_compressed(folder / "draws.npz", **changed)
        sign(folder)
        with pytest.raises(UsageError, match=r"draws\.npz does not fit results\.json"):
            load(folder)
    np.savez_compressed(folder / "draws.npz", **draws)
    content = json.loads((folder / "results.json").read_text())
    del content["files"]
    (folder / "results.json").write_text(json.dumps(content))
    assert load(folder).draws


@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a/../../b", "", "results.json"])
@pytest.mark.usefixtures("_two_plots")
def test_names_that_lead_out_of_the_folder_are_refused(folder: Path, name: str) -> None:
    (folder.parent / "out.txt").write_text("mine")
    content = json.loads((folder / "results.json").read_text())
    content["files"][name] = "0" * 64
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="damaged results"):
        load(folder)
    with pytest.raises(UsageError, match="damaged results"):
        verify(folder, {})


def photographs(coco_root: Path, home: Path) -> Path:
    """Three photographs in folders, without labels."""
    for number, file in enumerate(sorted((coco_root / "images" / "val2017").iterdir())[:3]):
        place = home / "photos" / ("deep" if number else ".") / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    return home / "photos"


@pytest.mark.usefixtures("_two_plots")
def test_a_run_in_the_folder_of_its_photographs_is_no_data(
    coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photographs(coco_root, tmp_path))
    spec = RunSpec(dataset="folder", data_root=".", derainer=("median",), task=("none",), out="out")
    first = run(spec)
    assert {r.n for r in first.records if r.task == "quality"} == {3}
    assert len([f for f in Path().rglob("*") if f.suffix in (".png", ".jpg")]) > 10
    again = run(spec)
    assert again.run == first.run
    assert again.records == first.records


@pytest.mark.parametrize("word", ["out", "workspace"])
def test_a_folder_of_photographs_is_not_written_into(
    coco_root: Path, tmp_path: Path, word: str
) -> None:
    root = photographs(coco_root, tmp_path)
    spec = RunSpec(
        dataset="folder",
        data_root=str(root),
        derainer=("median",),
        task=("none",),
        workspace=str(tmp_path / "w"),
    )
    before = sorted(tmp_path.rglob("*"))
    for place in (root, root / "deep", root / "deep" / ".." / "."):
        with pytest.raises((FolderError, UsageError), match=r"holds images .*: name another"):
            run(spec.model_copy(update={word: str(place)}))
    words = ["score", "--restored", str(root), "--quality", "niqe", "--out", str(root)]
    assert run_command_line(words) == 2
    assert sorted(tmp_path.rglob("*")) == before
    run(spec.model_copy(update={"workspace": str(tmp_path), "images": False}))
    assert run(spec).records


def test_results_below_restored_images_are_not_taken_for_them(tmp_path: Path) -> None:
    for name in ("a.png", "out/plots/a.jpg", "out/b.png", "more/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    mark(tmp_path / "out")
    found = paired(tmp_path, {"1": Path("a.png"), "2": Path("b.png")})
    assert found == {"1": tmp_path / "a.png", "2": tmp_path / "more" / "b.png"}
