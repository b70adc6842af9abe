"""The verb `list`: what can be named on the command line, a line for each."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.cli.flags import Verbs
from harness.cli.terminal import line, table
from harness.spec import RunSpec, UsageError

Row = dict[str, Any]
"""Plain values by heading; None where there is nothing to say."""


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("list", help="what can be named on the command line")
    parser.add_argument(
        "table",
        choices=tuple(TABLES),
        help="architectures: what spandrel:FILE knows; papers: the tables whose printed numbers "
        "are held; runs: the finished ones of --workspace",
    )
    parser.add_argument("--json", action="store_true", help="the same as a JSON list of objects")
    parser.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help=f"runs: where they lie (default: {RunSpec.model_fields['workspace'].default})",
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="rains: write each on one photograph, too"
    )
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="that photograph (default: a street)"
    )
    parser.set_defaults(action=_list)


def _list(arguments: argparse.Namespace) -> int:
    sheet, image = arguments.sheet, arguments.image
    if (sheet or image) and arguments.table != "rains":
        raise UsageError("--sheet and --image belong to list rains")
    if image and not sheet:
        raise UsageError("--image needs --sheet FILE.png, the picture to write")
    if arguments.workspace is not None and arguments.table != "runs":
        raise UsageError("--workspace belongs to list runs")
    rows = TABLES[arguments.table](arguments)
    if arguments.json:
        line(json.dumps(rows, indent=1))
    elif rows:
        table(list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])
    else:
        line("none")
    if sheet:
        from harness.runs.rain_sheet import write_rain_sheet

        write_rain_sheet(sheet, image)
    return 0


def _shown(value: Any) -> str:
    """A value in a table."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else ", ".join(value) if isinstance(value, list) else str(value)


def _derainers(_: argparse.Namespace) -> list[Row]:
    """Ours, then what authors publish."""
    from derainers import DERAINERS
    from derainers.published import PUBLISHED
    from harness.machine.environment import FETCHED
    from harness.machine.sources import SOURCES

    rows = [_derainer(name, row) for name, row in DERAINERS.items()]
    for name, told in PUBLISHED.items():
        file = FETCHED / SOURCES[name].file
        where = "fetched" if file.is_file() else f"python -m harness fetch {name}"
        rows.append(_of_weights(name, where, told.licence, dict(told.trained_on), file))
    return rows


def _derainer(name: str, row: Any) -> Row:
    """A row of the table of derainers."""
    from derainers.card import read_card

    if not row.learned:
        return _of_weights(name, "needs none", None, {}, None)
    if row.weights is None:
        return _of_weights(name, f"{name}@FILE", None, {}, None)
    card = read_card(row.weights)
    found = _of_weights(
        name, "in the package", card.get("data_terms"), card.get("trained_on", {}), row.weights
    )
    judged = card.get("validated_on", {})
    if "rainy" in judged and "restored" in judged:
        gain_db = judged["restored"]["psnr_y_db"] - judged["rainy"]["psnr_y_db"]
        found["gain on its rains [dB]"] = round(gain_db, 2)
    return found


def _of_weights(
    name: str, where: str, licence: str | None, trained: dict[str, Any], file: Path | None
) -> Row:
    """What is said of a derainer with its weights, if there are any here."""
    from derainers.shards import shards
    from harness.plan.trained_on import images, rain_families

    files = [part for part in (shards(file) if file else []) if part.is_file()]
    seen = [*sorted(images(trained) or ()), *sorted(rain_families(trained) or ())]
    return {
        "derainer": name,
        "weights": where,
        "parameters": _parameters(files),
        "MB": round(sum(part.stat().st_size for part in files) / 1e6, 1) or None,
        "gain on its rains [dB]": None,
        "learned from": seen,
        "terms": licence,
    }


NO_PARAMETERS = ("__metadata__", "running_mean", "running_var", "num_batches_tracked")
"""What a file of weights holds beside them: its head, and what batch normalisation has counted."""


