"""The command line: a shell over `harness.run`."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

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
from harness.cli.flags import Verbs, require_places, written
from harness.cli.terminal import is_users, say
from harness.machine.log import notes
from harness.machine.rooms import require_ours

STATUS = """\
exit status:
  0    done
  1    done, but images failed, a number got worse or is missing, or a check found a difference
  2    not done: a mistake in the command or its files, or a fault of the surroundings (a disk that
       is full or gone, no memory, no connection, a closed pipe), told in one line
  3    regress alone: undecided, some numbers are inconclusive (see --require)
  130  interrupted: what a workspace or --out keeps is not done again by the same command
"""


_CHOICE = re.compile(r"argument (.+?): invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
_UNKNOWN = "unrecognized arguments: "


class Parser(argparse.ArgumentParser):
    """Says on one line what is wrong with a command, and what it may have meant."""

    def parse_args(self, *words: Any, **into: Any) -> Any:
        """As in the library, but a flag that a verb does not know is compared with that verb's."""
        arguments, unknown = self.parse_known_args(*words, **into)
        if unknown:
            arguments.parser.error(_UNKNOWN + " ".join(unknown))
        return arguments

    def error(self, message: str) -> NoReturn:
        """End with status 2 and one line."""
        choice = _CHOICE.fullmatch(message)
        if choice is not None:
            what, word, names = choice[1], choice[2], re.findall(r"'([^']*)'", choice[3])
            message = f"{what}: unknown '{word}'{_near(word, names)}: known are {', '.join(names)}"
        elif message.startswith(_UNKNOWN):
            word = message.removeprefix(_UNKNOWN).split()[0].partition("=")[0]
            flags = [flag for action in self._actions for flag in action.option_strings]
            message = f"unknown {word}{_near(word, flags)}"
        message = message.removeprefix("argument ")
        say(f"error: {message}; {self.prog} --help says what there is")
        sys.exit(2)


def _near(word: str, names: Iterable[str]) -> str:
    """The name that a word may have meant, as a question."""
    near = difflib.get_close_matches(word, [*names], 1)
    return f" (did you mean {near[0]}?)" if near else ""


class _Version(argparse.Action):
    """Says which version this is; looks for it only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from harness.machine.about import version

        print(f"derain-harness {version('derain-harness')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The whole command line; the parsed arguments' ``action`` does it."""
    whole = Parser(
        prog="derain-harness",
        description="Does removing rain from an image help the vision system that sees it next?",
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    verbs: Verbs = whole.add_subparsers(required=True, metavar="VERB")  # type: ignore[assignment]
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
    for verb in verbs.choices.values():
        verb.set_defaults(parser=verb)
        verb.add_argument("--debug", action="store_true", help="show where an error came from")
    return whole


def run_command_line(words: Sequence[str]) -> int:
    """Run one command.

    Returns:
        Exit status, see `STATUS`.
    """
    arguments = parser().parse_args(words)
    spoken = logging.StreamHandler()
    if arguments.debug:
        notes.addHandler(spoken)
    try:
        require_ours()
        require_places(arguments)
        status: int = arguments.action(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        is_kept = getattr(arguments, "goes_on", False) and not getattr(arguments, "fresh", False)
        more = ": the same command continues where it stopped" if is_kept else ""
        say(f"interrupted{more}")
        return 130
    except SystemExit as error:  # by no code of ours: words are parsed above
        say(
            f"error: code of yours ended the program (SystemExit: {error}): let it raise an error, "
            "or return"
        )
        return 2
    except Exception as error:
        said = _said(error, arguments)
        if said is None:
            raise
        if arguments.debug:
            traceback.print_exception(error)
        say(f"error: {said}")
        _abandon_closed_output(error)
        return 2
    finally:
        notes.removeHandler(spoken)


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
