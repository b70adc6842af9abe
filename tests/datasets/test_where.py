"""Samples by their attributes."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets import DATASETS, Dataset, DatasetError, Sample
from datasets.where import select


def dataset(*weathers: str, unclean: tuple[str, ...] = ()) -> Dataset:
    samples = [
        Sample(str(i), Path(str(i)), str(i), attributes={"weather": w, "timeofday": t})
        for i, w in enumerate(weathers)
        for t in ["dawn/dusk" if i % 2 else "night"]
    ]
    return Dataset("mine", "all", samples, unclean={"weather": unclean})


def ids(chosen: Dataset) -> str:
    return " ".join(s.id for s in chosen.samples)


def test_values_are_alternatives_and_words_are_all_needed() -> None:
    whole = dataset("clear", "rainy", "snowy", "clear")
    assert ids(select(whole, [])) == "0 1 2 3"
    assert not select(whole, []).notes
    assert ids(select(whole, ["weather=rainy/snowy"])) == "1 2"
    assert ids(select(whole, ["weather=clear", "timeofday=night"])) == "0"
    assert select(whole, ["weather=rainy"]).notes == ("weather=rainy: 1 of 4 images",)


def test_a_value_may_hold_a_slash() -> None:
    whole = dataset("clear", "clear")
    assert ids(select(whole, ["timeofday=dawn/dusk"])) == "1"
    assert ids(select(whole, ["timeofday=night/dawn/dusk"])) == "0 1"
    with pytest.raises(DatasetError, match=r"unknown value 'dawn': known are dawn/dusk, night"):
        select(whole, ["timeofday=dawn/night"])


def test_unclean_images_are_left_out_and_counted_unless_asked_for() -> None:
    whole = dataset("clear", "rainy", "snowy", "rainy", unclean=("rainy", "snowy", "foggy"))
    clean = select(whole, [])
    assert ids(clean) == "0"
    assert clean.notes == ("left out as unclean by weather: 2 rainy, 1 snowy",)
    assert ids(select(whole, ["weather=rainy"])) == "1 3"
    assert ids(select(whole, ["timeofday=night"])) == "0"


def test_what_may_be_unclean_by_another_word_is_kept_and_told_of() -> None:
    words = ("heavy_rain", "Heavy_rain", "snowfall", "no rain", "rain-free", "Norain", "clear", "")
    whole = dataset(*words, "train", unclean=("rain", "snow", "fog"))
    kept = select(whole, [])
    assert len(kept.samples) == len(whole.samples)
    assert kept.notes == (
        "kept as clean though weather says 2 heavy_rain, 1 snowfall: --where weather=… chooses",
    )
    assert select(whole, ["weather=heavy_rain"]).notes == ("weather=heavy_rain: 1 of 9 images",)


def test_unknown_words_are_named_with_the_known_ones() -> None:
    whole = dataset("clear", "rainy", unclean=("clear", "rainy"))
    with pytest.raises(DatasetError, match=r"'rain': known are timeofday, weather"):
        select(whole, ["rain=heavy"])
    with pytest.raises(DatasetError, match=r"unknown value 'wet': known are clear, rainy"):
        select(whole, ["weather=wet"])
    for word in ("weather", "weather=", "=rainy"):
        with pytest.raises(DatasetError, match="expected KEY=VALUE"):
            select(whole, [word])
    with pytest.raises(DatasetError, match="no image is left of mine all: left out as unclean"):
        select(whole, [])
    with pytest.raises(DatasetError, match="known are none"):
        select(Dataset("mine", "all", [Sample("0", Path("0"), "0")]), ["weather=rainy"])


def test_bdd100k_leaves_bad_weather_out(bdd100k_root: Path) -> None:
    whole = DATASETS["bdd100k"].open(bdd100k_root, "100k/val")
    clean = select(whole, [])
    assert [s.attributes.get("weather") for s in clean.samples] == ["clear", None, "overcast"]
    assert clean.notes[-1] == "left out as unclean by weather: 1 rainy, 1 snowy, 1 foggy"
    (rainy,) = select(whole, ["weather=rainy"]).samples
    assert not rainy.has_clean
