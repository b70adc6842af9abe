"""The weights in the package, what their cards say, and their terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from derainers import DERAINERS, WEIGHTS
from derainers.card import read_card
from derainers.shards import card_file, shards, weights_sha256
from derainers.training.recipes import PAPER
from harness.photographs import choose
from harness.spec import RunSpec
from harness.train import open_splits
from harness.train_derainer import MIXTURE

FILES = {name: row.weights for name, row in DERAINERS.items() if row.weights is not None}
LARGEST_BYTES = 14_000_000
ALL_BYTES = 60_000_000


def test_the_files_are_those_of_the_table_and_small() -> None:
    listed = [shard for file in FILES.values() for shard in shards(file)]
    cards = [card_file(file) for file in FILES.values()]
    assert sorted(WEIGHTS.glob("*.*")) == sorted({*listed, *cards, WEIGHTS / "LICENSE-WEIGHTS.md"})
    sizes = [file.stat().st_size for file in listed]
    assert max(sizes) <= LARGEST_BYTES
    assert sum(sizes) <= ALL_BYTES


@pytest.mark.parametrize("name", FILES)
def test_a_card_tells_what_the_weights_saw(name: str) -> None:
    file = FILES[name]
    card = read_card(file)
    assert card["sha256"] == weights_sha256(file)
    assert card["hours"] > 0
    trained, excluded = card["trained_on"], card["excluded"]["photographs"]
    assert trained["photographs"]
    assert set(trained["rain_digests"]) <= set(MIXTURE)
    assert not set(trained["photographs"]) & {*excluded, *_validation(card)}
    if trained["datasets"] == ["bsds500"]:
        assert len(excluded) == 91
    (terms,) = (
        line.split("|")[3].strip()
        for line in (WEIGHTS / "LICENSE-WEIGHTS.md").read_text().splitlines()
        if line.startswith(f"| `{file.name}`")
    )
    assert terms.startswith("none") == card["data_terms"].startswith("none")


def _validation(card: dict[str, Any]) -> list[str]:
    found: list[str] = card.get("validated_on", {}).get("photographs", [])
    return found


@pytest.mark.data
@pytest.mark.slow
def test_no_photograph_of_a_card_stands_in_rain100l(data: Path) -> None:
    root, targets = data / "bsds500", data / "rain100l" / "target"
    spec = RunSpec(dataset="folder", data_root=str(root), split="train+val")
    found = choose(open_splits(spec), PAPER["granet"], [targets])
    usable = {sample.id for sample in (*found.training, *found.validation)}
    cards = [read_card(file) for file in FILES.values()]
    ours = [c for c in cards if c["trained_on"]["datasets"] == ["bsds500"]]
    assert ours
    for card in ours:
        assert card["excluded"]["photographs"] == list(found.excluded)
        assert {*card["trained_on"]["photographs"], *_validation(card)} <= usable
