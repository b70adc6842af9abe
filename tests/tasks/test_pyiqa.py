"""Metrics of pyiqa in an environment of its own, with a stand-in for it: no network is needed."""

from __future__ import annotations

import re
import sysconfig
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.image import NDArrayByte, encode_png
from harness import run
from harness.machine.doctor import examine
from harness.spec import UsageError
from tasks import quality
from tasks.quality import pyiqa
from tasks.task import TaskError

STAND_IN = """
import os, random, socket, sys
from pathlib import Path
from typing import Any
import numpy, torch

HERE = Path(__file__).parent
ROWS = {  # mode, lower is better, range
    "lpips": ("FR", True, "0, 1"),
    "niqe": ("NR", True, "~0, ~100"),
    "hyperiqa": ("NR", False, "0, 1"),
    "musiq": ("NR", False, "~0, ~100"),
    "dists": ("FR", True, "0, 1"),
    "fid": ("NR", True, "0, ~"),
}

def list_models():
    return list(ROWS)

def create_metric(name, device):
    print("loading", name)
    return Metric(name)

class Metric(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name
        self.metric_mode, self.lower_better, self.score_range = ROWS[name]
        if name == "niqe":
            (HERE.parents[4] / "niqe.mat").read_bytes()
        else:
            scale = float((HERE / "scale.txt").read_text())
            self.scale = torch.nn.Parameter(torch.tensor(scale))
        if name == "musiq":
            socket.create_connection(("weights.example", 443))

    def forward(self, x, reference=None):
        assert x.dtype == torch.float32 and x.shape[:2] == (1, 3) and not self.training
        if (HERE / "dies").exists() and x.shape[2] < 256:
            sys.stderr.write("loading\\nOut of memory: the weights\\n\\n")
            os._exit(7)
        if self.name == "lpips":  # red of the restored image less that of the clean one
            return self.scale * (x - reference)[:, 0].mean()
        if self.name == "hyperiqa":
            return torch.rand(1) + random.random() + numpy.random.rand()
        if min(x.shape[2:]) < 16:
            raise ValueError("too small\\nfor it")
        if self.name == "fid":
            raise TypeError("expected two folders")
        return x.mean()
"""
GREY = np.full((24, 32, 3), 51, np.uint8)
RED: NDArrayByte = GREY + np.array([102, 0, 0], np.uint8)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has pyiqa, and our torch and numpy."""
    root = tmp_path_factory.mktemp("pyiqa") / "venv"
    venv.create(root, symlinks=True)
    root.with_name("niqe.mat").write_text("a model")
    packages = next(root.glob("lib/*/site-packages"))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "pyiqa").mkdir()
    (packages / "pyiqa" / "__init__.py").write_text(STAND_IN)
    (packages / "pyiqa" / "scale.txt").write_text("1")
    about = packages / "pyiqa-0.1.99.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pyiqa\nVersion: 0.1.99\n")
    return root


@pytest.fixture
def package(environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's folder, which runs use."""
    monkeypatch.setenv(pyiqa.VARIABLE, str(environment / "bin" / "python"))
    return next(environment.glob("lib/*/site-packages/pyiqa"))


def judged(name: str, *images: NDArrayByte) -> float:
    clean, restored = images if len(images) == 2 else (None, images[0])
    return float(quality.evidence(clean, restored, (f"pyiqa:{name}",))[f"pyiqa:{name}"])


