"""Outlines as Scalabel writes them: curves, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DatasetError


def test_polygons_with_curves_are_rounded() -> None:
    from datasets.scalabel import outlines

    k = 0.5523 * 100  # the usual approximation of a circle by four curves
    ring = [(0, -100), (k, -100), (100, -k), (100, 0), (100, k), (k, 100), (0, 100)]
    ring += [(-k, 100), (-100, k), (-100, 0), (-100, -k), (-k, -100)]
    vertices = [[300 + x, 300 + y] for x, y in ring]
    part = {"vertices": vertices, "types": "LCC" * 4, "closed": True}
    (circle,) = outlines({"labels": [{"category": "bus", "poly2d": [part]}]}, {"bus": 5}, "here")
    assert circle.area_px2 == pytest.approx(np.pi * 100**2, rel=0.01)
    part["types"] = "CCLLLLLLLLLL"
    with pytest.raises(DatasetError, match="a curve needs a point"):
        outlines({"labels": [{"category": "bus", "poly2d": [part]}]}, {"bus": 5}, "here")


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": ({"poly2d": [{"vertices": [[float("nan"), 1]] * 3, "types": "LLL"}]}, "finite number"),
    "huge": ({"poly2d": [{"vertices": [[1e9, 1]] * 3, "types": "LLL"}]}, "lies far outside"),
    "curve": ({"poly2d": [{"vertices": [[1, 1]] * 3, "types": "LCL"}]}, "a curve needs"),
    "far curve": (
        {"poly2d": [{"vertices": [[1, 1], [1e14, 1e14], [-1e14, 1], [9, 9]], "types": "LCCL"}]},
        "lies far outside",
    ),
    "types": ({"poly2d": [{"vertices": [[1, 1]] * 3, "types": "LL"}]}, "'types' must name"),
    "points": ({"poly2d": [{"vertices": [[1, 1, 1]] * 3, "types": "LLL"}]}, "must be points"),
    "list": ({"poly2d": {"a": 1}}, "'poly2d' must be a list"),
    "no outline": ({"poly2d": []}, "must be polygons or run lengths"),
    "overlong": ({"rle": {"size": [720, 1280], "counts": [0, 10**12]}}, "'counts' sum to"),
    "endless": ({"rle": {"size": [720, 1280], "counts": "o" * 99}}, "no compressed run-length"),
    "falling": ({"rle": {"size": [720, 1280], "counts": "1111J"}}, "negative run"),
    "no object": ({"rle": 5}, "run lengths of size None"),
}


def test_hostile_outlines_are_refused_in_one_line_and_end_no_process(tmp_path: Path) -> None:
    labels = [{"category": "car", **shape} for shape, _ in HOSTILE.values()]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    code = """
import json, sys
from datasets import DatasetError
from datasets.scalabel import outlines
for label in json.load(open(sys.argv[1])):
    try:
        outlines({"labels": [label]}, {"car": 3}, "frame 7")
        print("accepted")
    except DatasetError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "labels.json")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # a signal would be negative
    lines = done.stdout.splitlines()
    assert len(lines) == len(HOSTILE)
    for line, (case, (_, words)) in zip(lines, HOSTILE.items(), strict=True):
        assert "frame 7: labels[0]" in line, case
        assert words in line, case
