"""Fixtures: a folder of a user's own code, a data set with labels for every task."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from frozen_world import World, made
from labelled import filled
from own import FILES

import datasets
from datasets.image import NDArrayByte
from datasets.label_png import encode_labels
from datasets.sample import Annotations, Dataset, Sample
from harness.plan import recorder
from harness.work.known_rain import known_rain
from tasks import rle


@cache
def cuts() -> list[tuple[NDArrayByte, NDArrayByte]]:
    """Three of the eight photographs of known rain; `tests/derainers/test_plausible.py` has all."""
    return known_rain()[::3]


@pytest.fixture(autouse=True)
def _few_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.work.known_rain.known_rain", cuts)


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said must not depend on how long it takes."""
    monkeypatch.setattr("harness.cli.terminal.RUN_LINE_EVERY_S", math.inf)
    monkeypatch.setattr("harness.cli.terminal.LINE_EVERY_S", math.inf)


@pytest.fixture
def all_plots() -> None:
    """Asked for by tests of the plots that a run's folder holds."""


@pytest.fixture(autouse=True)
def _few_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One plot of each task: they are most of the time of a report, and `tests/reports` has all."""
    from reports.plots import plots

    every = plots._of

    def first(*words: Any) -> Iterator[Any]:
        return islice((plot for plot in every(*words) if plot is not None), 1)

    if "all_plots" not in request.fixturenames:
        monkeypatch.setattr(plots, "_of", first)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Own code with helpers, and two photographs."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        levels = rng.integers(0, 256, (9, 12, 3), np.uint8)
        image = cv2.resize(levels, (41, 33), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "photos" / f"p{i}.png"), image)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("OWN_LEVEL", raising=False)
    yield tmp_path
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    recorder.forget_changed()


@pytest.fixture
def labelled(coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The miniature COCO with masks and label maps, as a data set of its own name."""

    def open_miniature(root: Path, split: str | None, masks: bool = False) -> Dataset:
        plain = datasets.coco.open_coco(root, split)
        samples = []
        for sample in plain.samples:
            truth = sample.annotations
            assert truth is not None
            drawn = filled(truth.boxes_xyxy_px, sample.image().shape[:2])
            areas = drawn.sum((1, 2)).astype(float)
            fields = (truth.boxes_xyxy_px, truth.categories, areas, truth.is_crowd)
            with_masks = Annotations(*fields, rle.encoded(drawn) if masks else ())
            labels = (drawn * truth.categories[:, None, None]).max(0, initial=0).astype(np.uint8)
            file = tmp_path / f"{sample.id}.label.png"
            file.write_bytes(encode_labels(labels))
            samples.append(
                Sample(sample.id, sample.path, sample.group, with_masks, label_map_path=file)
            )
        classes = {0: "ground", **plain.categories}
        return Dataset("miniature", "all", samples, plain.categories, classes)

    row = datasets.DatasetRow(open_miniature, has_masks=True)
    for table in ("datasets.DATASETS", "harness.plan.data.DATASETS"):
        monkeypatch.setattr(table, {**datasets.DATASETS, "miniature": row})
    return "miniature"


@pytest.fixture(scope="module")
def freeze() -> Iterator[Any]:
    """The script that freezes a benchmark."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        yield importlib.import_module("freeze")


@pytest.fixture(scope="module")
def world(freeze: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A frozen benchmark that the tests of a file share; none changes it."""
    with made(freeze, tmp_path_factory.mktemp("frozen")) as world:
        yield world
