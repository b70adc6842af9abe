"""The pages of docs/methods hold what benchmarks/methods.py makes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from derainers import DERAINERS

ROOT = Path(__file__).parent.parent
PAGES = ("dcsfn", "granet", "hrrsr", "mscg", "mspfn")


@pytest.fixture(scope="module")
def methods() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("methods")


@pytest.mark.parametrize("name", PAGES)
def test_tables_are_as_made(methods: Any, name: str) -> None:
    text = (ROOT / "docs" / "methods" / f"{name}.md").read_text()
    marks = [line for line in text.splitlines() if line.startswith("<!-- ")]
    end = "<!-- end -->"
    assert marks == ["<!-- parameters -->", end, "<!-- weights -->", end, "<!-- claims -->", end]
    with torch.device("meta"):  # parameters are counted
        tables = methods.tables(name)
    assert text == methods.filled(text, tables), "run: python benchmarks/methods.py"


def test_every_page_is_linked(methods: Any) -> None:
    assert sorted(methods.VARIANTS) == list(PAGES)
    assert sorted(f.stem for f in (ROOT / "docs" / "methods").glob("*.md")) == list(PAGES)
    for name in PAGES:
        assert f"(docs/methods/{name}.md)" in (ROOT / "README.md").read_text()
        assert f"(methods/{name}.md)" in (ROOT / "docs" / "papers.md").read_text()


def test_every_derainer_of_a_page_is_a_variant(methods: Any) -> None:
    words = {v.word: page for page, of in methods.VARIANTS.items() for v in of.values() if v.word}
    found = {word: page for word, page in words.items() if word in DERAINERS}
    printed = {c.derainer for c in methods.select(PAGES) if ":" in (c.derainer or "")}
    # The same networks, one trained by another loss, one shown larger images.
    assert printed - set(words) == {"mspfn:eloss=0", "nledn:sides=odd"}
    assert set(found) == {word for word in DERAINERS if word.partition("-")[0] in PAGES}
    for word, page in found.items():
        with torch.device("meta"):
            built: Any = DERAINERS[word].build(None)
        count = sum(p.numel() for p in built.module.parameters())
        lines = (ROOT / "docs" / "methods" / f"{page}.md").read_text().splitlines()
        (row,) = (line for line in lines if f" | {word} | " in line)
        assert f" {count:,} |" in row


def test_the_table_of_what_came_out_is_as_made(methods: Any) -> None:
    text = methods.PAGE.read_text()
    tables = {name: methods.reproduced(name) for name in methods.PAPERS}
    assert text == methods.filled(text, tables), "run: python benchmarks/methods.py"


def test_measured_values_are_kept(
    methods: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nledn = {"measured": 36.52, "n": 100, "verdict": "reproduced", "reason": None}
    granet = {"measured": 36.51, "n": 100, "verdict": "differs", "reason": None}
    kept = {
        "authors": {"granet:1 Rain100L, PSNR | NLEDN [15]": nledn},
        "own": {"granet:1 Rain100L, PSNR | Our GraNet": granet},
    }
    (tmp_path / "measured.json").write_text(json.dumps(kept))
    monkeypatch.setattr(methods, "MEASURED", tmp_path / "measured.json")
    for cached in (methods.measured, methods.findings):
        cached.cache_clear()
    claims, reproduced = methods.claims("granet"), methods.reproduced("granet")
    for cached in (methods.measured, methods.findings):
        cached.cache_clear()
    assert "36.57; 36.52 reproduced (n 100)" in "\n".join(claims)
    assert claims[0] == reproduced[0] == "88 numbers: 87 cannot-run, 1 reproduced."
    assert reproduced[-2:] == [
        r"| 1 | Rain100L, PSNR, NLEDN \[15\] | 36.57 | 36.52 | reproduced |  |  |",
        "| 1 | Rain100L, PSNR, Our GraNet | 37.55 |  |  | 36.51 | -1.04 |",
    ]


def test_a_card_is_told(methods: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    card = {
        "trained_on": {
            "datasets": ["photos"],
            "split": "train",
            "rain_digests": {"rain100l": "", "rain100h": ""},
            "photographs": ["a", "b"],
        },
        "recipe": {"kind": "short"},
        "steps_done": 12000,
        "begun_with": {"sha256": "", "hours": 0.25, "steps": 1000},
        "validated_on": {
            "photographs": ["c"],
            "rainy": {"psnr_y_db": 20.0, "ssim_y": 0.5},
            "restored": {"psnr_y_db": 30.0, "ssim_y": 0.9},
        },
        "hours": 2.5,
        "hardware": "2 CPU threads",
    }
    (tmp_path / "mscg.json").write_text(json.dumps(card))
    monkeypatch.setattr(methods, "WEIGHTS", tmp_path)
    assert methods.weights("mscg")[-1].split(" | ")[1:] == [
        "short, steps 12,000 + 1,000 before",
        "2 of photos train",
        "rain100l, rain100h",
        "2.5 + 0.25 before, 2 CPU threads",
        "20.00 to 30.00 dB, SSIM-Y 0.500 to 0.900 (1 photographs) |",
    ]
