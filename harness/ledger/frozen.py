"""Benchmarks that this package holds frozen: folders of runs, known by their digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.ledger.folder import load
from harness.plan.rains import rains_of
from harness.spec import UsageError
from reports.beside import on_board
from reports.folder import RESULTS, sha256
from reports.results.results import Results

WORD = re.compile(r"benchmark-(v[1-9][0-9]*)")
"""What names one where a suite is asked for; its group is the folder's name."""
HOME = Path(__file__).parent.parent / "frozen"
SUMS = "SHA256SUMS"
"""The digests of the frozen files, as ``sha256sum`` writes and checks them."""


@dataclass(frozen=True)
class Frozen:
    """A benchmark: the rows of a finished run, and its spec, which every row must be of."""

    name: str
    sha256: str
    """Of its ``results.json``, which names the other files."""
    folder: Path
    results: Results
    added: Mapping[str, Results]
    """Rows that were frozen later, each beside what they are rows of, by folder: ``v1+NAME``."""

    def board(self) -> Results:
        """The run with the rows that were frozen later."""
        return on_board(self.results, self.added)

    @property
    def rows(self) -> set[str]:
        """What a row of it can no longer be called."""
        return {r.derainer for run in (self.results, *self.added.values()) for r in run.records}


def digests() -> dict[str, str]:
    """The sha256 of the ``results.json`` of every benchmark in this package, by its word."""
    return {f"benchmark-{v}": digest for v, digest in _evidence().items() if "+" not in v}


def frozen(word: str) -> Frozen:
    """A benchmark by its word, ``benchmark-v1``.

    Raises:
        UsageError: If this version of the package has none of that name, or not as it was frozen.
    """
    found = WORD.fullmatch(word)
    known = digests()
    if found is None or word not in known:
        raise UsageError(
            f"{word}: this version of derain-harness has no evidence of such a benchmark; frozen "
            f"in it: {', '.join(known) or 'none'}"
        )
    version, held = found[1], _evidence()
    results = _loaded(word, version, held[version])
    added = {
        name: _loaded(word, name, digest)
        for name, digest in held.items()
        if name.startswith(f"{version}+")
    }
    return Frozen(word, known[word], HOME / version, results, added)


def _evidence() -> dict[str, str]:
    """The sha256 of the ``results.json`` of every frozen folder, by its name."""
    file = HOME / SUMS
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    pairs = (line.partition("  ") for line in lines)
    held = {name.rpartition("/"): digest for digest, _, name in pairs}
    return {folder: digest for (folder, _, name), digest in held.items() if name == RESULTS}


def _loaded(word: str, name: str, digest: str) -> Results:
    """The run of a frozen folder, which must be what was frozen."""
    file = HOME / name / RESULTS
    if not file.is_file() or sha256(file) != digest:
        raise UsageError(f"{word}: {_changed(file)}")
    try:
        return load(file.parent)
    except UsageError as error:
        raise UsageError(f"{word}: {_changed(file.parent)}") from error


def made_otherwise(benchmark: Frozen) -> str | None:
    """The first rain or metric of a benchmark that this package has another version of, if any.

    What depends on images, labels and networks shows once a row is computed.
    """
    from datasets.rain import digest
    from tasks import quality

    told = benchmark.results.provenance
    there = {**(told.rains or {}), **(told.metric_versions or {})}
    rains = [named for word in benchmark.results.spec["rain"] for named in rains_of(word)]
    here: dict[str, str | int] = {name: digest(rain) for name, rain in rains if rain is not None}
    here |= {m: quality.version(m) for m in told.metric_versions or {} if m in quality.METRICS}
    return next((name for name, value in here.items() if there.get(name) != value), None)


def _changed(place: Path) -> str:
    return f"{place.name} is not what was frozen: install derain-harness again"
