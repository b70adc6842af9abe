"""Options of `regress` that belong to printed numbers alone, or to results folders alone."""

from __future__ import annotations

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
