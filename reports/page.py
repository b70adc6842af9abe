"""The page of a run: one HTML file that opens from disk and asks nothing of a network."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from reports.tables import PRIMARY, base, conditions, label, metrics, plain, summary, title

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
        plots=[
            {"name": name, "source": _data("image/svg+xml", data)}
            for name, data in drawn.items()
            if name.endswith(".svg")
        ],
        gallery=[(s, [p for p in pictures if p["sample"] == s]) for s in samples],
    )


def sentences(results: Results) -> list[str]:
    """What the numbers say, in words."""
    said = []
    for task, metric in metrics(results):
        if base(metric) not in PRIMARY:
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
                record = results.value(rain, derainer, task, metric)
                paired = results.compare(floor, record) if record is not None else None
                if record is None or record.value is None or paired is None:
                    continue
                said.append(
                    f"{derainer}: {record.value:.{digits}f}{unit}, {_change(paired, unit, digits)}."
                )
    return said


def _change(paired: Any, unit: str, digits: int) -> str:
    """A paired difference in words."""
    amount = f"{abs(paired.difference):.{digits}f}{unit}"
    word = "better" if paired.difference > 0 else "worse"
    if paired.ci is None:
        return f"{amount} {word} than the rainy input (no interval)"
    low, high = paired.ci
    shown = f"95 % interval {low:+.{digits}f} to {high:+.{digits}f}"
    if low <= 0 <= high:
        return f"no significant difference to the rainy input ({shown})"
    return f"{amount} {word} than the rainy input ({shown})"


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
