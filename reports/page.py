"""The page of a run: one HTML file that opens from disk and asks nothing of a network."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports.effects import Effect, effects, primary
from reports.parts import parts
from reports.tables import conditions, label, plain, title

if TYPE_CHECKING:
    from harness.record import GalleryItem, Results
    from reports.plots import Plot

SIDES_PX = (640, 480, 360, 240, 160)
"""Longer sides that the page's pictures may have."""
MOST_BYTES = 10_000_000
"""All pictures of the page together, so that it stays below 15 MB; the last of `SIDES_PX` holds."""


def page(results: Results, drawn: Sequence[Plot]) -> str:
    """The page as text; everything that came from outside is escaped."""
    pictures = _pictures(results.gallery)
    samples = {item.sample: item.why for item in results.gallery}
    return rendered(
        "report.html.j2",
        results=results,
        sentences=sentences(results),
        parts=parts(results),
        facts={k: _words(v) for k, v in (results.provenance | results.spec).items()},
        command=command(results.spec),
        plots=[
            {
                "name": f"{plot.name}.svg",
                "source": _data("image/svg+xml", plot.svg),
                "alt": plot.alt,
                "csv": _data("text/csv", plot.csv.encode()),
                "csv_name": f"{plot.name}.csv",
            }
            for plot in drawn
        ],
        gallery=[(s, why, [p for p in pictures if p["sample"] == s]) for s, why in samples.items()],
        has_boxes=any(p["boxes"] for p in pictures),
        has_truth=any(p["truth"] for p in pictures),
        views=list(dict.fromkeys(view for p in pictures for view, _ in p["views"])),
        error_rows=[[e["sample"], e["stage"], e["message"]] for e in results.errors],
        cost_rows=[
            [
                c["derainer"],
                c["rain"],
                f"{c['median_s_per_image']:.3f}",
                str(c["n"]),
                c["device"],
                str(c["workers"]),
            ]
            for c in results.cost
        ],
    )


def rendered(template: str, **values: Any) -> str:
    """A template with our style and script; all text is escaped and on one line."""
    import jinja2
    from markupsafe import Markup

    loader = jinja2.PackageLoader("reports")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    style, script = (
        Markup(loader.get_source(environment, f"report.{kind}")[0]) for kind in ("css", "js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        style=style, script=script, script_hash=f"sha256-{digest}", **values
    )


def _pictures(gallery: Sequence[GalleryItem]) -> list[dict[str, Any]]:
    """The gallery as the template takes it, its pictures as large as the page's size allows."""
    made: list[dict[str, Any]] = []
    for side_px in SIDES_PX:
        made = [_picture(item, side_px) for item in gallery]
        if sum(len(p["source"]) + sum(len(v) for _, v in p["views"]) for p in made) < MOST_BYTES:
            break
    return made


def picture_name(item: GalleryItem) -> str:
    """File name of a picture at full size."""
    words = (item.sample, item.rain, item.derainer)
    name = "-".join(re.sub(r"[^\w.=]+", "-", plain(word)).strip("-")[:40] for word in words)
    return f"{name}-{item.key[:6]}.jpg"


def _picture(item: GalleryItem, side_px: int) -> dict[str, Any]:
    """A picture of the gallery as the template takes it."""
    named = list(item.labelled.items())
    named += [(f"{task}, labelled", data) for task, data in item.truths.items()]
    return {
        "file": f"pictures/{picture_name(item)}",
        "sample": item.sample,
        "label": label(item.rain, item.derainer),
        "width": item.width,
        "height": item.height,
        "source": _data("image/jpeg", _small(item.jpeg, side_px)),
        "boxes": item.boxes,
        "truth": item.truth,
        "views": [(view, _data("image/jpeg", _small(data, side_px))) for view, data in named],
    }


def _small(jpeg: bytes, side_px: int) -> bytes:
    """A picture whose longer side is at most so long; as it is where it is smaller already."""
    from datasets.image import decode, encode_jpeg, shrink

    image = decode(jpeg, "picture")
    return jpeg if max(image.shape) <= side_px else encode_jpeg(shrink(image, side_px), 88)


def command(spec: Mapping[str, Any]) -> str:
    """The command line that makes a run again."""
    words = ["python", "-m", "harness", "run"]
    for field, value in spec.items():
        flag = "--" + field.replace("_", "-")
        if field == "model":
            words += [w for task, file in value.items() for w in (flag, f"{task}={file}")]
        elif isinstance(value, list | tuple):
            words += [flag, ",".join(map(str, value))] if value else []
        elif isinstance(value, bool):
            words += [flag if value else f"--no-{flag[2:]}"]
        elif value is not None:
            words += [flag, str(value)]
    return shlex.join(words)


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
