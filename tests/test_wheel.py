"""The package as it is installed, not as it lies in a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from harness.plan.stages import STAGES, made_by
from harness.spec import DEFAULT_RAIN

ROOT = Path(__file__).parent.parent
BESIDE = ("CHANGELOG.md", "CITATION.cff", "SECURITY.md", "lock.txt")
SOURCES = ("harness", "datasets", "derainers", "tasks", "reports")
BUILD = "import sys; from setuptools import build_meta as b; print(b.build_{}(sys.argv[1]))"


def command(folder: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python of this environment whose packages are those in ``folder``, without any network."""
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "no_proxy": "",
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    environment.pop("DERAIN_HARNESS_DATA", None)
    return subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


def build(kind: str, source: Path, folder: Path) -> Path:
    """A wheel or an sdist of what lies in a folder."""
    words = [sys.executable, "-c", BUILD.format(kind), str(folder)]
    built = subprocess.run(words, cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / built.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of the checkout, unpacked."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sdist")
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", *BESIDE):
        shutil.copy(ROOT / name, source)
    for name in (*SOURCES, "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    with tarfile.open(build("sdist", source, folder)) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def installed(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the sdist, unpacked as an installer does."""
    wheel = build("wheel", unpacked, tmp_path_factory.mktemp("wheels"))
    folder = tmp_path_factory.mktemp("installed")
    with ZipFile(wheel) as content:
        content.extractall(folder)
    return folder


def test_an_sdist_has_what_a_reader_needs_and_no_half_of_the_tests(unpacked: Path) -> None:
    assert {*BESIDE, "LICENSE", "README.md"} <= {path.name for path in unpacked.iterdir()}
    assert not (unpacked / "tests").exists()


def test_every_file_of_a_package_is_in_the_wheel(installed: Path) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for name in SOURCES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    lacking = {name for name in wanted if not (installed / name).is_file()}
    assert len(wanted) > 150
    assert not lacking


def test_a_wheel_names_its_sources_as_the_checkout_does(installed: Path, tmp_path: Path) -> None:
    ask = (
        "import sys; from harness.plan.stages import STAGES, made_by\n"
        "print([made_by(stage)['code'] for stage in STAGES]); sys.exit('torch' in sys.modules)"
    )
    told = command(installed, tmp_path, "-c", ask)
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == str([made_by(stage)["code"] for stage in STAGES])


@pytest.mark.slow
def test_scenes_and_weights_come_along(installed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    where = command(installed, home, "-c", "import harness; print(harness.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed), where.stderr
    words = ("run", "--derainer", "granet", "--task", "detection", "--out", "out")
    done = command(installed, home, "-m", "harness", *words)
    assert done.returncode == 0, done.stderr
    results = json.loads((home / "out" / "results.json").read_text())
    found = {(r["rain"], r["derainer"], r["metric"]): r for r in results["records"]}
    clean, rainy, derained = (
        ("none", "identity"),
        (DEFAULT_RAIN, "identity"),
        (DEFAULT_RAIN, "granet"),
    )
    for metric in ("ap50", "ap_pooled", "psnr_y_db"):
        assert found[*derained, metric]["value"] > found[*rainy, metric]["value"]
    for metric in ("ap50", "ap_pooled"):
        assert found[*clean, metric]["value"] > found[*rainy, metric]["value"]
    assert found[*derained, "psnr_y_db"]["ci"] is not None
