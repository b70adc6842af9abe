"""The command line: a shell over `harness.run`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.cli import (
    bench,
    card,
    check_data,
    derain,
    doctor,
    fetch,
    list,
    regress,
    report,
    run,
    score,
    synth,
    train,
    verify,
    workspaces,
)
from harness.cli.flags import require_places, written
from harness.cli.terminal import is_users, say
from harness.spec import UsageError

STATUS = """\
exit status:
  0    done
  1    done, but images failed, a number got worse or is missing, or a check found a difference
  2    not done: a mistake in the command or its files, or a fault of the surroundings (a disk that
       is full or gone, no memory, no connection, a closed pipe), told in one line
  3    regress alone: undecided, some numbers are inconclusive (see --require)
  130  interrupted: the same command continues where it stopped
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line; the parsed arguments' ``action`` does it."""
    whole = argparse.ArgumentParser(
        prog="derain-harness",
        description="Does removing rain from an image help the vision system that sees it next?",
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = whole.add_subparsers(required=True, metavar="VERB")
    for add in (
        run.add,
        report.add,
        regress.add,
        verify.add,
        score.add,
        synth.add,
        derain.add,
        check_data.add,
        bench.add,
        train.add,
        card.add,
        fetch.add,
        list.add,
        doctor.add,
        workspaces.add,
    ):
        add(verbs)
    return whole


def run_command_line(words: Sequence[str]) -> int:
    """Run one command.

    Returns:
        Exit status, see `STATUS`.
    """
    arguments = parser().parse_args(words)
    try:
        _ours()
        require_places(arguments)
        status: int = arguments.action(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        say("interrupted: the same command continues where it stopped")
        return 130
    except Exception as error:
        said = _said(error, arguments)
        if said is None:
            raise
        say(f"error: {said}")
        _abandon_closed_output(error)
        return 2


def _said(error: Exception, arguments: argparse.Namespace) -> str | None:
    """One line about a user's mistake or a fault of the surroundings; None for a fault of ours."""
    # Only now: --help has been answered without them.
    from harness.machine.disk import surroundings_error

    if isinstance(error, ValueError) and is_users(error):
        return str(error)
    return surroundings_error(error, written(arguments))


def _abandon_closed_output(error: Exception) -> None:
    """Write no more where nobody reads: the interpreter would try once more when it ends."""
    if isinstance(error, OSError) and sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            try:
                sys.stdout.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
