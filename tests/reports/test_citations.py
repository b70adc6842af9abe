"""What a run used is cited: every name that the harness knows has an entry."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from datasets.rain.rows import RAINS
from datasets.rows import DATASETS
from derainers.published import PUBLISHED
from derainers.rows import DERAINERS
from reports.tables.citations import REFERENCES, citations, entries
from tasks.models.rows import BUNDLED, DEFAULTS, MODELS
from tasks.quality import METRICS
from tests.reports.test_reports import results

OURS = {
    "data": {"streetsim", "yolo", "folder", "pairs"},
    "rain": {"photoshop-light", "photoshop-medium", "photoshop-heavy", "real-like"},
    "derainer": {"identity", "median"},
    "network": {f"{kind}{end}" for end in ("", "-seg", "-sem") for kind in ("onnx", "torchscript")},
}
"""Forms of files, and what we made up."""


def keys(text: str) -> set[str]:
    return set(re.findall(r"^@\w+\{([\w-]+),", text, re.MULTILINE))


def test_every_name_has_an_entry_and_every_entry_a_name() -> None:
    networks = {*MODELS, *DEFAULTS.values(), *(name for _, name in BUNDLED)}
    networks -= {n for n in networks if n.startswith("transformers")}
    names = {
        "data": set(DATASETS),
        "rain": set(RAINS),
        "derainer": {*DERAINERS, *PUBLISHED},
        "network": networks,
        "metric": {m for m in METRICS if not m.startswith("psnr") or "@" in m} | {"ap", "mask_ap"},
    }
    known = {f"{kind} {n}" for kind in names for n in names[kind] - OURS.get(kind, set())}
    patterns = [p for _, found in entries() for p in found]
    assert not {k for k in known if not any(fnmatchcase(k, p) for p in patterns)}
    later = {"network detr*", "network rtdetr*", "network rt-detr*", "data outdoor*rain*",
             "data rain100*", "metric *mspfn-table6*", "always"}  # fmt: skip
    assert not {p for p in patterns if not any(fnmatchcase(k, p) for k in known)} - later
    assert len(keys(REFERENCES.read_text())) == len(list(entries()))


def test_a_run_cites_what_it_used_alone() -> None:
    known = results()
    chained = replace(known, spec={**known.spec, "derainer": ["mine=median+prenet-rain100l@a.pth"]})
    assert keys(citations(chained)) == {"derain-harness", "coco", "prenet", "ultralytics"}
    assert "keywords" not in citations(chained)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bibtex") is None, reason="needs TeX")
def test_bibtex_reads_every_entry(tmp_path: Path) -> None:
    (tmp_path / "cite.bib").write_text(REFERENCES.read_text())
    lines = [r"\relax", r"\citation{*}", r"\bibstyle{plain}", r"\bibdata{cite}"]
    (tmp_path / "a.aux").write_text("\n".join(lines))
    made = subprocess.run(
        ["bibtex", "a"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout
    assert "error" not in made.stdout
