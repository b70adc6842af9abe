"""Runs whose units are computed on Ray, started here with two workers."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import psutil
import pytest
from command import finish, start

from datasets.image import NDArrayByte, NDArrayFloat
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.spec import UsageError
from reports.results.record import ImageError
from reports.results.results import Results
from reports.results.written import to_json

OWN = """
from torch import nn

class Darker(nn.Module):
    def forward(self, image):
        return image * 0.9

def darker():
    return Darker()
"""


class Deadly:
    """Ends the process of whoever derains one of the images."""

    digest = "deadly"

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        if sample_id == "5":
            os._exit(1)
        return np.asarray(image / 255, np.float32)


@pytest.fixture
def spec(coco_root: Path, detector_file: Path, tmp_path: Path) -> RunSpec:
    (tmp_path / "own.py").write_text(OWN)
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median", f"{tmp_path}/own.py:darker"),
        model={"detection": (str(detector_file),)},
        workspace=str(tmp_path / "local"),
        workers=2,
    )


def processes_of_ray() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if "ray" in " ".join(process.cmdline()) or "gcs_server" in process.name():
                found.append(process)
    return found


def addresses_of(processes: list[psutil.Process]) -> set[str]:
    """Where they listen."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            connections = process.net_connections()
            found |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    return found


def text_of(results: Results) -> str:
    text = to_json(results)
    return text[text.index(' "errors"') :]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_gives_the_same_bytes_though_a_worker_is_killed(
    spec: RunSpec,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # a user's file brings its folder
    local = run(spec)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.py").write_text("raise AssertionError('imported in place of ours')")
    handler = signal.getsignal(signal.SIGTERM)
    killed: list[int] = []
    listening: set[str] = set()

    def progress(label: str, done: int, total: int) -> None:
        assert signal.getsignal(signal.SIGTERM) is handler
        listening.update(addresses_of([psutil.Process(), *processes_of_ray()]))
        if "median" in label and done == 2 and not killed:
            actors = [p for p in processes_of_ray() if p.name().startswith("ray::Actor")]
            assert len(actors) == 2
            killed.append(actors[0].pid)
            actors[0].kill()

    there = spec.model_copy(update={"engine": "ray", "workspace": str(tmp_path / "ray")})
    found = run(there, progress=progress)
    assert text_of(found) == text_of(local)
    assert killed
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert [
        r.getMessage().partition(": ")[0] for r in caplog.records if r.levelname == "WARNING"
    ] == ["a worker was lost"]
    addresses = [ipaddress.ip_address(ip.removeprefix("::ffff:")) for ip in listening]
    assert addresses
    assert all(address.is_loopback for address in addresses), listening
    assert processes_of_ray() == []
    kept = {
        name: {f.name: f.read_bytes() for f in (tmp_path / name / "images").rglob("*.*")}
        for name in ("local", "ray")
    }
    assert len(kept["local"]) == 16
    assert kept["ray"] == kept["local"]


@pytest.mark.ray
@pytest.mark.slow
def test_an_image_that_kills_workers_is_an_error_of_that_image(
    spec: RunSpec, caplog: pytest.LogCaptureFixture
) -> None:
    there = spec.model_copy(update={"engine": "ray", "derainer": (), "task": ("none",)})
    found = run(there, derainers={"deadly": Deadly()})
    assert found.errors == [ImageError("5", "worker", "3 workers were lost with it")]
    assert {r.n for r in found.records} == {7}
    # The unit before it is computed again too, where its answer was lost with the worker.
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said.count("a worker was lost: 5 is computed again") == 2
    assert all(re.fullmatch(r"a worker was lost: \d is computed again", line) for line in said)
    assert len(said) <= 2 + 3, "each of the three losses takes one answer at most"


def test_ray_that_is_not_there_is_one_line(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--dataset", "coco", "--data-root", str(spec.data_root), "--task", "none"]
    words += ["--workspace", spec.workspace]
    for more, told in (
        (["--address", "auto"], "--address auto is of --engine ray"),
        (["--engine", "ray", "--address", "nowhere"], "--address: String should match pattern"),
    ):
        assert run_command_line([*words, *more]) == 2
        assert told in capsys.readouterr().err
    monkeypatch.setattr("harness.machine.about.version", lambda package: None)
    assert run_command_line([*words, "--engine", "ray"]) == 2
    err = capsys.readouterr().err
    install = f"{sys.executable} -m pip install 'derain-harness[ray]'"
    assert err == f"error: --engine ray needs Ray: {install}\n"


@pytest.mark.ray
def test_a_cluster_without_processors_is_refused(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = SimpleNamespace(cluster_resources=dict)
    monkeypatch.setattr("harness.work.ray_engine._remote", lambda *_: cluster)
    asked = spec.model_copy(update={"engine": "ray", "address": "127.0.0.1:1", "workers": None})
    with pytest.raises(UsageError, match=r"the Ray cluster at 127\.0\.0\.1:1 has no CPU: start"):
        run(asked)


def test_ray_imported_before_is_one_line(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    there = spec.model_copy(update={"engine": "ray", "derainer": (), "task": ("none",)})
    with pytest.raises(UsageError, match="Ray was imported before"):
        run(there)
    assert "RAY_AUTH_MODE" not in os.environ


@pytest.mark.ray
@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1"])
def test_a_cluster_that_is_not_there_is_one_line(address: str, spec: RunSpec) -> None:
    words = ["run", "--dataset", "coco", "--data-root", str(spec.data_root), "--task", "none"]
    words += ["--workspace", spec.workspace, "--engine", "ray", "--address", address]
    # Ray remembers in a process what it was started with.
    status, _, err = finish(start(*words, fresh=True))
    assert status == 2
    assert err.count("\n") == 1
    assert "no Ray cluster answers there" in err


@pytest.mark.ray
@pytest.mark.slow
def test_a_killed_run_leaves_no_process_and_no_folder(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tempfile.TemporaryDirectory(prefix="r")  # names of Ray's sockets may not be long
    home = Path(short.name)
    monkeypatch.setenv("TMPDIR", str(home))
    words = ["run", "--dataset", "coco", "--data-root", str(spec.data_root), "--derainer"]
    words += ["median", "--task", "none", "--engine", "ray", "--workers", "1"]
    process = start(*words, "--workspace", str(tmp_path / "w"), fresh=True)
    while not any(home.glob("ray-*/session_latest/logs/worker*")):
        assert process.poll() is None, finish(process)
        time.sleep(0.1)
    process.kill()
    finish(process)
    until = time.monotonic() + 60
    left: list[object] = [home]
    while left and time.monotonic() < until:
        time.sleep(0.5)
        left = [*home.glob("ray-*"), *of_ray(home)]
    assert not left
    short.cleanup()


def of_ray(home: Path) -> list[str]:
    """Command lines that name a folder."""
    lines = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            lines.append(" ".join(each.cmdline()))
    return [line for line in lines if str(home) in line]
