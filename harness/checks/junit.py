"""Verdicts as JUnit XML, which continuous integration shows as tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple
from xml.etree import ElementTree

from datasets.names import text_of

Status = Literal["passed", "failed", "skipped"]


class Case(NamedTuple):
    """One verdict."""

    group: str
    name: str
    status: Status
    message: str


def write_junit(file: Path, suite: str, cases: Iterable[Case]) -> None:
    """Write a suite of cases."""
    root = ElementTree.Element("testsuite", name=_text(suite))
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in cases:
        counts[case.status] += 1
        one = ElementTree.SubElement(
            root, "testcase", classname=_text(case.group), name=_text(case.name)
        )
        if case.status != "passed":
            kind = "failure" if case.status == "failed" else "skipped"
            ElementTree.SubElement(one, kind, message=_text(case.message))
    root.set("tests", str(sum(counts.values())))
    root.set("failures", str(counts["failed"]))
    root.set("skipped", str(counts["skipped"]))
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _text(value: str) -> str:
    r"""Text that XML may hold, with signs that it may not as ``\x1b``."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text_of(value)
    )
