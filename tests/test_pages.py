"""The pages for people name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_paths_on_a_page_exist(page: str) -> None:
    named = re.findall(r"[`(]((?:\w[\w-]*/)+[\w.-]*)[`)]", (ROOT / page).read_text())
    assert named
    for path in named:
        if not path.startswith(("demo/", "out/", "plots/", "pictures/")):
            assert (ROOT / path).exists(), path
