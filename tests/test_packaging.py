"""What stands around the package: how to cite it, how a container of it is built."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
WHOLE = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = WHOLE["project"]


def test_the_citation_is_of_this_version_and_of_the_five_papers() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0"
    assert (cited["version"], cited["license"]) == (PROJECT["version"], "Apache-2.0")
    assert len(cited["references"]) == 5
    for paper in cited["references"]:
        families = [author["family-names"] for author in paper["authors"]]
        page = next(
            text
            for file in (ROOT / "docs" / "methods").glob("*.md")
            if paper["title"] in (text := " ".join(file.read_text().split()))
        )
        assert all(family in page for family in families)


def test_the_container_copies_what_there_is_and_runs_as_nobody_special() -> None:
    steps = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
    words = [line.split() for line in steps.splitlines() if line and not line.startswith("#")]
    assert words[0][0] == "FROM"
    assert ("USER", "derain") in [tuple(line) for line in words]
    copied = [name for line in words if line[0] == "COPY" for name in line[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    # All but torch, which the argument brings, is of the versions that the tests ran with.
    assert "lock.txt > /tmp/tested.txt" in steps
    assert "--constraint /tmp/tested.txt" in steps
    packages = {name.partition(".")[0] for name in WHOLE["tool"]["setuptools"]["packages"]}
    assert packages <= set(copied)
    (extras,) = re.findall(r"'\.\[([\w,-]+)\]'", steps)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert words[-1][1] == f'["{next(iter(PROJECT["scripts"]))}"]'
