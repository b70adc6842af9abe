"""The tables of docs/weights.md are those of its numbers, and its numbers those of the weights."""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from derainers import DERAINERS
from derainers.card import read_card
from derainers.training.benchmark import BENCHMARK
from harness import RunSpec, run
from harness.training.derainer import MIXTURE

DOCS = Path(__file__).parent.parent / "docs"
PHOTOGRAPHS = 24


@pytest.fixture(scope="module")
def weights() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS.parent / "benchmarks"))
        return importlib.import_module("weights")


@pytest.fixture(scope="module")
def page() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS.parent / "benchmarks"))
        return importlib.import_module("weights_page")


@pytest.fixture
def kept(page: Any) -> Any:
    return json.loads(page.KEPT.read_text())


def test_tables_are_as_made(weights: Any, page: Any, kept: Any) -> None:
    text = page.PAGE.read_text()
    assert text == weights.filled(text, page.tables(kept)), "run: python benchmarks/weights.py"
    assert page.KEPT.read_text() == weights.text(kept)


def test_the_numbers_are_of_the_weights_in_the_package(weights: Any, kept: Any) -> None:
    assert {"identity", "median"} <= set(kept["derainers"])
    for name, of in kept["derainers"].items():
        assert of["weights"] == weights.sha256(name)


def test_all_are_measured_on_the_same_images(page: Any, kept: Any) -> None:
    rains = {run: set(values) for run, values in kept["derainers"]["median"]["psnr_y_db"].items()}
    assert len(kept["units"]["photographs"]) == PHOTOGRAPHS
    assert [len(set(kept["units"][run])) for run, _ in page.PAIRS] == [91, 91]
    for of in kept["derainers"].values():
        for run_, values in of["psnr_y_db"].items():
            assert {rain for rain in values if rain != "none"} == rains[run_] - {"none"}
            assert {len(found) for found in values.values()} == {len(kept["units"][run_])}


def test_the_rains_of_the_page_are_those_of_the_protocol(page: Any, kept: Any) -> None:
    learned = [rain for _, rain in (*page.SIX, *page.REAL)]
    assert sorted(["none", *learned]) == sorted(BENCHMARK.rains)
    assert {rain for _, rain in page.SIX} == set(MIXTURE)
    new = {rain.partition(":")[0] for _, rain in page.new(kept)}
    assert new == set(BENCHMARK.held_out_rains)


def test_rows_of_the_protocol_learned_alike(page: Any) -> None:
    assert page.BY_PROTOCOL
    cards = [page.CARDS[name] for name in page.BY_PROTOCOL]
    for name, card in zip(page.BY_PROTOCOL, cards, strict=True):
        assert name in (card["network"], f"{card['network']}-benchmark")
        assert card["validated_on"]["restored"]["crops"] == 16_000
        assert set(card["trained_on"]["rain_digests"]) == set(BENCHMARK.rains)
        for fact in ("trained_on", "excluded"):
            assert card[fact] == cards[0][fact]
        assert card["validated_on"]["rainy"] == cards[0]["validated_on"]["rainy"]


def test_cards_hold_the_scores(page: Any, kept: Any) -> None:
    for name in kept["derainers"]:
        if (file := DERAINERS[name].weights) is not None:
            assert read_card(file)["scores"] == page.scores(kept, name)


def test_a_gain_is_the_mean_of_paired_differences(page: Any) -> None:
    units = [str(number) for number in range(24)]
    rainy = [20.0 + number for number in range(24)]

    def of(change: float) -> dict[str, Any]:
        return {"psnr_y_db": {"r": {"rain": [value + change for value in rainy]}}}

    now: Any = {"units": {"r": units}, "derainers": {"identity": of(0), "a": of(2), "b": of(5)}}
    assert page.gain(now, "a", [("r", "rain")]) == (2.0, pytest.approx((2.0, 2.0)))
    assert page.gain(now, "b", [("r", "rain")], over="a") == (3.0, pytest.approx((3.0, 3.0)))
    spread = copy.deepcopy(now)
    for place in range(0, 24, 2):
        spread["derainers"]["a"]["psnr_y_db"]["r"]["rain"][place] += 2
    mean, (low, high) = page.gain(spread, "a", [("r", "rain")])
    assert mean == pytest.approx(3)
    assert low < 2.7
    assert high > 3.3


