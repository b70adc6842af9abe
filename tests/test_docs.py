"""The documentation: its commands are commands, its links lead somewhere, it tells every name."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import datasets
import datasets.rain
import derainers
import harness
import tasks
import tasks.quality
from harness.cli.main import parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(python -m harness \w[\w-]*\s(?!--help)[^`]+)`")
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")


def commands() -> list[str]:
    """Those of all blocks and of code in lines, less what a shell makes of them."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [" ".join(code.split()) for code in CODE.findall(BLOCK.sub("", text))]
        for block in [*BLOCK.findall(text), *lines]:
            for line in block.replace("\\\n", " ").splitlines():
                command = line.partition("  #")[0].partition(" | ")[0].partition(" > ")[0].strip()
                match = re.search(r"(?:python3? -m harness|derain-harness) (.+)", command)
                if match and not re.search(r"^&&|\$\{?\w|…|\.\.\.|\[", match[1]):
                    alone = match[1].partition(" && ")[0].partition(";")[0]
                    found.append(" ".join(alone.split()))
    return sorted(set(found))


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_documentation_is_one(command: str) -> None:
    """Its verb, flags and choices are known; what it does other tests show."""
    arguments = parser().parse_args(shlex.split(command))
    assert callable(arguments.action)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target, _ in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


def test_every_page_stands_in_the_order_of_the_site() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {str(p.relative_to(ROOT / "docs").with_suffix("")) for p in PAGES[3:]} - {"index"}
    listed = [line for line in index.splitlines() if re.fullmatch(r"[\w/-]+", line)]
    assert sorted(listed) == sorted(pages)


def test_every_public_name_stands_in_the_reference() -> None:
    reference = (ROOT / "docs" / "api.md").read_text()
    names = [
        *(harness.__all__, datasets.__all__, derainers.__all__, tasks.__all__),
        *(datasets.rain.__all__, tasks.quality.__all__),
    ]
    lacking = {name for part in names for name in part if not re.search(rf"\b{name}\b", reference)}
    assert not lacking
