"""The answer in words: headline, what the rain costs, what each derainer does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reports.tables.answers import answers, seconds
from tests.reports.made import cost, rowed
from tests.reports.test_effects import CELLS, study
from tests.reports.test_reports import results


def test_the_headline_gives_the_verdicts() -> None:
    (answer,) = answers(study(CELLS))
    assert answer.about == "Detection under heavy"
    assert answer.headline == "Yes: good helps; bad makes it worse."
    assert answer.rain == ("The rain lowers AP pooled: 0.300 on rainy images, 0.600 on clean ones.")


def test_what_the_rain_costs_must_be_more_than_chance_too() -> None:
    (answer,) = answers(study(CELLS | {("none", "identity"): 0.305}))
    assert answer.rain.startswith(
        "The rain costs no AP pooled for certain: 0.300 on rainy images, "
    )
    assert ", difference [-0.02" in answer.rain
    (answer,) = answers(study(CELLS, groups=19))
    assert answer.rain == "AP pooled is 0.300 on rainy images, 0.600 on clean ones."


def test_without_a_derainer_that_helps_it_says_no_or_not_shown() -> None:
    def headline(*names: str, groups: int = 100) -> str:
        cells = {c: v for c, v in CELLS.items() if c[1] in ("identity", *names)}
        (answer,) = answers(study(cells, groups=groups))
        return answer.headline

    assert headline("bad") == "No: bad makes it worse."
    assert headline("idle") == (
        "No significant difference: one of 0.010 takes 873 images, here are 100."
    )
    assert headline() == "Nothing was derained."
    assert headline("good", groups=19) == (
        "Too little was measured for a verdict: 19 images, and 20 are the fewest that give an "
        "interval."
    )


def test_a_headline_says_who_knew_the_rain() -> None:
    known = study({c: v for c, v in CELLS.items() if c[1] in ("identity", "good", "bad")})
    seen = [replace(r, seen=("rain",) if r.derainer == "good" else ()) for r in known.records]
    (answer,) = answers(replace(known, records=seen))
    assert answer.headline == "Yes: good (trained on this rain) helps; bad makes it worse."
    both = study({("heavy", "identity"): 0.3, ("heavy", "a"): 0.5, ("heavy", "b"): 0.45})
    all_seen = [replace(r, seen=("rain",)) for r in both.records]
    (answer,) = answers(replace(both, records=all_seen))
    assert answer.headline == "Yes: a and b (trained on this rain) help."


def test_many_names_are_counted() -> None:
    cells = {("heavy", "identity"): 0.3} | {("heavy", f"d{i}"): 0.5 - i / 100 for i in range(6)}
    (answer,) = answers(study(cells))
    assert answer.headline == "Yes: d0, d1, d2 and 3 more help."


def test_each_derainer_has_its_sentence_the_best_first() -> None:
    took = [cost("heavy", "good", 0.0123)]
    good, idle, bad = answers(replace(study(CELLS), cost=took))[0].derainers
    assert good.startswith("good: 0.450, 0.150 better than the rainy input (95 % interval +0.1")
    assert (
        "; that is 50 % (44 to 56 %) of what the rain cost; on clean images -0.020. It takes 12.3 "
        in good
    )
    assert idle.startswith("idle: 0.301, no significant difference to the rainy input (+0.001, ")
    assert "; a change of 0.034 would have shown in 80 % of studies, with 1,1" in idle
    assert " images one of 0.010; on clean" in idle or " images one of 0.010." in idle
    assert "rain cost" not in idle
    assert bad.startswith("bad: 0.200, 0.100 worse than the rainy input")


def test_training_on_the_rain_is_told() -> None:
    (answer,) = answers(results())
    assert answer.derainers[0].startswith("b (trained on this kind of rain): 0.300, 0.100 better")


def test_decibels_are_quality_and_come_last() -> None:
    task, quality = study(CELLS), study(CELLS, metric="psnr_y_db", unit="dB")
    records = [*quality.records, *task.records]
    found = answers(rowed(task, records=records, draws=quality.draws | task.draws))
    assert [a.about for a in found] == ["Detection under heavy", "Image quality under heavy"]
    assert found[1].headline == "Yes: good raises PSNR-Y; bad lowers it."
    assert found[1].derainers[0].startswith("good: 0.45 dB, 0.15 dB better than the rainy input")


def test_an_unclear_change_has_no_verdict() -> None:
    wide = results()
    cell = wide.records[2].cell
    wide.draws[cell] = np.random.default_rng(1).normal(0.3, 0.5, 2000).astype(np.float32)
    assert "no significant difference to the rainy input" in answers(wide)[0].derainers[0]


def test_times_are_read_easily() -> None:
    assert [seconds(s) for s in (0.00123, 0.456, 2.5)] == ["1.23 ms", "456 ms", "2.5 s"]
    assert [seconds(s) for s in (0.9994, 0.9998, 1234.5)] == ["999 ms", "1 s", "1,234 s"]
