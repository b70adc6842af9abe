"""The page of a run: one HTML file that opens from disk and asks nothing of a network."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from reports.effects import Effect, effects, primary
from reports.tables import conditions, effects_table, label, plain, summary, title

if TYPE_CHECKING:
    from harness.record import Results


def page(results: Results, drawn: dict[str, bytes]) -> str:
    """The page as text; everything that came from outside is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    headings, rows, notes = summary(results)
    effect_headings, effect_rows, effect_notes = effects_table(results)
    pictures = [
        {
            "sample": g.sample,
            "label": label(g.rain, g.derainer),
            "width": g.width,
            "height": g.height,
            "source": _data("image/jpeg", g.jpeg),
            "boxes": g.boxes,
        }
        for g in results.gallery
    ]
    samples = list(dict.fromkeys(p["sample"] for p in pictures))
    return environment.get_template("report.html.j2").render(
        results=results,
        sentences=sentences(results),
        headings=headings,
        rows=rows,
        facts={k: _words(v) for k, v in (results.provenance | results.spec).items()},
        notes=notes,
        effect_headings=effect_headings,
        effect_rows=effect_rows,
        effect_notes=effect_notes,
        plots=[
            {"name": name, "source": _data("image/svg+xml", data)}
            for name, data in drawn.items()
            if name.endswith(".svg")
        ],
        gallery=[(s, [p for p in pictures if p["sample"] == s]) for s in samples],
    )


def sentences(results: Results) -> list[str]:
    """What the numbers say, in words: each task's primary metric, and the verdicts on it."""
    said = []
    judged = {(e.task, e.rain, e.derainer): e for e in effects(results)}
    for task in dict.fromkeys(r.task for r in results.records):
        metric = primary(results, task)
        if metric is None:
            continue
        clean = results.value("none", "identity", task, metric)
        for rain in dict.fromkeys(r for r, _ in conditions(results) if r != "none"):
            floor = results.value(rain, "identity", task, metric)
            if floor is None or floor.value is None:
                continue
            unit, digits = (" dB", 2) if floor.unit == "dB" else ("", 3)
            name = title(metric).replace(" [dB]", "")
            line = f"Under {rain}, {name} is {floor.value:.{digits}f}{unit}"
            if clean is not None and clean.value is not None:
                line += f" instead of {clean.value:.{digits}f} on clean images"
            said.append(line + ".")
            for derainer in [d for r, d in conditions(results) if r == rain and d != "identity"]:
                effect = judged.get((task, rain, derainer))
                if effect is None:
                    continue
                value = floor.value + effect.difference
                change = _change(effect, unit, digits)
                said.append(f"{derainer}: {value:.{digits}f}{unit}, {change}.")
    return said


def _change(effect: Effect, unit: str, digits: int) -> str:
    """An effect in words."""
    amount = f"{abs(effect.difference):.{digits}f}{unit}"
    word = "better" if effect.difference > 0 else "worse"
    if effect.ci is None:
        return f"{amount} {word} than the rainy input (no interval)"
    low, high = effect.ci
    shown = f"95 % interval {low:+.{digits}f} to {high:+.{digits}f}"
    if effect.verdict not in ("better", "worse"):
        return f"{effect.verdict or 'no verdict on a difference'} to the rainy input ({shown})"
    regained = ""
    if effect.recovery is not None:
        regained = f"; {100 * effect.recovery:.0f} % of what the rain cost"
    return f"{amount} {word} than the rainy input ({shown}{regained})"


def _words(value: Any) -> str:
    """A fact of a run, without the signs of a programming language."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(v) for v in value)
    if value is None or isinstance(value, bool):
        return "–" if value is None else "yes" if value else "no"
    return str(value)


def _data(kind: str, data: bytes) -> str:
    """A picture inside the page; marked as safe, which base64 is."""
    from markupsafe import Markup

    return Markup(f"data:{kind};base64,{base64.b64encode(data).decode()}")
