"""The tables of docs/weights.md are those of its numbers, and its numbers those of the weights."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from derainers import DERAINERS
from derainers.card import read_card
from derainers.shards import weights_sha256
from derainers.training.benchmark import BENCHMARK
from harness import RunSpec, run
from harness.training.derainer import MIXTURE

DOCS = Path(__file__).parent.parent / "docs"
PHOTOGRAPHS = 50
METHODS = ("granet", "mspfn-light", "dcsfn-light", "mscg", "hrrsr-x1")


@pytest.fixture(scope="module")
def weights() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS.parent / "benchmarks"))
        return importlib.import_module("weights")


@pytest.fixture(scope="module")
def kept(weights: Any) -> Any:
    return json.loads(weights.KEPT.read_text())


def test_tables_are_as_made(weights: Any, kept: Any) -> None:
    text = weights.PAGE.read_text()
    assert text == weights.filled(text, weights.tables(kept)), "run: python benchmarks/weights.py"


def test_the_numbers_are_of_the_weights_in_the_package(weights: Any, kept: Any) -> None:
    files = ((name, DERAINERS[name].weights) for name in weights.OURS)
    ours = {name: file for name, file in files if file is not None}
    assert set(METHODS) <= set(ours)
    assert kept["weights"] == {name: weights_sha256(file) for name, file in ours.items()}
    assert set(kept["gains"]) == {"median", *ours}
    assert (kept["n"], kept["pairs_n"]) == (PHOTOGRAPHS, 100)
    assert set(kept["rains"]["seen"]) == set(MIXTURE)
    assert not set(kept["rains"]["unseen"]) & set(MIXTURE)


def test_rows_of_the_protocol_learned_alike(weights: Any) -> None:
    assert weights.BY_PROTOCOL
    cards = [weights.CARDS[name] for name in weights.BY_PROTOCOL]
    for name, card in zip(weights.BY_PROTOCOL, cards, strict=True):
        assert name == f"{card['network']}-benchmark"
        assert card["validated_on"]["restored"]["crops"] == 16_000
        assert set(card["trained_on"]["rain_digests"]) == set(BENCHMARK.rains)
        for fact in ("trained_on", "excluded"):
            assert card[fact] == cards[0][fact]
        assert card["validated_on"]["rainy"] == cards[0]["validated_on"]["rainy"]


def test_cards_hold_the_scores(weights: Any, kept: Any) -> None:
    for name in weights.OURS:
        card = read_card(weights.WEIGHTS / f"{name}.safetensors")
        assert card["scores"] == weights.scores(kept, name)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_rain_away(kept: Any, name: str) -> None:
    """What docs/weights.md says of all of them."""
    gains = {rain: gain for rain, (gain, _) in kept["gains"][name].items()}
    assert min(gains["rain100h"], gains["photoshop-heavy"]) >= 5
    assert min(gains[rain] for rain in MIXTURE) >= 0
    assert kept["clean"][name] >= 35
    assert kept["pairs"][name]["psnr_y_db"] >= 30


def test_the_specialist_knows_its_rain(kept: Any) -> None:
    assert kept["pairs"]["granet-rain100l"]["psnr_y_db"] >= 35


@pytest.mark.data
@pytest.mark.slow
def test_a_slice_has_the_kept_numbers(weights: Any, kept: Any, data: Path, tmp_path: Path) -> None:
    entry = yaml.safe_load(weights.SUITE.read_text())[0]
    entry.pop("name")
    entry |= {"rain": ["rain100h"], "derainer": ["identity", "median", "mspfn-light"]}
    entry |= {"data_root": str(data / entry["data_root"]), "workspace": str(tmp_path)}
    found = run(RunSpec.model_validate(entry))
    rainy, *restored = (
        found.value("rain100h", name, "quality", "psnr_y_db").value for name in entry["derainer"]
    )
    assert rainy == pytest.approx(kept["rainy"]["rain100h"], abs=0.01)
    for name, value in zip(entry["derainer"][1:], restored, strict=True):
        expected = kept["rainy"]["rain100h"] + kept["gains"][name]["rain100h"][0]
        assert value == pytest.approx(expected, abs=0.01)
