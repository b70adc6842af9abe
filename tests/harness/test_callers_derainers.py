"""Derainers that a caller hands over in Python."""

from __future__ import annotations

import logging
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.image import NDArrayByte, NDArrayFloat
from derainers.derainer import Derainer
from harness import RunSpec, run
from harness.ledger.runs import load_results
from harness.spec import UsageError
from reports.results.record import ImageError


@pytest.fixture(scope="module")
def spec(coco_root: Path, detector_file: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        model={"detection": (str(detector_file),)},
    )


class Dark:
    """A derainer that fails on one image and darkens the others."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        if sample_id == "2":
            raise RuntimeError("out of luck")
        return image.astype(np.float32) / np.float32(510)


def test_derainers_of_the_caller(spec: RunSpec, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 3, 3, padding=1)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    own = {"mine": module, "scaled": Derainer(module, range=(-1, 1)), "dark": Dark()}
    spec = spec.model_copy(update={"workspace": str(tmp_path), "task": ("none",)})
    results = run(spec, derainers=own)
    assert {r.derainer for r in results.records} == {"identity", "median", *own}
    assert {r.n for r in results.records} == {7}
    code = Path(__file__).read_text().splitlines()
    line = 1 + next(i for i, text in enumerate(code) if 'RuntimeError("out of luck")' in text)
    told = f"RuntimeError: out of luck (test_callers_derainers.py:{line})"
    assert results.errors == [ImageError("2", "derain", told)]
    log = (tmp_path / "log.txt").read_text()
    assert "INFO image 2 failed (derain)\nTraceback" in log
    assert f"INFO run {results.run[:12]} ends after" in log
    assert not logging.getLogger("harness").handlers
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert module.training
    assert results.value("real-like", "mine", "quality", "psnr_y_db") is not None
    assert len(results.frame) == len(results.records)


def test_a_changed_module_is_another_derainer(spec: RunSpec, tmp_path: Path) -> None:
    spec = spec.model_copy(
        update={"workspace": str(tmp_path), "task": ("none",), "derainer": ("identity",)}
    )
    module = torch.nn.Conv2d(3, 3, 1)
    values = []
    for _ in range(2):
        record = run(spec, derainers={"mine": module}).value(
            "real-like", "mine", "quality", "psnr_y_db"
        )
        assert record is not None
        values.append(record.value)
        module.weight.data.mul_(0.5)
    assert values[0] != values[1]


@pytest.mark.parametrize("name", ["median", ""])
def test_names_of_the_callers_derainers_are_their_own(name: str, spec: RunSpec) -> None:
    with pytest.raises(UsageError, match="is taken, or no name: choose another"):
        run(spec, derainers={name: torch.nn.Identity()})


MEETING = threading.Barrier(2)


class Meeting:
    """A derainer that waits until two images are being derained at once."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        if sample_id != "trial":
            MEETING.wait(timeout=120)
        return image.astype(np.float32) / np.float32(255)


def test_two_workers_derain_two_images_at_a_time(spec: RunSpec, tmp_path: Path) -> None:
    spec = spec.model_copy(
        update={
            "workspace": str(tmp_path),
            "task": ("none",),
            "derainer": ("identity",),
            "workers": 2,
        }
    )
    assert run(spec, derainers={"meeting": Meeting()}).errors == []


class Keeping:
    """Has the image in hand while it works, as wrappers of networks do."""

    def __init__(self, held: Any) -> None:
        self.shown, self.held = np.zeros((1, 1, 3), np.uint8), held

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        self.shown = image
        time.sleep(0.03)  # others get their turn
        return self.shown.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("held", [None, threading.Lock()], ids=["copied", "not to be copied"])
def test_threads_do_not_give_each_other_their_images(
    held: Any, spec: RunSpec, tmp_path: Path
) -> None:
    update = {"workspace": str(tmp_path), "task": ("none",), "derainer": (), "workers": 4}
    results = run(spec.model_copy(update=update), derainers={"keeping": Keeping(held)})
    assert results.errors == []
    for metric in ("psnr_y_db", "ssim_y"):
        kept, rainy = (
            results.value("real-like", name, "quality", metric) for name in ("keeping", "identity")
        )
        assert kept.value == rainy.value is not None


def test_truncation_sees_what_rounding_hides(spec: RunSpec, tmp_path: Path) -> None:
    """A derainer that answers 0.6 levels above the clean image is one level off when rounded."""
    spec = spec.model_copy(
        update={
            "workspace": str(tmp_path),
            "task": ("none",),
            "rain": ("none",),
            "derainer": ("identity",),
            "protocol": ("matlab-y", "pil-y", "dcsfn"),
        }
    )
    results = run(spec, derainers={"above": Above()})
    rounded = results.value("none", "above", "quality", "psnr_y_db")
    truncated = results.value("none", "above", "quality", "psnr_y_db@pil-y")
    assert rounded is not None
    assert rounded.value is not None
    assert truncated is not None
    assert truncated.n_identical == 8
    # neither: the mean squared error is 0.36 levels, or less where an image is white
    exact = results.value("none", "above", "quality", "psnr_rgb_db@dcsfn")
    assert exact is not None
    assert exact.value == pytest.approx(20 * math.log10(255 / 0.6), abs=0.1)
    assert set(results.provenance.protocols) == {"matlab-y", "pil-y", "dcsfn", "niqe"}


class Above:
    """0.6 levels above the image, where that is still in range."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        levels = image.astype(np.float32) + np.float32(0.6)
        above: NDArrayFloat = np.minimum(levels / np.float32(255), np.float32(1))
        return above


def test_any_other_name_of_a_derainer_goes_through_a_run(spec: RunSpec, tmp_path: Path) -> None:
    names = ("lab/mask", "a|b", "back\\slash|", "ünï 雨", " spaced  name ")
    quick = spec.model_copy(
        update={"workspace": str(tmp_path), "task": ("none",), "derainer": (), "limit": 2}
    )
    found = run(quick, derainers={name: torch.nn.Conv2d(3, 3, 1) for name in names})
    assert {(r.derainer, r.stage) for r in found.records} == {
        (name, None) for name in ("identity", *names)
    }
    kept = load_results(tmp_path, None)
    assert kept.records == found.records
    assert kept.draws.keys() == found.draws.keys()
    assert kept.by_image.values.keys() == found.by_image.values.keys()
