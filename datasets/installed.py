"""Tables of rows: ours, literally, and those that installed packages add by entry points."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import logging
import shlex
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")
_log = logging.getLogger(__name__)
GROUPS = "derain_harness."
"""Begins the groups of entry points: ``derain_harness.derainers`` and so on."""


def installing(what: str) -> str:
    """The command that installs a package, or an extra of ours, into the Python that runs.

    ``pip`` alone is often another one's, which does not find ``derain-harness[…]``.
    """
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(what)}"


class Table(Mapping[str, Row]):
    """Rows by name.

    Packages are asked when a name is looked up that is not ours, or when all rows are listed, and
    not before: their modules may import ours. A row of theirs that cannot be used is left out with
    a warning that names its package; whoever names it is told that it is unknown.
    """

    def __init__(self, room: str, kind: Any, rows: Mapping[str, Row]) -> None:
        """Take our rows.

        Args:
            room: ``derainers``, ``rains``, ``datasets``, ``metrics``, ``tasks`` or ``models``: the
                group of entry points is ``derain_harness.<room>``.
            kind: The class that a row must be of, or the protocol whose names it must have.
            rows: Ours, which no package may replace.
        """
        self._room, self._kind, self._ours = room, kind, dict(rows)

    def __getitem__(self, name: str) -> Row:
        return self._ours[name] if name in self._ours else self._theirs[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._ours, *self._theirs])

    def __len__(self) -> int:
        return len(self._ours) + len(self._theirs)

    @cached_property
    def _theirs(self) -> dict[str, Row]:
        """The rows of installed packages; the field ``origin``, where a row has it, says which."""
        rows: dict[str, Row] = {}
        points = importlib.metadata.entry_points(group=GROUPS + self._room)
        for point in sorted(points, key=lambda p: (p.name, p.value)):
            package = "a package" if point.dist is None else _named(point.dist)
            where = f"{package}: '{point.name}' in {self._room}"
            try:
                row = point.load()
            except Exception as error:
                reason = " ".join(str(error).split())[:200]
                _log.warning("%s cannot be loaded, %s: %s", where, type(error).__name__, reason)
                continue
            if point.name in self._ours or point.name in rows:
                _log.warning("%s is left out: the name is taken", where)
            elif not isinstance(row, self._kind):
                kinds = type(row).__name__, self._kind.__name__
                _log.warning("%s is left out: it is a %s, expected %s", where, *kinds)
            elif hasattr(row, "origin"):
                origin = f"{package}, {source_digest(point.module)}"
                rows[point.name] = dataclasses.replace(row, origin=origin)
            else:
                rows[point.name] = row
        return rows


def _named(package: importlib.metadata.Distribution) -> str:
    return f"{package.name} {package.version}"


def source_digest(module: str) -> str:
    """What the file of a loaded module is, in 16 digits."""
    source = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.sha256(Path(source).read_bytes() if source else b"").hexdigest()[:16]
