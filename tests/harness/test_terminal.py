"""What is shown on a terminal is text, whatever names and messages hold."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness.cli.main import run_command_line
from harness.cli.terminal import progress_bars, say, show, table
from tests.reports.made import rowed
from tests.reports.test_reports import HOSTILE, results

STEERING = ("\x1b", "\u202e", "\x07")


@pytest.fixture(autouse=True)
def _no_lines_of_progress() -> None:
    """Lines are what is tested here."""


def test_a_run_of_hostile_names_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    known = results(f"[red]{HOSTILE}\x07")
    why = f"left out: {HOSTILE}"
    quality = replace(known.records[2], task="quality", metric="ssim_y", why=why)
    show(rowed(known, records=[*known.records, quality]), Path("out"))
    shown = capsys.readouterr().out
    assert not any(sign in shown for sign in STEERING)
    # Markup of rich is no markup here, and a newline begins no line of its own.
    flat = "".join(shown.replace("│", " ").split())
    assert "[red]=cmd|<script>alert(1)</script>" in flat
    assert "failed:" in shown
    assert "Detection under photoshop-heavy: Yes: " in shown


def test_tables_and_lines_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    table([HOSTILE], [[HOSTILE]])
    say(HOSTILE)
    captured = capsys.readouterr()
    for shown in (captured.out, captured.err):
        assert "alert(1)" in shown
        assert not any(sign in shown for sign in STEERING)
    assert captured.err.count("\n") == 1


def test_bars_are_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bars() as told:
        told(f"[bold]{HOSTILE}", 1, 2)
    shown = capsys.readouterr().err
    assert "[bold]=cmd" in shown
    assert "\u202e" not in shown
    assert "\x1b[31m" not in shown


def test_a_notebook_without_widgets_gets_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich draws no bar there, and warns each time that it does not."""
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    now = [0.0]
    monkeypatch.setattr("harness.cli.terminal.time.monotonic", lambda: now[0])
    with progress_bars() as told:
        for done in (0, 50):
            now[0] += 40
            told("wet · a", done, 100)
    assert "50 of 100" in capsys.readouterr().err


def test_without_a_terminal_a_run_says_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("harness.cli.terminal.time.monotonic", lambda: now[0])
    with progress_bars() as told:
        told("wet · a", 20, 100)  # there since an earlier run
        told("wet · b", 0, 100)
        for second in range(1, 81):
            now[0] = float(second)
            told("wet · a", 20 + second, 100)
        for second in range(81, 181):
            now[0] = float(second)
            told("wet · b", second - 80, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "50 of 200 derained images, 25 %, 2 min left",
        "61 of 200 derained images, 30 %, 2 min left",
    ]
    assert lines[-1].startswith("198 of 200 derained images, 99 %")
    assert len(lines) == 15
    with progress_bars(is_quiet=True) as told:
        now[0] = 1000.0
        told("wet · a", 1, 2)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run", "interrupted: the same command continues where it stopped\n"),
        ("run --fresh", "interrupted\n"),
        ("bench", "interrupted\n"),
    ],
)
def test_an_interrupted_command_says_whether_it_goes_on(
    line: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("run._run_one", "bench.split_words"):
        monkeypatch.setattr(f"harness.cli.{place}", interrupted)
    assert run_command_line(line.split()) == 130
    assert capsys.readouterr().err == said
