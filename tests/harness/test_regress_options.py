"""Options of `regress` that belong to printed numbers alone, or to results folders alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import run_command_line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mspfn:3", "--tolerance", "psnr_y_db=0.2"], "--tolerance is of two results folders, and"),
        (["mspfn:3", "--guard", "ssim_y"], "--guard is of two results folders, and mspfn:3 names"),
        (["mspfn:3", "--require", "not-worse"], "--require is of two results folders, and"),
        (["mspfn:3", "--layout", "paper", "--json"], "--json prints verdicts and no table"),
        (["--suite", "rain13k", "--json"], "--json prints verdicts and no table"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["regress", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize("more", [[], ["--tolerance", "psnr_y_db=0.2"], ["--json"]])
def test_a_missing_results_folder_is_named(
    more: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    for words, missing in ((["baseline", "new"], "baseline"), (["new", "runs/b"], "runs/b")):
        assert run_command_line(["regress", *words, *more]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"error: {missing}: no such results folder, and no paper: known are ")
        assert err.count("\n") == 1
    assert run_command_line(["regress", "mspfn", "baselin"]) == 2
    assert "unknown paper 'baselin'" in capsys.readouterr().err
