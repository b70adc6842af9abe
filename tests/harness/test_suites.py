"""Runs that stand in a file, and runs repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import RunSpec, load, run
from harness.cli.main import run_command_line
from harness.plan.derainers import sources_of

CODE = "from torch.nn import Identity as own\n"
SHA256 = hashlib.sha256(CODE.encode()).hexdigest()
TWO = """
- name: light
  rain: photoshop-light
- derainer: [median]
  rain: [photoshop-heavy, none]
  limit: 3
"""


@pytest.fixture
def command(
    coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Words of a run of a suite with this text."""
    monkeypatch.chdir(tmp_path)

    def words(text: str, *more: str) -> list[str]:
        Path("suite.yaml").write_text(text)
        data = ("--dataset", "coco", "--data-root", str(coco_root), "--workspace", "w")
        return ["run", "--suite", "suite.yaml", *data, "--task", "none", *more]

    return words


def results(folder: str) -> dict[str, dict[str, object]]:
    """What each run below a folder was asked for."""
    files = sorted(Path(folder).glob("*/results.json"))
    return {file.parent.name: json.loads(file.read_text())["spec"] for file in files}


def test_each_run_has_its_folder_and_typed_flags_override(
    command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(command(TWO, "--out", "out", "--derainer", "identity")) == 0
    out = capsys.readouterr().out
    assert out.index("suite.yaml: entry 1 (light)") < out.index("suite.yaml: entry 2\n")
    first, second = (results("out")[name] for name in ("light", "2"))
    assert (first["rain"], second["rain"]) == (["photoshop-light"], ["photoshop-heavy", "none"])
    assert (first["limit"], second["limit"]) == (None, 3)
    assert first["derainer"] == second["derainer"] == ["identity"]


def test_seeds_have_a_folder_each_and_a_page_of_their_spread(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--dataset", "coco", "--data-root", str(coco_root), "--task", "none"]
    words += ["--derainer", "median", "--rain", "photoshop-light", "--no-images"]
    words += ["--workspace", str(tmp_path / "w"), "--quality", "psnr_y_db", "--seeds"]
    out = tmp_path / "out"
    assert run_command_line([*words, "2", "--seed", "3", "--out", str(out)]) == 0
    found = results(str(out))
    assert {name: spec["seed"] for name, spec in found.items()} == {"seed-3": 3, "seed-4": 4}
    page = (out / "repeats.md").read_text()
    place = ("photoshop-light", "median", "quality", "psnr_y_db")
    mean = sum(load(out / name).value(*place).value or 0 for name in found) / 2
    row = next(r for r in page.splitlines() if "median" in r)
    assert "| photoshop-light | median |" in row
    assert "| 2 | 1 |" in row
    assert f"| {mean:.2f} |" in row
    assert "repeats.html" in capsys.readouterr().out
    assert "mean over 2 seeds of the rain" in (out / "report.html").read_text()
    assert run_command_line([*words, "2"]) == 2
    assert "--out" in capsys.readouterr().err
    assert run_command_line([*words, "1", "--out", str(out)]) == 2
    assert "2 or more" in capsys.readouterr().err


def test_runs_of_a_suite_stand_side_by_side_in_one_table(
    command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "- {rain: coco350, name: a, limit: 1}\n- {rain: bdd350, name: b, limit: 1}\n"
    words = command(text, "--out", "out", "--derainer", "median", "--layout", "table6")
    assert run_command_line(words) == 0
    shown = capsys.readouterr().out
    made = Path("out", "table6.md").read_text()
    assert made in shown
    assert "under coco350/coco val2017 under bdd350; Image Size: " in made
    assert made.splitlines()[0] == "| Methods | Rain input | median |"
    assert r"\multicolumn{3}{l}{Deraining" in Path("out", "table6.tex").read_text()
    assert Path("out", "a", "table6.md").is_file()
    # A run that is there already gets its table too.
    Path("out", "a", "table6.md").unlink()
    assert run_command_line(words) == 0
    assert Path("out", "a", "table6.md").is_file()


def test_a_mistake_in_one_run_leaves_the_others(
    command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "- {rain: acid}\n- {rain: photoshop-light, derainer: identity, limit: 1}\n"
    assert run_command_line(command(text, "--out", "out")) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: suite.yaml: entry 1: unknown rain 'acid'")
    assert err.count("\n") == 1
    assert list(results("out")) == ["2"]


BAD = {
    "- {limit: 1}\n- {colour: red}": "suite.yaml: entry 2: unknown key 'colour': known are",
    "- {limit: 0}": "suite.yaml: entry 1: --limit: Input should be greater",
    "- {model: {detection: 1.5}}": "suite.yaml: entry 1: --model.detection",
    "- {limit: '3'}": "suite.yaml: entry 1: --limit: Input should be a valid integer",
    "- {max_errors: .inf}": "suite.yaml: entry 1: --max-errors: Input should be a finite number",
    "- {limit: 1, limit: 2}": "suite.yaml: line 1: key limit stands twice",
    "- limit": "suite.yaml: entry 1: expected keys and values, got str",
    "limit: 1": "suite.yaml: expected a list of runs",
    "": "suite.yaml: expected a list of runs",
    "- {name: ../up}": "suite.yaml: entry 1: name: expected letters",
    "- {name: '2'}\n- {limit: 1}": "suite.yaml: entry 2: name: 2 is taken",
    "- {out: elsewhere}": "entry 1 sets out, which only you may: leave it out and type --out",
    "- {address: 'a:1'}": "entry 1 sets address, which only you may",
    "- &a [*a]": "suite.yaml: line 1: anchors and aliases are not read",
    "- !!python/name:os.system {}": "suite.yaml: line 1: the tag tag:yaml.org,2002:python/name",
    "- {seed: 2001-99-99}": "suite.yaml: month must be in 1..12",
    "- {": "suite.yaml: line 1: expected the node content",
    "[" * 10**5: "suite.yaml: line 1: nested more than 8 deep",
    "#" * 10**6: "suite.yaml: more than 262,144 bytes",
}


@pytest.mark.parametrize("text", BAD, ids=BAD.get)
def test_bad_suites_are_one_line(
    text: str, command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(command(text, "--dry-run")) == 2
    out, err = capsys.readouterr()
    assert BAD[text] in err
    assert (out, err.count("\n")) == ("", 1)
    assert not Path("w").exists()


def test_scenes_are_not_rendered_where_a_suite_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("suite.yaml").write_text("- {dataset: streetsim, data_root: elsewhere}")
    assert run_command_line(["run", "--suite", "suite.yaml"]) == 2
    assert "sets data_root, which only you may" in capsys.readouterr().err
    assert not Path("elsewhere").exists()


def test_code_of_a_suite_runs_only_where_its_word_is_allowed(
    command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own.py").write_text(CODE)
    for entry, word, what in (
        ("derainer: own.py:own", "own.py:own", f"sha256 {SHA256}"),
        ("derainer: none.py:own", "none.py:own", "not here"),
        ("model: {semantic: 'own.py:own@'}", "own.py:own@", f"sha256 {SHA256}"),
        ("model: {semantic: [a.onnx, 'own.py:own']}", "own.py:own", f"sha256 {SHA256}"),
    ):
        assert run_command_line(command(f"- {{{entry}}}")) == 2
        err = capsys.readouterr().err
        assert f"suite.yaml: entry 1 asks to run code, {word} ({what}): type it" in err
        assert (f", or add --allow-code {word}, if you trust it" in err) == (what != "not here")
    text = "- {derainer: own.py:own, limit: 1}"
    assert run_command_line(command(text, "--allow-code", "other.py:own")) == 2
    assert run_command_line(command(text, "--allow-code", "own.py:own")) == 0
    assert run_command_line(command(text, "--derainer", "own.py:own")) == 0


@pytest.mark.parametrize(
    ("word", "runs"),
    [
        ("own.py:own", True),
        ("own.py:own@x.onnx", True),
        ("half:own.py:own", True),
        ("granet+own.py:own", True),
        ("granet+half:pack.mod:own", True),
        ("dir:x+own.py:own", True),
        ("spandrel:x.pt+own.py:own@x.pt", True),
        ("granet@x.pt", False),
        ("spandrel:x.pt", False),
        ("half:granet+spandrel:x.pth", False),
        ("x.onnx", False),
        ("dir:own.py", False),
    ],
)
def test_a_word_says_whether_it_runs_code(word: str, runs: bool) -> None:
    assert bool(sources_of(word)) == runs


def test_a_module_is_told_by_its_file_without_being_imported(
    command: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("pack/age").mkdir(parents=True)
    Path("pack/__init__.py").write_text("raise SystemExit('foreign code')")
    Path("pack/age/mod.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    assert run_command_line(command("- {derainer: 'pack.age.mod:own'}")) == 2
    assert f"pack.age.mod:own (sha256 {SHA256})" in capsys.readouterr().err


def test_a_run_is_repeated_from_folder_file_and_ledger(
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        limit=3,
        seed=5,
        workspace="w",
        out="out",
    )
    first = run(spec)
    Path("spec.json").write_text(
        spec.model_copy(update={"workspace": "derain-runs", "out": None}).model_dump_json()
    )
    where = ["--data-root", str(coco_root), "--workspace", "w", "--out", "again"]
    for word in ("out", "out/results.json", "spec.json", first.run[:8]):
        assert run_command_line(["run", "--from", word, *where]) == 0
        again = json.loads(Path("again/results.json").read_text())
        assert (again["run"], again["spec"]) == (first.run, first.spec)
    assert run_command_line(["run", "--from", "out", *where, "--limit", "2"]) == 0
    again = json.loads(Path("again/results.json").read_text())
    assert (again["spec"]["limit"], again["spec"]["seed"]) == (2, 5)

    Path("deep.json").write_text("[" * 10**5)
    Path("other.json").write_text('{"colour": "red"}')
    capsys.readouterr()
    for word, told in (
        ("out", "out/results.json holds no paths: type --data-root, the folder called "),
        ("nowhere", "--from nowhere: no such folder or file, and no digest"),
        ("abcd", "no finished run abcd in w"),
        ("w", "w/results.json: no such file"),
        ("deep.json", "deep.json: not a JSON file, or nested too deeply"),
        ("other.json", "other.json: unknown key 'colour'"),
    ):
        assert run_command_line(["run", "--from", word, "--workspace", "w"]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert err.count("\n") == 1
    assert run_command_line(["run", "--from", "out", "--suite", "spec.json"]) == 2
    assert "--suite and --from: give one of the two" in capsys.readouterr().err
