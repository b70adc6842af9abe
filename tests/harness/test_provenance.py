"""What is told of the machine that made a run."""

from __future__ import annotations

import getpass
import os
import platform
from pathlib import Path

from harness.machine.about import accelerator, machine


def test_the_processor_is_told_and_the_host_is_not() -> None:
    told = machine(1.234)
    assert told["elapsed_s"] == 1.23
    assert told["processor"].endswith(f", {os.cpu_count()} logical cores")
    assert not told["processor"].startswith(",")
    text = str(told)
    assert str(Path.cwd()) not in text
    assert platform.node() not in text.split()
    assert getpass.getuser() not in text.split()


def test_only_a_run_on_a_card_tells_of_one() -> None:
    assert accelerator("cpu") is None
