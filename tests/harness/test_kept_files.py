"""What stands in a folder stays: what a run saved there, what was read from it, one's own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from datasets.marked import mark
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.ledger.folder import read
from harness.spec import UsageError
from harness.training.folder import alone_in
from reports.folder import ALWAYS, FolderError, named, put, put_pages, staging
from reports.write import write

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def spec(coco_root: Path, detector_file: Path, tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """A run of two images that has all that a run may save."""
    home = tmp_path_factory.mktemp("kept")
    made = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        rain=("photoshop-light",),
        derainer=("median",),
        model={"detection": (str(detector_file),)},
        limit=2,
        workspace=str(home / "runs"),
        out=str(home / "out"),
        save=("images", "predictions"),
    )
    run(made)
    return made


@pytest.fixture
def out(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's folder, made anew, with nothing else where the test runs."""
    monkeypatch.chdir(tmp_path)
    run(spec.model_copy(update={"out": "out"}))
    return Path("out")


def files_of(folder: Path) -> Files:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.*")}


def saved(folder: Path) -> Files:
    """What the run saved, all of which ``results.json`` must name."""
    kinds = ("images/", "predictions/")
    found = {n: data for n, data in files_of(folder).items() if n.startswith(kinds)}
    assert found.keys() <= (named(read(folder, ())["results.json"]) or {}).keys()
    return found


def test_every_folder_holds_the_files_that_are_known_before(out: Path) -> None:
    assert set(ALWAYS) == {f.name for f in out.glob("[!.]*") if f.is_file()}


def test_what_a_run_saved_outlives_its_reports(spec: RunSpec, out: Path) -> None:
    before = saved(out)
    assert {name.split("/")[0] for name in before} == {"images", "predictions"}
    for words in ([], ["--layout", "table6"], ["--no-images"]):
        assert run_command_line(["report", spec.workspace, "--out", "out", *words]) == 0
        assert saved(out) == before
    for save, layout in (((), "remedies"), (("predictions",), "table6")):
        again = spec.model_copy(update={"out": "out", "save": save})
        harness.runs.engine.run(again, layout=layout)
        assert (out / f"{layout}.md").is_file()
        assert saved(out) == before
    run(spec.model_copy(update={"out": "out", "save": (), "limit": 1}))
    assert not saved(out), "these are of another run"


