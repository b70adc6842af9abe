"""Fixtures: a folder of a user's own code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from own import FILES

from harness.plan import recorder


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
