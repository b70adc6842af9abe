"""The command line: a shell over `harness.run`."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

from harness.cli import (
    bench,
    check_data,
    doctor,
    fetch,
    gather,
    gc,
    list,
    regress,
    report,
    run,
    score,
    synth,
    train,
    verify,
)
from harness.cli.mistakes import is_users
from harness.cli.terminal import say
from harness.spec import UsageError


def parser() -> argparse.ArgumentParser:
    """The whole command line; the parsed arguments' ``action`` does it."""
    whole = argparse.ArgumentParser(
        prog="derain-harness",
        description="Does removing rain from an image help the vision system that sees it next?",
    )
    verbs = whole.add_subparsers(required=True, metavar="VERB")
    for add in (
        run.add,
        report.add,
        regress.add,
        verify.add,
        score.add,
        synth.add,
        check_data.add,
        bench.add,
        train.add,
        fetch.add,
        list.add,
        doctor.add,
        gc.add,
        gather.add,
    ):
        add(verbs)
    return whole


def run_command_line(words: Sequence[str]) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done; 1 done, but images failed; 2 a user's mistake, told in one line;
        130 interrupted and resumable.
    """
    arguments = parser().parse_args(words)
    # Only now: --help has been answered without them.
    import sqlite3

    from harness.machine.disk import storage_error

    # torch warns of some files that it then refuses; the refusal is told in one line.
    warnings.filterwarnings("ignore", "Detected pickle protocol")
    try:
        _ours()
        status: int = arguments.action(arguments)
        return status
    except KeyboardInterrupt:
        say("interrupted: the same command continues where it stopped")
        return 130
    except (OSError, sqlite3.Error) as error:
        said = storage_error(error)
        if said is None:
            raise
        say(f"error: {said}")
        return 2
    except ValueError as error:
        if not is_users(error):
            raise
        say(f"error: {error}")
        return 2


def _ours() -> None:
    """Make sure that the five packages are this harness's and not some folder's of the user."""
    import importlib.util

    home = Path(__file__).resolve().parents[2]
    for name in ("datasets", "derainers", "tasks", "reports"):
        found = importlib.util.find_spec(name)
        where = Path(found.origin).resolve() if found and found.origin else None
        if where is None or where.parent.parent != home:
            raise UsageError(
                f"'import {name}' finds {where or 'nothing'}, not the harness's own package: "
                "rename that file or folder, or run from elsewhere"
            )
