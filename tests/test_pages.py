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


def test_the_promises_of_safety_name_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 15
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
