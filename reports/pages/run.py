"""The page of a run: one HTML file that opens from disk and asks nothing of a network."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from reports.findings.effects import effects
from reports.pages.template import rendered
from reports.results.conditions import conditions
from reports.tables.answers import answers
from reports.tables.markdown import Part, parts
from reports.tables.summary import about
from reports.tables.text import figures, label, plain, words

if TYPE_CHECKING:
    from reports.plots.figure import Plot
    from reports.results.gallery import GalleryItem
    from reports.results.results import Results

SIDES_PX = (640, 480, 360, 240, 160)
"""Longer sides that the page's pictures may have."""
WHOLE = ("attributes",)
"""Lists in a spec whose flag is repeated for each word, since commas may be inside."""
THUMBNAIL = 80
"""JPEG quality of the page's pictures."""
MOST_BYTES = 10_000_000
"""All pictures of the page together, so that it stays below 15 MB; the last of `SIDES_PX` holds."""


def page(results: Results, drawn: Sequence[Plot]) -> str:
    """The page as text; everything that came from outside is escaped."""
    pictures = _pictures(results)
    samples = {item.sample: item.why for item in results.gallery}
    said, sides = answers(results), _sides(results)
    middle = list(samples)[len(samples) // 2] if samples else None
    return rendered(
        "report.html.j2",
        results=results,
        about=about(results),
        which=_which(results),
        answers=said,
        first=said[0] if said else None,
        sight=[
            p for side in sides for p in pictures if (p["sample"], p["label"]) == (middle, side)
        ],
        sight_why=samples.get(middle) if middle is not None else None,
        parts=_said_once(parts(results)),
        facts=_facts(results),
        command=command(results.spec),
        plots=[shown(plot) for plot in drawn],
        gallery=[(s, why, [p for p in pictures if p["sample"] == s]) for s, why in samples.items()],
        sides=sides,
        drawn=_drawn(results),
        has_boxes=any(p["boxes"] for p in pictures),
        has_truth=any(p["truth"] for p in pictures),
        views=list(dict.fromkeys(view for p in pictures for view, _ in p["views"])),
        error_rows=[[e.sample, e.stage, e.message] for e in results.errors],
        cost_headings=_cost_headings(results),
        cost_rows=_cost_rows(results),
    )


def shown(plot: Plot) -> dict[str, Any]:
    """A plot as the templates take it."""
    return {
        "title": plot.title,
        "source": _data("image/svg+xml", plot.svg),
        "alt": plot.alt,
        "says": plot.says,
        "is_wide": plot.is_wide,
        "csv": _data("text/csv", plot.csv.encode()),
        "csv_name": f"{plot.name}.csv",
    }


def _which(results: Results) -> str:
    """The run by its digest and seed, or the seeds of which it is the mean."""
    if results.seeds is None:
        return f"Run {results.run[:12]}, seed {results.spec.get('seed', '')}"
    return f"Means over runs of seeds {results.seeds[0]} to {results.seeds[-1]}"


def _said_once(found: Sequence[Part]) -> list[Part]:
    """The tables, each note below the first that needs it."""
    said: set[str] = set()
    kept = []
    for part in found:
        kept.append(replace(part, notes=[note for note in part.notes if note not in said]))
        said |= set(part.notes)
    return kept


def _cost_headings(results: Results) -> list[str]:
    networks = results.provenance.network_s_per_image or {}
    times = ["ms/image", *(f"{plain(name)}, ms/image" for name in networks)]
    return ["rain", "derainer", *times, "images", "device", "images at a time"]


def _cost_rows(results: Results) -> list[list[str]]:
    networks = (results.provenance.network_s_per_image or {}).values()
    return [
        [
            *words(cost.condition),
            *(figures(1000 * s) for s in (results.seconds(cost), *networks)),
            f"{cost.n:,}",
            cost.device,
            "unknown" if cost.workers is None else str(cost.workers),
        ]
        for cost in results.cost
        if cost.condition.stage is None
    ]


def _facts(results: Results) -> dict[str, str]:
    """What made the run; what says nothing is left out."""
    weights = {r.derainer: r.weights for r in results.records if r.weights}
    made = asdict(results.provenance)
    asked = {k: v for k, v in results.spec.items() if made.get(k) is None}
    facts = {**made, "derainers' weights": weights, **asked}
    return {k: _words(v) for k, v in facts.items() if v not in (None, [], (), {}, "")}


def _pictures(results: Results) -> list[dict[str, Any]]:
    """The gallery in the order of the tables, as large as the page's size allows."""
    order = {condition: i for i, condition in enumerate(conditions(results))}
    gallery = sorted(results.gallery, key=lambda item: order.get(item.condition, len(order)))
    made: list[dict[str, Any]] = []
    for side_px in SIDES_PX:
        made = [_picture(results, item, side_px) for item in gallery]
        if sum(len(p["source"]) + sum(len(v) for _, v in p["views"]) for p in made) < MOST_BYTES:
            break
    return made


def _drawn(results: Results) -> list[str]:
    """The networks whose findings the pictures show, where some task has others too."""
    if len(results.lines) == 1:
        return []
    first = {judge.task: judge for judge in reversed(results.judges)}
    return [plain(judge.network) for judge in first.values() if judge.network is not None]


def _sides(results: Results) -> list[str]:
    """Which pictures are set against each other first: rainy, and the best of the first task."""
    found = effects(results)
    for judge in results.judges:
        mine = [e for e in found if e.judge == judge]
        if mine:
            best = max(
                mine, key=lambda e: e.difference if e.row.higher_is_better else -e.difference
            )
            return [label(best.condition.rainy), label(best.condition)]
    clean, rainy = [*map(label, conditions(results)), "", ""][:2]
    return [rainy, clean]


def picture_name(item: GalleryItem) -> str:
    """File name of a picture at full size."""
    words = (item.sample, item.condition.rain, item.condition.name)
    name = "-".join(re.sub(r"[^\w.=]+", "-", plain(word)).strip("-")[:40] for word in words)
    return f"{name}-{item.key[:6]}.jpg"


def _picture(results: Results, item: GalleryItem, side_px: int) -> dict[str, Any]:
    """A picture of the gallery as the template takes it."""
    colours = {task: about.colours or task for task, about in results.tasks.items()}
    named = [(f"{colours.get(task, task)} found", data) for task, data in item.labelled.items()]
    named += [
        (f"{colours.get(task, task)} labelled (clean)", data) for task, data in item.truths.items()
    ]
    return {
        "file": f"pictures/{picture_name(item)}",
        "sample": item.sample,
        "label": label(item.condition),
        "width": item.width,
        "height": item.height,
        "font_px": max(item.width, item.height) / 40,
        "source": _data("image/jpeg", _small(item.jpeg, side_px)),
        "boxes": item.boxes,
        "truth": item.truth,
        "views": [(view, _data("image/jpeg", _small(data, side_px))) for view, data in named],
    }


def _small(jpeg: bytes, side_px: int) -> bytes:
    """A picture for the page, whose longer side is at most so long; at full size it lies beside."""
    from datasets.image import decode, encode_jpeg, shrink

    return encode_jpeg(shrink(decode(jpeg, "picture"), side_px), THUMBNAIL)


def command(spec: Mapping[str, Any]) -> str:
    """The command line that makes a run again."""
    words = ["python", "-m", "harness", "run"]
    for field, value in spec.items():
        flag = "--" + field.replace("_", "-")
        if field == "model":
            for task, files in value.items():
                named = [files] if isinstance(files, str) else files
                words += [w for file in named for w in (flag, f"{task}={file}")]
        elif isinstance(value, bool):
            words += [flag if value else f"--no-{flag[2:]}"]
        elif field in WHOLE:
            words += [w for word in value for w in _typed(flag, word)]
        elif isinstance(value, list | tuple):
            words += _typed(flag, ",".join(map(str, value))) if value else []
        elif value is not None:
            words += _typed(flag, str(value))
    return shlex.join(words)


def _typed(flag: str, value: str) -> list[str]:
    """A flag and its value, as one word where the value would be taken for a flag."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


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