def test_a_folder_that_was_read_loses_nothing(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(out)
    for words in (["out"], ["out", "--layout", "table6"], ["out", "--beside", "out"]):
        assert run_command_line(["report", *words, "--out", "out"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "name another folder" in said
    with pytest.raises(FolderError, match="pictures and numbers of single images"):
        write(harness.load(out), out)
    assert files_of(out) == before
    for _ in range(2):  # which has no more than the folder that it was read from
        assert run_command_line(["report", "out", "--out", "other"]) == 0


@pytest.mark.parametrize("name", ["results.tex", "results.json", "report.html"])
def test_ones_own_files_are_not_written_over(
    spec: RunSpec, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / name).write_text("{}")
    report = ["report", spec.workspace, "--out", str(mine)]
    score = ["score", "--restored", str(tmp_path), "--quality", "niqe", "--out", str(mine)]
    for words in (report, score):
        assert run_command_line(words) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {mine / name} is there, and not of this command: move it")
        assert said.count("\n") == 1
    with pytest.raises(FolderError, match="move it away, or name another folder"):
        run(spec.model_copy(update={"out": str(mine), "workspace": str(tmp_path / "none")}))
    assert not (tmp_path / "none").exists(), "nothing is computed before"
    assert files_of(mine) == {name: b"{}"}


def test_a_folder_of_photographs_stays_data(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marked by a run or as a workspace it would be none, for any verb."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "b.JPG").write_bytes(b"mine")
    said = f"{photos} holds images (b.JPG), which would be no data then: name another folder\n"
    score = ["score", "--restored", str(tmp_path), "--quality", "niqe", "--out", str(photos)]
    for words in (["report", spec.workspace, "--out", str(photos)], score):
        assert run_command_line(words) == 2
        assert capsys.readouterr().err == f"error: {said}"
    with pytest.raises(FolderError, match="would be no data then"):
        run(spec.model_copy(update={"out": str(photos), "workspace": str(tmp_path / "none")}))
    with pytest.raises(UsageError, match=f"--workspace {photos} holds images"):
        run(spec.model_copy(update={"out": None, "save": (), "workspace": str(photos)}))
    with pytest.raises(UsageError, match=f"--out {photos} holds images"), alone_in(photos):
        pass
    assert files_of(photos) == {"b.JPG": b"mine"}


def test_names_that_are_known_at_the_end_alone_are_asked_for_too(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "one.svg").write_text("mine")
    (staging(tmp_path) / "plots").mkdir()
    (tmp_path / ".derain-harness.tmp" / "plots" / "one.svg").write_text("ours")
    with pytest.raises(FolderError, match=r"one\.svg is there"):
        put(tmp_path, lambda _: "{}")
    assert (tmp_path / "plots" / "one.svg").read_text() == "mine"


@pytest.mark.parametrize("name", ["results.csv", "results.json"])
def test_ones_own_files_stay_in_a_folder_that_another_command_marked(
    spec: RunSpec, name: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    mark(out)
    (out / name).write_text("{}")
    with pytest.raises(FolderError, match="move it away, or name another folder"):
        run(spec.model_copy(update={"out": str(out), "workspace": str(tmp_path / "none")}))
    assert not (tmp_path / "none").exists(), "nothing is computed before"
    assert (out / name).read_text() == "{}"


def test_ones_own_files_stay_in_a_runs_own_folder(spec: RunSpec, out: Path) -> None:
    (out / "table6.md").write_text("mine")
    before = files_of(out)
    with pytest.raises(FolderError, match=r"table6\.md is there"):
        harness.runs.engine.run(spec.model_copy(update={"out": "out"}), layout="table6")
    assert files_of(out) == before
    assert harness.load(out).records


def test_a_file_where_a_folder_must_be_leaves_the_results_whole(tmp_path: Path) -> None:
    for name in ("a.csv", "b/c.csv"):
        (staging(tmp_path) / name).parent.mkdir(exist_ok=True)
        (tmp_path / ".derain-harness.tmp" / name).write_text("ours")
        (tmp_path / "b").write_text("mine") if name != "a.csv" else None
        if name == "a.csv":
            put(tmp_path, lambda _: '{"run": "1", "files": {}}')
    with pytest.raises(FolderError, match=r"b is there, and not of this command"):
        put(tmp_path, lambda _: "{}")
    assert (tmp_path / "a.csv").read_text() == "ours"
    assert (tmp_path / "results.json").is_file()


def test_the_folder_of_a_run_of_0_1_is_written_again(spec: RunSpec, out: Path) -> None:
    content = json.loads((out / "results.json").read_text())
    del content["files"]
    (out / "results.json").write_text(json.dumps(content))
    (out / ".derain-harness").unlink()
    run(spec.model_copy(update={"out": "out"}))
    assert "files" in json.loads((out / "results.json").read_text())


def test_pages_of_several_runs_spare_ones_own(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "board.md").write_text("mine")
    words = ["report", spec.workspace, "--board", "--out", str(tmp_path)]
    assert run_command_line(words) == 2
    assert "board.md is there" in capsys.readouterr().err
    assert files_of(tmp_path) == {"board.md": b"mine"}
    (tmp_path / "board.md").rename(tmp_path / "mine.md")
    for _ in range(2):
        assert run_command_line(words) == 0
    assert not (tmp_path / ".derain-harness").exists(), "the folder may hold data"
    put_pages(tmp_path, {"compare.md": "ours"})
    assert (tmp_path / "board.md").is_file()


def test_pages_of_other_runs_go_with_them(spec: RunSpec, tmp_path: Path) -> None:
    put_pages(tmp_path, {"repeats.md": "of other runs", "compare.md": "of two"})
    (tmp_path / "rankings.md").write_text("mine")
    assert run_command_line(["report", spec.workspace, "--board", "--out", str(tmp_path)]) == 0
    here = {name for name in files_of(tmp_path) if not name.startswith(".")}
    assert here == {"board.html", "board.md", "compare.md", "rankings.md"}
    assert (tmp_path / "rankings.md").read_text() == "mine"


def test_pages_that_cannot_be_written_leave_those_of_before(tmp_path: Path) -> None:
    put_pages(tmp_path, {"board.html": "before", "board.md": "before"})
    before = files_of(tmp_path)
    with pytest.raises(UnicodeEncodeError):
        put_pages(tmp_path, {"board.html": "after", "board.md": "\udc80"})
    assert files_of(tmp_path) == before


def test_seeds_leave_a_runs_folder_whole(
    out: Path, spec: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--dataset", "coco", "--data-root", str(spec.data_root), "--task", "none"]
    assert run_command_line([*words, "--seeds", "2", "--out", "out"]) == 2
    said = "error: --out out holds a run: give --seeds a folder of its own\n"
    assert capsys.readouterr().err == said
    assert harness.load(out).records


def test_a_run_by_its_digits_heeds_what_is_asked_for(
    spec: RunSpec, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("derain-runs").symlink_to(spec.workspace)
    digits = harness.load(out).run[:8]
    assert (out / "pictures").is_dir()
    assert run_command_line(["report", digits, "--no-images", "--out", "bare"]) == 0
    assert not Path("bare", "pictures").exists()
    both = ["report", digits, str(out), "--layout", "table6", "--out", "both"]
    assert run_command_line(both) == 2
    assert "--layout is of one run; two are compared" in capsys.readouterr().err
