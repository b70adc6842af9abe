"""The layout of remedies: which network and derainer is which row, what is paired with what."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from reports.findings.contrasts import judged
from reports.findings.over_repeats import Repeated, over_levels
from reports.findings.remedies import (
    BOTH,
    CLEAN,
    DERAIN,
    DERAINED,
    MIXTURE,
    NOTHING,
    RAIN,
    Family,
    families,
)
from reports.layouts.layouts import laid_out
from reports.layouts.remedies import remedies
from reports.results.cell import Cell
from reports.results.provenance import Provenance
from reports.results.record import Record
from reports.results.results import Results
from reports.results.training import Training
from tests.reports.made import cost, record, rowed

HEAVY, LIGHT = "photoshop-heavy", "rain100l"
TRAININGS = {
    "base": Training("base-sha", rains=("none",), begun_with="older-sha", seed=0, hours=1.8),
    **{
        f"{kind}{seed}": Training(
            f"{kind}{seed}-sha",
            rains=rains,
            derained_by="granet" if kind == "derained" else None,
            begun_with="base-sha",
            steps=60,
            hours=0.25,
            seed=seed,
            footing="equal",
        )
        for kind, rains in {
            "dry": ("none",),
            "wet": (HEAVY,),
            "mix": (HEAVY, "none"),
            "derained": (HEAVY,),
        }.items()
        for seed in (0, 1)
    },
}
N, B = 40, 2000
T = TypeVar("T")


def there(value: T | None) -> T:
    """What must be there."""
    assert value is not None
    return value


def value(network: str, rain: str, derainer: str) -> float:
    """A score that only its place decides."""
    learned = {"base": 0.0, "dry": 0.01, "wet": 0.2, "mix": 0.15, "derained": 0.12}
    told = {"none": 0.5, HEAVY: 0.1, LIGHT: 0.3}[rain] + learned[network.rstrip("01")]
    told += 0.05 if derainer == "granet" else 0.0
    return told + (0.004 if network.endswith("1") else 0.0)


def made(trainings: dict[str, Training] = TRAININGS, seed: int = 0) -> Results:
    """A run of networks on dry images and two rains, with and without a derainer."""
    told = trainings
    shared = np.random.default_rng(0).normal(0, 0.02, B)
    records: list[Record] = []
    draws: dict[Cell, Any] = {}
    for network, rain, derainer in itertools.product(
        told, ("none", HEAVY, LIGHT), ("identity", "granet")
    ):
        is_seen = rain == HEAVY and HEAVY in (told[network].rains or ())
        one = record(
            rain=rain,
            derainer=derainer,
            task="detection",
            model=network,
            metric="ap_pooled",
            value=value(network, rain, derainer),
            ci=(0.0, 1.0),
            n=N,
            seen=("task-rain",) if is_seen else (),
            seed=seed,
            unit="fraction",
        )
        records.append(one)
        own = np.random.default_rng([seed, len(records)]).normal(0, 0.003, B)
        draws[one.cell] = np.asarray(there(one.value) + shared + own, np.float32)
    provenance = Provenance(data_fingerprint="f", groups=N, trainings={"detection": told})
    took = [cost(HEAVY, "granet", 0.35), cost(LIGHT, "granet", 0.45)]
    took = [replace(c, condition=replace(c.condition, seed=seed)) for c in took]
    plain = Results("r", {"dataset": "coco"}, provenance, took, [], records, draws)
    return rowed(plain)


def one_family(*runs: Results) -> Family:
    (found,) = families(runs)
    return found


def test_every_network_and_derainer_has_its_row() -> None:
    family = one_family(made())
    assert family.network == "base"
    assert [(r.kind, r.derainer, len(family.ones(r))) for r in family.cells] == [
        (NOTHING, "", 3),
        (CLEAN, "", 6),
        (DERAIN, "granet", 3),
        (RAIN, "", 6),
        (MIXTURE, "", 6),
        (DERAINED, "granet", 6),
        (BOTH, "granet", 6),
        (BOTH, "granet", 6),
        (BOTH, "granet", 6),
    ]
    titles = [r.title for r in family.cells]
    assert titles[0] == "nothing"
    assert set(titles[-3:]) == {
        "trained longer on clean images, and derain by granet",
        f"trained on {HEAVY}, and derain by granet",
        f"trained on {HEAVY} and clean images, and derain by granet",
    }
    assert len(set(titles)) == len(titles)
    assert family.rains == ["none", HEAVY, LIGHT]
    assert [family.is_seen(rain) for rain in family.rains] == [False, True, False]
    assert family.without_twin() == []


def test_rain_that_weights_may_have_seen_before_is_not_called_unseen() -> None:
    run = made()
    untold = [replace(r, seen=r.seen or None) for r in run.records]
    family = one_family(replace(run, records=untold))
    assert [family.is_seen(rain) for rain in family.rains] == [None, True, None]
    text = remedies([replace(run, records=untold)], "md")
    assert f"{HEAVY} (seen rain)" in text
    assert f"{LIGHT} (rain, seen or not is not known)" in text


def test_differences_are_paired_by_image_and_seed() -> None:
    results = made()
    family = one_family(results)
    nothing, wet, dry = (there(family.first(kind)) for kind in (NOTHING, RAIN, CLEAN))
    score = there(family.number(wet, HEAVY))
    assert score.value == pytest.approx((0.3 + 0.304) / 2)
    assert score.repeats == 2
    found = {r.cell: results.draws[r.cell].astype(np.float64) for r in results.records}
    at = {(r.model, r.rain): found[r.cell] for r in results.records if r.derainer == "identity"}
    for other, partners in ((nothing, ("base", "base")), (dry, ("dry0", "dry1"))):
        low, high = there(there(family.against(wet, other, HEAVY)).ci)
        table = [at[f"wet{i}", HEAVY] - at[partner, HEAVY] for i, partner in enumerate(partners)]
        expected = Repeated.of(np.stack(table)[None, :, None]).interval(N)
        assert (low, high) == expected
        unpaired = there(score.ci)
        assert high - low < (unpaired[1] - unpaired[0]) * 0.7
    assert family.against(wet, wet, HEAVY) is None


def test_a_difference_has_one_interval_whether_it_was_named_before_or_not() -> None:
    family = one_family(*(made(seed=seed) for seed in range(3)))
    nothing, wet, dry = (there(family.first(kind)) for kind in (NOTHING, RAIN, CLEAN))
    named = [
        there(family.against(wet, other, rain)) for rain in family.rains for other in (nothing, dry)
    ]
    assert [judge.ci for judge in judged(named, family.row)] == [each.ci for each in named]


def test_one_network_is_held_against_every_training_of_another() -> None:
    """Whichever stands first: "nothing" has one seed, which is that of one training by chance."""
    family = one_family(made())
    derain, wet = (there(family.first(kind)) for kind in (DERAIN, RAIN))
    change, back = family.against(derain, wet, HEAVY), family.against(wet, derain, HEAVY)
    assert there(change).value == pytest.approx(0.15 - (0.3 + 0.304) / 2)
    assert there(change).repeats == there(back).repeats == 2
    assert there(there(change).ci) == pytest.approx(tuple(-x for x in there(there(back).ci))[::-1])
    both = next(r for r in family.cells if r.kind == BOTH and r.rains == (HEAVY,))
    assert there(family.against(derain, both, HEAVY)).repeats == 2


def test_seeds_of_the_rain_are_repeats_of_rain_alone() -> None:
    family = one_family(*(made(seed=seed) for seed in range(3)))
    wet = there(family.first(RAIN))
    repeats = {rain: there(family.number(wet, rain)).repeats for rain in family.rains}
    assert repeats == {"none": 2, HEAVY: 6, LIGHT: 6}
    change = there(family.against(wet, family.first(NOTHING), HEAVY))
    assert change.repeats == 6
    assert change.ci is not None
    other = made(seed=1)
    redrawn = replace(other, provenance=replace(other.provenance, metric_versions={"resamples": 2}))
    (family,) = families([made(), redrawn])
    assert there(family.number(there(family.first(RAIN)), HEAVY)).ci is None, "other sets"
    other = replace(other, provenance=replace(other.provenance, data_fingerprint="others"))
    assert len(families([made(), other])) == 2, "other images are no repeats"


def test_repeats_that_do_not_pair_have_no_difference() -> None:
    known = {name: TRAININGS[name] for name in ("base", "wet0", "wet1", "dry0")}
    family = one_family(made(known | {"dry1": replace(TRAININGS["dry1"], seed=7)}))
    wet = there(family.first(RAIN))
    assert family.against(wet, family.first(CLEAN), HEAVY) is None


def test_a_twin_has_as_many_steps_on_the_same_images() -> None:
    longer = {n: replace(TRAININGS[n], steps=90, footing="more") for n in ("dry0", "dry1")}
    results = made(TRAININGS | longer)
    lacking = one_family(results).without_twin()
    assert [r.kind for r in lacking] == [RAIN, MIXTURE, DERAINED]
    text = remedies([results], "md")
    assert f"Without a twin of as many steps on clean images: trained on {HEAVY}" in text


def test_a_network_behind_another_derainer_is_no_remedy() -> None:
    other = {n: replace(TRAININGS[n], derained_by="mspfn") for n in ("derained0", "derained1")}
    assert DERAINED not in [r.kind for r in one_family(made(TRAININGS | other)).cells]


@pytest.mark.parametrize(("name", "is_own"), [("granet@0a1b2c3d", True), ("gate:granet", False)])
def test_the_weights_tell_a_derainer_and_not_the_gate_before_it(name: str, is_own: bool) -> None:
    own = {n: replace(TRAININGS[n], derained_weights="w") for n in ("derained0", "derained1")}
    run = made(TRAININGS | own)
    called = {
        r.cell: replace(r, derainer=name, weights="w")
        for r in run.records
        if r.derainer == "granet"
    }
    records = [called.get(r.cell, r) for r in run.records]
    draws = {called[c].cell if c in called else c: d for c, d in run.draws.items()}
    kinds = [r.kind for r in one_family(replace(run, records=records, draws=draws)).cells]
    assert (DERAINED in kinds) == is_own


def test_networks_from_random_weights_are_a_family_by_their_footing() -> None:
    fresh = {n: replace(t, begun_with=None) for n, t in TRAININGS.items() if n != "base"}
    family = one_family(made(fresh))
    assert family.network == "dry0"
    assert [r.kind for r in family.cells][:2] == [NOTHING, DERAIN]
    assert family.without_twin() == []
    family = one_family(made({n: fresh[n] for n in ("wet0", "wet1")}))
    assert family.network is None
    assert [r.kind for r in family.without_twin()] == [RAIN]


def test_a_run_without_rain_trained_networks_has_two_rows() -> None:
    alone = made({"base": TRAININGS["base"]})
    assert [r.kind for r in one_family(alone).cells] == [NOTHING, DERAIN]
    assert "No network of the run was trained on rain" in remedies([alone], "md")
    nothing = replace(alone, provenance=Provenance(data_fingerprint="f", groups=N))
    assert "No remedies" in remedies([nothing], "md")


def test_each_kind_of_repeat_is_resampled() -> None:
    draws = np.random.default_rng(1).normal(0, 0.01, (3, B)) + np.array([[0.0], [1.0], [2.0]])
    one = over_levels(draws)
    assert one.std() == pytest.approx(1 / np.sqrt(3), rel=0.05), "of the mean of three numbers"
    assert over_levels(draws[:1]) == pytest.approx(draws[0])
    crossed = over_levels(np.broadcast_to(draws[:, None], (3, 4, B)))
    assert crossed.std() == pytest.approx(one.std(), rel=0.05), "equal levels add nothing"


def test_the_layout_says_scores_marks_and_costs() -> None:
    files = laid_out("remedies", [made()])
    text = files["remedies.md"]
    lines = [line.split("|")[1:-1] for line in text.splitlines() if "|" in line]
    rows = [[word.strip() for word in line] for line in lines]
    columns = ["remedy", "dry images", f"{HEAVY} (seen rain)", f"{LIGHT} (unseen rain)"]
    assert rows[0] == [*columns, "trainings", "steps", r"training \[h\]", "ms an image"]
    by_title = {row[0]: row for row in rows[:12]}
    wet = by_title[f"trained on {HEAVY}"]
    assert wet[2].startswith("0.302‡")
    assert wet[4:] == ["2", "60", "0.25", "0"]
    assert by_title["derain by granet"][4:] == ["1", "–", "–", "400"]
    assert by_title["nothing"][4:] == ["1", "–", "–", "0"]
    assert text.count("against nothing") == 1
    assert text.count(f"against trained on {HEAVY}") == 1
    assert re.search(r"nothing \| -0\.\d+ \\\[", text.split(f"against trained on {HEAVY}")[1])
    assert "‡ the task network was trained on this kind of rain." in text
    assert files["remedies.tex"].count(r"\begin{tabular}") == 3
    assert r"\&" not in files["remedies.tex"]
    assert files["remedies.tex"].count(r"\label{tab:remedies-") == 3
    assert not re.search(r"caption.*task network was trained", files["remedies.tex"])