def measured(folder: Path, rainy: tuple[float, ...], restored: tuple[float, ...]) -> Path:
    """The folder of a run of three images, clean and under one rain."""
    rows = ["image,unit,rain,derainer,pixels,quality/psnr_y_db"]
    for rain, name, values in (
        ("none", "identity", (np.inf,) * 3),
        ("wet", "identity", rainy),
        ("none", "median", (30.0, np.inf, 32.0)),
        ("wet", "median", restored),
    ):
        rows += [f"{i},{i},{rain},{name},,{value}" for i, value in enumerate(values)]
    folder.mkdir()
    (folder / "images.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_numbers_are_kept_by_image(weights: Any, tmp_path: Path) -> None:
    now: dict[str, Any] = {"units": {}, "derainers": {}, "cost": {}}
    out = measured(tmp_path / "a", (20.0, 21.0, 22.0), (23.0, 24.0, 25.123456))
    weights.add(now, "photographs", out, [])
    assert now["units"] == {"photographs": ["0", "1", "2"]}
    median = now["derainers"]["median"]
    assert median["psnr_y_db"]["photographs"]["wet"] == [23.0, 24.0, 25.1235]
    assert median["psnr_y_db"]["photographs"]["none"] == [30.0, None, 32.0]  # JSON has no infinity
    assert json.loads(weights.text(now)) == now


def test_numbers_of_other_images_are_refused(weights: Any, tmp_path: Path) -> None:
    """A network that is measured later must not stand beside others under another rain."""
    now: dict[str, Any] = {"units": {}, "derainers": {}, "cost": {}}
    out = measured(tmp_path / "a", (20.0, 21.0, 22.0), (23.0, 24.0, 25.0))
    weights.add(now, "photographs", out, [])
    before = copy.deepcopy(now)
    other = measured(tmp_path / "b", (20.0, 21.0, 22.5), (23.0, 24.0, 25.0))
    with pytest.raises(SystemExit, match="photographs: images or rains are not those"):
        weights.add(now, "photographs", other, [])
    assert now == before


@pytest.mark.data
@pytest.mark.slow
def test_a_slice_has_the_kept_numbers(weights: Any, kept: Any, data: Path, tmp_path: Path) -> None:
    entry = yaml.safe_load(weights.SUITE.read_text())[0]
    entry.pop("name")
    names = ["identity", "median", "mspfn-light-benchmark"]
    entry |= {"rain": ["rain100h"], "derainer": names, "limit": 4}
    entry |= {"data_root": str(data / entry["data_root"]), "workspace": str(tmp_path)}
    found = run(RunSpec.model_validate(entry)).images
    for name in names:
        psnr = found[(found.rain == "rain100h") & (found.derainer == name)].psnr_y_db
        places = [kept["units"]["photographs"].index(sample) for sample in found["sample"].unique()]
        expected = kept["derainers"][name]["psnr_y_db"]["photographs"]["rain100h"]
        assert psnr.tolist() == pytest.approx([expected[place] for place in places], abs=0.01)


def test_darkening_is_told_from_other_changes(page: Any) -> None:
    rainy = np.full((20, 20, 3), 100, np.uint8)
    darker = rainy - 5
    assert page.harm.change(rainy, darker) == (5, -5, 0)
    darker[:10] += 10
    assert page.harm.change(rainy, darker) == (5, 0, 5)
    rainy[:, 9] = 200  # a streak, of which anything may be made
    assert page.harm.change(rainy, np.where(rainy == 200, 50, rainy)) == (0, 0, 0)
