"""Which derainer helps which task, by how much, at what cost, and is that real? In words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.findings.effects import TARGETS, Effect, effects
from reports.results.conditions import floors
from reports.results.intervals import FEWEST
from reports.results.metrics import MetricRow
from reports.results.results import QUALITY
from reports.tables.summary import FEW_VALUES
from reports.tables.text import figures, plain, signed, span

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

TRAINED = {"rain": "this kind of rain", "images": "this data set"}
"""What a derainer may have been trained on."""
HEADLINED = {"rain": "this rain", "images": "these data"}
"""The same in a headline."""
MOST_NAMES = 4
"""Derainers that a headline names before it counts."""


@dataclass(frozen=True)
class Answer:
    """What a run says of one task under one rain."""

    about: str
    headline: str
    rain: str
    """What the rain does to the score."""
    derainers: list[str]
    """A sentence for each, the largest change first."""


def answers(results: Results) -> list[Answer]:
    """An answer for each task network and rain, tasks first and image quality last."""
    found = []
    family = effects(results)
    for judge in results.judges:
        metric = results.primary(judge.task)
        for rainy in floors(results):
            floor = metric and results.at(rainy, judge, metric)
            if not floor or floor.value is None:
                continue
            mine = [e for e in family if (e.judge, e.condition.rainy) == (judge, rainy)]
            mine.sort(key=lambda e: -e.difference if e.row.higher_is_better else e.difference)
            known = {e.condition for e in mine}
            held = [r for r in results.records if (r.judge, r.metric) == (judge, metric)]
            derained = [r for r in held if r.condition.is_derained and r.condition.rainy == rainy]
            others = [r for r in derained if r.condition not in known]
            found.append(
                Answer(
                    plain(f"{results.titled(judge)} under {rainy.rain}"),
                    _headline(results, mine, floor, others),
                    _rain(results, floor),
                    [
                        *(_derainer(results, floor, e) for e in mine),
                        *(said for r in others if (said := _uncompared(results, r))),
                    ],
                )
            )
    return found


def _headline(
    results: Results, family: Sequence[Effect], floor: Record, others: Sequence[Record]
) -> str:
    """The verdicts of a family in a sentence, and what they rest on."""
    if not family:
        return (
            "Nothing was derained."
            if not others
            else "No derainer can be set against the rainy input."
        )
    if all(e.verdict is None for e in family):
        return f"Too little was measured for a verdict{_too_few(results, floor)}."
    better, worse = (
        [(plain(e.condition.name), _trained(results, e)) for e in family if e.verdict == verdict]
        for verdict in ("better", "worse")
    )
    if not better and not worse:
        return f"No significant difference{_images_for(family, floor)}."
    if any(e.row.unit == "dB" for e in family):
        name = family[0].row.title
        up, down = f"raise{{}} {name}", "lower{} it" if better else f"lower{{}} {name}"
    else:
        up, down = "help{}", "make{} it worse"
    said = [
        f"{_names(names)} {verb.format('s' if len(names) == 1 else '')}"
        for names, verb in ((better, up), (worse, down))
        if names
    ]
    return f"{'Yes' if better else 'No'}: {'; '.join(said)}."


def _too_few(results: Results, floor: Record) -> str:
    """That there are too few images for any interval, where it is so."""
    groups = results.groups(floor)
    if groups >= FEWEST:
        has_few = floor.judge.task == QUALITY and floor.cell not in results.draws
        return f": {FEW_VALUES}" if has_few else ""
    kind = "images" if groups == floor.n else "drives or scenes"
    return f": {groups:,} {kind}, and {FEWEST} are the fewest that give an interval"


def _images_for(family: Sequence[Effect], floor: Record) -> str:
    """How many images show the difference that a study should show, where these are fewer."""
    needed = max((e.needed for e in family if e.needed is not None), default=0)
    if needed <= floor.n:
        return ""
    row = family[0].row
    return (
        f": one of {_amount(TARGETS[row.unit], row)} takes {needed:,} images, here are {floor.n:,}"
    )


def _trained(results: Results, effect: Effect) -> str:
    """What a derainer was trained on of what it is judged by."""
    record = results.at(effect.condition, effect.judge, effect.metric)
    seen = () if record is None else record.seen or ()
    said = [words for key, words in HEADLINED.items() if key in seen]
    return f" (trained on {' and '.join(said)})" if said else ""


def _names(found: Sequence[tuple[str, str]]) -> str:
    """Names with what they were trained on, as a list in words; what all have in common once."""
    if len({trained for _, trained in found}) == 1:
        return _listed([name for name, _ in found]) + found[0][1]
    return _listed([f"{name}{trained}" for name, trained in found])


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMES:
        names = [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _rain(results: Results, floor: Record) -> str:
    """What the rain does to the score, and whether that is more than chance."""
    assert floor.value is not None
    row = results.metrics[floor.metric]
    name, clean = row.title, results.at(floor.condition.clean, floor.judge, floor.metric)
    rainy = _amount(floor.value, row)
    found = None if clean is None else results.compare(clean, floor)
    if clean is None or clean.value is None or found is None:
        return f"{name} is {rainy} on rainy images."
    both = f"{rainy} on rainy images, {_amount(clean.value, row)} on clean ones"
    if found.ci is None:
        return f"{name} is {both}."
    if found.ci[1] < 0 if row.higher_is_better else found.ci[0] > 0:
        return f"The rain {'lowers' if row.higher_is_better else 'raises'} {name}: {both}."
    difference = span(found.ci, row.decimals)
    return f"The rain costs no {name} for certain: {both}, difference {difference}."


def _derainer(results: Results, floor: Record, effect: Effect) -> str:
    """What one derainer does, what that costs, and how far it can be believed."""
    assert floor.value is not None
    row = effect.row
    record = results.at(effect.condition, effect.judge, effect.metric)
    trained = [words for key, words in TRAINED.items() if record and key in (record.seen or ())]
    about = f" (trained on {' and '.join(trained)})" if trained else ""
    said = [f"{plain(effect.condition.name)}{about}: "]
    said.append(f"{_amount(floor.value + effect.difference, row)}, {_change(effect)}")
    if effect.verdict == "better" and effect.recovery is not None:
        assert effect.recovery_ci is not None
        low, high = (f"{100 * end:.0f}" for end in effect.recovery_ci)
        share = f"{100 * effect.recovery:.0f} % ({low} to {high} %)"
        said.append(f"; that is {share} of what the rain cost")
    if effect.verdict == "no significant difference" and effect.smallest is not None:
        said.append(
            f"; a change of {_amount(effect.smallest, row)} would have shown in 80 % of studies"
        )
        if effect.needed is not None:
            said.append(f", with {effect.needed:,} images one of {_amount(TARGETS[row.unit], row)}")
    if effect.harm is not None:
        said.append(f"; on clean images {signed(effect.harm, row.decimals)}{_unit(row)}")
    return "".join(said) + "." + _cost(results, effect)


def _uncompared(results: Results, record: Record) -> str:
    """What is known of a derainer that cannot be set against the rainy input; empty if nothing."""
    row, name = results.metrics[record.metric], plain(record.condition.name)
    if record.is_identical:
        return f"{name}: all images equal their reference, which no {row.title} is above."
    if record.value is None:
        return ""
    if record.cell not in {*results.by_image.values, *results.gaps}:
        return (
            f"{name}: {_amount(record.value, row)}, a mean without the images that equal their "
            "reference; whether the rainy input's is of the same ones these results do not say, "
            "so there is no difference."
        )
    return (
        f"{name}: {_amount(record.value, row)}, a mean over other images than the rainy input's: "
        "those that equal their reference have none; so there is no difference."
    )


def _change(effect: Effect) -> str:
    """A difference in words, with its interval."""
    row = effect.row
    if effect.difference == 0 and effect.ci is None:
        return "the same as the rainy input (no interval)"
    word = "better" if (effect.difference > 0) == row.higher_is_better else "worse"
    amount = f"{_amount(abs(effect.difference), row)} {word} than the rainy input"
    if effect.ci is None:
        return f"{amount} (no interval)"
    low, high = (signed(v, row.decimals) for v in effect.ci)
    shown = f"95 % interval {low} to {high}"
    if effect.verdict in ("better", "worse"):
        return f"{amount} ({shown})"
    said = effect.verdict or "no verdict on a difference"
    return f"{said} to the rainy input ({signed(effect.difference, row.decimals)}, {shown})"


def _cost(results: Results, effect: Effect) -> str:
    """Seconds an image, in a sentence of its own."""
    for cost in results.cost:
        if cost.condition == effect.condition:
            return f" It takes {seconds(results.seconds(cost))} an image."
    return ""


def seconds(value: float) -> str:
    """A time as it is read best."""
    return f"{figures(1000 * value)} ms" if value < 0.9995 else f"{figures(value)} s"


def _amount(value: float, row: MetricRow) -> str:
    return f"{value:.{row.decimals}f}{_unit(row)}"


def _unit(row: MetricRow) -> str:
    return " dB" if row.unit == "dB" else ""