@pytest.mark.usefixtures("package")
def test_values_directions_and_kinds_are_pyiqas() -> None:
    assert judged("lpips", GREY, RED) == pytest.approx(0.4)
    assert judged("niqe", GREY) == pytest.approx(0.2)
    # What draws at random draws the same for an image each time.
    assert judged("hyperiqa", GREY) == judged("hyperiqa", GREY)
    words = ("psnr_y_db", "pyiqa:lpips", "pyiqa:niqe", "pyiqa:hyperiqa")
    assert quality.chosen(words) == words
    rows = {name: quality.metric_row(name) for name in words[1:]}
    assert [r.higher_is_better for r in rows.values()] == [False, False, True]
    assert [r.unit for r in rows.values()] == ["fraction", "score", "fraction"]
    assert [quality.metric(name).reference for name in words[1:]] == [True, False, False]
    said = rows["pyiqa:lpips"].caption
    assert re.fullmatch(
        r"pyiqa:lpips: against the clean image, pyiqa 0\.1\.99, weights [0-9a-f]{12}, lower is "
        r"better",
        said,
    )


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lpip", "pyiqa 0.1.99 has no metric 'lpip': did you mean pyiqa:lpips?"),
        ("fid", "pyiqa:fid cannot be used (TypeError: expected two folders). Runs fetch nothing"),
        (
            "musiq",
            "pyiqa:musiq cannot be used (ConnectionRefusedError: nothing is fetched here). Runs "
            "fetch nothing: where its weights are missing, run once: ",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line_with_the_remedy(name: str, said: str) -> None:
    with pytest.raises(TaskError) as raised:
        quality.chosen((f"pyiqa:{name}",))
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)
    if name == "musiq":
        assert str(raised.value).endswith(
            "/bin/python -c \"import pyiqa; pyiqa.create_metric('musiq')\""
        )


def test_without_the_environment_two_commands_make_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(pyiqa.VARIABLE, str(tmp_path / "pyiqa" / "bin" / "python"))
    made = f"python3 -m venv {tmp_path}/pyiqa && {tmp_path}/pyiqa/bin/python -m pip install pyiqa"
    with pytest.raises(UsageError, match="pyiqa:lpips: pyiqa needs an env") as raised:
        run(data_root=str(tmp_path), dataset="folder", task="none", quality=("pyiqa:lpips",))
    assert made in str(raised.value)
    row = next(each for each in examine(tmp_path) if each.what == "pyiqa")
    assert (row.state, made in row.detail) == ("absent", True)


def test_a_python_without_pyiqa_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    python = tmp_path / "bin" / "python"
    monkeypatch.setenv(pyiqa.VARIABLE, str(python))
    with pytest.raises(TaskError, match=f"No module named 'pyiqa'.*: {python} -m pip install "):
        quality.metric("pyiqa:lpips")


def test_a_run_has_its_columns_and_loses_nothing_where_pyiqa_ends(
    package: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for i, side in enumerate((32, 32, 12)):
        (tmp_path / "photos" / f"{i}.png").write_bytes(encode_png(GREY[:, :side] + np.uint8(i)))
    asked: dict[str, Any] = {
        "data_root": str(tmp_path / "photos"),
        "dataset": "folder",
        "task": "none",
        "derainer": "identity",
        "quality": ("psnr", "pyiqa:lpips", "pyiqa:niqe"),
        "workspace": str(tmp_path / "runs"),
    }
    before = [quality.metric(f"pyiqa:{name}").origin for name in ("dists", "niqe")]
    (package / "dies").touch()
    try:
        with pytest.raises(pyiqa.EndedError) as raised:
            run(**asked)
    finally:
        (package / "dies").unlink()
    with pytest.raises(pyiqa.EndedError):  # until another run begins
        judged("lpips", GREY, RED)
    assert re.fullmatch(
        r"pyiqa ended in pyiqa:\w+ \(status 7\): Out of memory: the weights\. What is finished is "
        r"kept: the same command goes on from there",
        str(raised.value),
    )
    # Other weights are another metric, whether it holds them or reads them each time.
    (package / "scale.txt").write_text("2")
    package.parents[3].with_name("niqe.mat").write_text("another model")
    found = run(**asked)
    after = [quality.metric(f"pyiqa:{name}").origin for name in ("dists", "niqe")]
    assert not set(before) & set(after)
    assert [(e.sample, e.message) for e in found.errors] == [
        ("2.png", "pyiqa:niqe cannot judge this image: ValueError: too small for it")
    ]
    assert not found.metrics["pyiqa:lpips"].higher_is_better
    values = {r.metric: r.value for r in found.records if r.rain != "none"}
    assert values["pyiqa:lpips"] is not None
    assert values["psnr_y_db"] is not None
