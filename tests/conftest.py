"""Fixtures: a miniature COCO, a small detector, the real data where they are, every device."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import harness  # sets the environment before ultralytics is imported
from harness.machine.memory import keep_large_blocks
from tests.miniatures import maker_of, miniature, tiny_detector

HANGS_S = 600
"""After this a test of seconds is ended as one that hangs, however busy the machine is."""
TESTS = Path(__file__).parent
DATA = Path(os.environ.get("DERAIN_HARNESS_DATA", TESTS.parent.parent / "shared" / "data"))
assert harness
sys.path.append(str(TESTS / "tasks"))  # tests of harness make networks with its exports.py
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
keep_large_blocks()  # as the command line does: halves the time of large forwards


class HangError(BaseException):
    """No `Exception`, so that nothing takes it for the fault of an image."""


@pytest.fixture(autouse=True)
def _hangs_are_noticed(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test needs a bound of its own, which a slow machine would break."""
    if request.node.get_closest_marker("slow"):
        yield
        return

    def ended(*_: object) -> None:
        raise HangError(f"not done after {HANGS_S} s")

    before = signal.signal(signal.SIGALRM, ended)
    signal.alarm(HANGS_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True, scope="session")
def _ultralytics_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["YOLO_CONFIG_DIR"] = str(tmp_path_factory.mktemp("ultralytics"))


@pytest.fixture(scope="session")
def coco_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return miniature("coco", tmp_path_factory.mktemp("coco"))


@pytest.fixture(scope="session")
def miniature_of() -> Callable[[str, Path], Path]:
    """Makes the miniature of a data set in a folder."""
    return miniature


@pytest.fixture(scope="session")
def maker() -> Callable[[str], Any]:
    """What makes the miniatures of a data set."""
    return maker_of


@pytest.fixture
def coco_of(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a miniature with as many images as are asked for."""
    return lambda images: miniature("coco", tmp_path / f"coco-{images}", images=images)


@pytest.fixture(scope="session")
def bdd100k_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return miniature("bdd100k", tmp_path_factory.mktemp("bdd100k"))


@pytest.fixture
def bdd100k_root(bdd100k_made: Path, tmp_path: Path) -> Path:
    """A copy, which a test may change."""
    return shutil.copytree(bdd100k_made, tmp_path / "bdd100k")


@pytest.fixture
def camvid_root(tmp_path: Path) -> Path:
    return miniature("camvid", tmp_path / "camvid")


@pytest.fixture(scope="session")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained ultralytics detector of COCO's three classes of the miniature."""
    return tiny_detector(tmp_path_factory.mktemp("weights") / "tiny.pt")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set DERAIN_HARNESS_DATA")
    return DATA


def devices() -> list[str]:
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(params=devices())
def device(request: pytest.FixtureRequest) -> str:
    """Every device that is there."""
    name: str = request.param
    return name
