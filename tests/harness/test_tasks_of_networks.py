"""A network that is named is asked: its task is the run's, or it is refused beside another."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import run_command_line
from harness.plan.networks import network_of
from harness.spec import RunSpec, UsageError


def test_the_tasks_are_those_of_the_networks_where_none_is_named() -> None:
    assert RunSpec().task == ("detection",)
    assert RunSpec(model={"instance": ("a.pt",)}).task == ("instance",)
    both = RunSpec(model={"semantic": ("a.py:b",), "detection": ("c.pt",)})
    assert both.task == ("semantic", "detection")
    assert RunSpec(model={"instance": ("a.pt",)}, task=("none",)).task == ("none",)


def test_a_network_that_no_task_asks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--task", "detection", "--model", "instance=a.pt", "--out", str(tmp_path / "o")]
    assert run_command_line(words) == 2
    said = "--model instance=a.pt: --task detection leaves it idle: add instance there, or leave"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["conf=0.5", "img=640", "imgsz=640,640", ""])
def test_another_option_than_the_size_is_told(option: str, tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    file.write_bytes(b"")
    with pytest.raises(UsageError, match=f"unknown option '{option}', there is imgsz=N alone"):
        network_of("detection", f"{file},{option}", RunSpec())
    with pytest.raises(UsageError, match="no such file"):
        network_of("detection", f"{tmp_path}/absent.pt,{option}", RunSpec())
