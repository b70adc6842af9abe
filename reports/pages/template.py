"""Templates with our style and script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from reports.tables.text import plain

_FIGURE = re.compile(r"[-+[]*\d")
"""How a cell begins that holds a figure."""


def rendered(template: str, **values: Any) -> str:
    """A template with our style and script; all text is escaped and on one line."""
    import jinja2
    from markupsafe import Markup

    loader = jinja2.PackageLoader("reports.pages")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.filters["figures"] = _figures
    style, script = (
        Markup(loader.get_source(environment, f"report.{kind}")[0]) for kind in ("css", "js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        style=style, script=script, script_hash=f"sha256-{digest}", **values
    )


def _figures(rows: Sequence[Sequence[str]]) -> set[int]:
    """The columns of figures, which are set to the right; the first two name their row."""
    found = set()
    for column, cells in enumerate(zip(*rows, strict=True)):
        told = [cell for cell in cells if cell not in ("", "–", "identical")]
        if column > 1 and told and all(map(_FIGURE.match, told)):
            found.add(column)
    return found
