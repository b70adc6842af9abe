"""Numbers that are called alike and were made by other things: no repeats, and no one ranking."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reports.findings.rankings import carried
from reports.findings.repeats import reliabilities, repeats
from reports.results.results import Results
from reports.results.training import Training
from reports.tables.repeats import table
from tests.reports.made import record
from tests.reports.test_rankings import ranked
from tests.reports.test_repeats import found, scored

SOURCES = {"derain-harness": "0.1"}


def told(run: Results, **provenance: Any) -> Results:
    """A run with more in its provenance."""
    return replace(run, provenance=replace(run.provenance, **provenance))


def of_code(run: Results, code: str, **more: Any) -> Results:
    """A run whose derainers have no weights, and code of one digest."""
    names = {r.condition.name: code for r in run.records}
    records = [replace(r, weights=None) for r in run.records]
    return told(replace(run, records=records), **{"code": names, "versions": SOURCES, **more})


def by_network(run: Results, sha256: str) -> Results:
    """A run whose task network has a name that says nothing of its weights."""
    models = {r.model: Training(sha256) for r in run.records}
    return told(run, trainings={"detection": models})


def recorded(run: Results) -> Results:
    """Scores of single images with the records of their sets."""
    records = [
        record(
            rain=c.condition.rain,
            seed=c.condition.seed,
            derainer=c.condition.derainer,
            task=c.task,
            model=c.network,
            metric=c.metric,
            value=0.5,
            n=60,
            unit="fraction",
        )
        for c in run.by_image.values
    ]
    return replace(run, records=records)


OTHERS = {
    "code": of_code,
    "network": by_network,
    "rain": lambda run, word: told(run, rains={r.rain: word for r in run.records}),
    "labels": lambda run, word: told(run, labels={"detection": word}),
    "evidence": lambda run, word: told(run, metric_versions={"detection": len(word)}),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_what_was_made_by_other_things_is_no_repeat(make: Any) -> None:
    runs = [make(found(seed, (0.4,)), "one") for seed in (0, 1)]
    (one,) = repeats(runs)
    assert one.seeds == 2
    assert one.mean == pytest.approx(0.405)
    assert repeats([runs[0], make(found(1, (0.4,)), "another")]) == []
    # An older run that is of other things takes nothing from the newer ones.
    assert [r.mean for r in repeats([*runs, make(found(2, (0.4,)), "another")])] == [one.mean]


def test_repeats_of_one_name_and_other_code_are_told_apart_by_their_runs() -> None:
    runs = [of_code(found(seed, (0.4,)), word) for word in ("one", "other") for seed in (0, 1)]
    headings, rows, _ = table(runs)
    assert headings[-1] == "runs"
    assert [row[-1] for row in rows] == [f"{'0' * 12}, {'1' * 12}"] * 2
    assert "runs" not in table(runs[:2])[0]


def test_code_under_other_sources_of_ours_says_nothing() -> None:
    newer = of_code(found(1, (0.4,)), "another", versions={"derain-harness": "0.2"})
    (one,) = repeats([of_code(found(0, (0.4,)), "one"), newer])
    assert one.seeds == 2


def test_scores_of_other_networks_do_not_repeat_each_other() -> None:
    a, b = (recorded(scored(seed, 0.5)) for seed in (0, 1))
    one = by_network(a, "one")
    assert len(reliabilities([one, by_network(b, "one")])) == 1
    assert reliabilities([one, by_network(b, "another")]) == []
    (few,) = reliabilities(
        [of_code(a, "one"), told(of_code(b, "one"), code={"a": "x", "b": "one"})]
    )
    assert few.among == 4


@pytest.mark.parametrize("make", [OTHERS["network"], OTHERS["labels"]])
def test_rankings_by_other_networks_or_labels_do_not_carry_over(make: Any) -> None:
    light, heavy = ({rain: "abcde"} for rain in ("light", "heavy"))
    (one,) = carried([make(ranked(light), "one"), make(ranked(heavy), "one")])
    assert one.differs == "rain"
    assert one.tau == 1
    assert carried([make(ranked(light), "one"), make(ranked(heavy), "another")]) == []


def test_derainers_of_one_name_and_other_code_are_not_ranked_as_one() -> None:
    light, heavy = (of_code(ranked({rain: "abcde"}), "one") for rain in ("light", "heavy"))
    changed = told(heavy, code={**(heavy.provenance.code or {}), "a": "another"})
    assert carried([light, heavy])[0].derainers == 5
    assert carried([light, changed])[0].derainers == 4
