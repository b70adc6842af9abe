"""``python -m harness``."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path


def main() -> int:
    """Start the command line; see `harness.cli.main`."""
    # A user's tasks.py or datasets/ in the current directory must not hide our packages.
    here, home = Path.cwd(), Path(__file__).resolve().parent.parent
    others = [entry for entry in sys.path if entry and Path(entry) != here]
    ours = [] if str(home) in others else [str(home)]
    sys.path[:] = [*others, *ours, str(here)]

    from harness.cli.main import run_command_line

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of files need be no UTF-8, and a terminal none of it.
            stream.reconfigure(errors="backslashreplace")
    # Ended from outside is as good as Ctrl-C: what is in work is finished, the rest goes on later.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