def _parameters(files: list[Path]) -> int | None:
    """Parameters in some weights, by their files' headers; None of other formats than ours."""
    if not files or any(file.suffix != ".safetensors" for file in files):
        return None
    count = 0
    for file in files:
        with file.open("rb") as content:
            header = json.loads(content.read(int.from_bytes(content.read(8), "little")))
        shapes = [
            t["shape"] for name, t in header.items() if name.split(".")[-1] not in NO_PARAMETERS
        ]
        count += sum(math.prod(shape) for shape in shapes)
    return count


def _architectures(_: argparse.Namespace) -> list[Row]:
    from derainers import architectures

    named = "architecture", "package", "licence", "runs here"
    return [dict(zip(named, row, strict=True)) for row in architectures.table()]


def _datasets(_: argparse.Namespace) -> list[Row]:
    from datasets import DATASETS

    return [
        {
            "data set": name,
            "reads": _first_line(row.open),
            "its own rain": "yes" if row.brings_rain else "",
            "masks": "yes" if row.has_masks else "",
        }
        for name, row in DATASETS.items()
    ]


def _rains(_: argparse.Namespace) -> list[Row]:
    from datasets.rain import RAINS
    from harness.spec import DEFAULT_RAIN

    none: Row = {"rain": "none", "model": "", "draws": "Clean images, for what deraining costs."}
    return [
        none,
        *(
            {
                "rain": name,
                "model": rain.family,
                "draws": _first_line(type(rain)) + " The default." * (name == DEFAULT_RAIN),
            }
            for name, rain in RAINS.items()
        ),
    ]


def _tasks(_: argparse.Namespace) -> list[Row]:
    from tasks import TASKS

    rows = [{"task": name, "measures": row.measures} for name, row in TASKS.items()]
    return [*rows, {"task": "none", "measures": "image quality alone"}]


def _models(_: argparse.Namespace) -> list[Row]:
    from tasks.models import MODELS

    return [
        {
            "family": name,
            "task": row.task,
            "licence": row.licence,
            "how it sees pictures": row.shown + ("; imgsz=N sets it" if row.takes_imgsz else ""),
            "runs here": row.lacking() or "yes",
        }
        for name, row in MODELS.items()
    ]


def _metrics(_: argparse.Namespace) -> list[Row]:
    from tasks.quality import METRICS
    from tasks.quality.pyiqa import missing

    theirs: Row = {
        "metric": "pyiqa:NAME",
        "unit": "",
        "better": "",
        "needs the clean image": "",
        "computes": "One of pyiqa's metrics, from an environment of its own.",
        "runs here": missing() or "yes",
    }
    ours: list[Row] = [
        {
            "metric": name,
            "unit": row.unit,
            "better": "higher" if row.higher_is_better else "lower",
            "needs the clean image": "yes" if row.reference else "",
            "computes": row.caption or _first_line(row.function),
            "runs here": row.missing() or "yes",
        }
        for name, row in METRICS.items()
    ]
    return [*ours, theirs]


def _papers(_: argparse.Namespace) -> list[Row]:
    from harness.plan.rows import every_row
    from reports.papers.reading import read_tables

    return [
        {"paper": t.paper, "table": t.table, "cells": len(t.claims), "caption": t.caption}
        for t in read_tables(every_row())
    ]


def _runs(arguments: argparse.Namespace) -> list[Row]:
    """The newest first."""
    from harness.ledger.runs import finished_runs

    workspace = arguments.workspace or Path(RunSpec.model_fields["workspace"].default)
    return [
        {
            "run": run.run[:12],
            "finished": run.provenance.finished,
            "data set": run.spec.get("dataset"),
            "images": max((record.n for record in run.records), default=0),
            "rains": list(dict.fromkeys(record.rain for record in run.records)),
            "derainers": list(dict.fromkeys(record.derainer for record in run.records)),
            "tasks": list(run.spec.get("task", ())),
        }
        for run in finished_runs([workspace])
    ]


def _first_line(what: Any) -> str:
    """The first line of its documentation."""
    return str(what.__doc__ or "").split("\n", 1)[0]


TABLES: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "derainers": _derainers,
    "architectures": _architectures,
    "datasets": _datasets,
    "rains": _rains,
    "tasks": _tasks,
    "models": _models,
    "metrics": _metrics,
    "papers": _papers,
    "runs": _runs,
}
"""What can be listed, and what makes its rows."""
