"""The verb `list`: the names that the command line knows."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs
from harness.cli.terminal import line, table
from harness.spec import UsageError


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("list", help="what can be named on the command line")
    parser.add_argument(
        "table",
        choices=(
            *("derainers", "architectures", "datasets", "rains", "tasks", "models", "metrics"),
            "papers",
        ),
        help="architectures: what spandrel:FILE knows, with licences; papers: the tables whose "
        "printed numbers are held",
    )
    parser.add_argument("--json", action="store_true", help="as a JSON list")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="rains: write each on one photograph, too"
    )
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="that photograph (default: a street)"
    )
    parser.set_defaults(action=_list)


def _list(arguments: argparse.Namespace) -> int:
    import json

    sheet, image = arguments.sheet, arguments.image
    if (sheet or image) and arguments.table != "rains":
        raise UsageError("--sheet and --image belong to list rains")
    if image and not sheet:
        raise UsageError("--image needs --sheet FILE.png, the picture to write")
    if arguments.table == "models" and not arguments.json:
        from tasks.models import MODELS

        rows = [
            [
                name,
                row.task,
                row.licence,
                row.shown + ("; imgsz=N sets it" if row.takes_imgsz else ""),
                row.lacking() or "yes",
            ]
            for name, row in MODELS.items()
        ]
        table(["family", "task", "licence", "how it sees pictures", "runs here"], rows)
        return 0
    if arguments.table == "architectures":
        from derainers import architectures

        found, named = architectures.table(), ["architecture", "package", "licence", "runs here"]
        if arguments.json:
            line(json.dumps([dict(zip(named, row, strict=True)) for row in found], indent=1))
        else:
            table(named, found)
        return 0
    if arguments.table == "papers":
        from harness.plan.rows import every_row
        from reports.papers.reading import read_tables

        tables = [
            {"paper": t.paper, "table": t.table, "cells": len(t.claims), "caption": t.caption}
            for t in read_tables(every_row())
        ]
        if arguments.json:
            line(json.dumps(tables, indent=1))
        else:
            table(list(tables[0]), [[str(value) for value in row.values()] for row in tables])
        return 0
    names = _names(arguments.table)
    line(json.dumps(names, indent=1) if arguments.json else "\n".join(names))
    if sheet:
        from harness.runs.rain_sheet import write_rain_sheet

        write_rain_sheet(sheet, image)
    return 0


def _names(table: str) -> list[str]:
    if table == "datasets":
        from datasets import DATASETS

        return list(DATASETS)
    if table == "rains":
        from datasets.rain import RAINS

        return ["none", *RAINS]
    if table == "derainers":
        from derainers import DERAINERS
        from derainers.published import PUBLISHED

        return [*DERAINERS, *PUBLISHED]
    if table == "tasks":
        from tasks import TASKS

        return [*TASKS, "none"]
    if table == "models":
        from tasks.models import MODELS

        return list(MODELS)
    from tasks.quality import METRICS

    return list(METRICS)
