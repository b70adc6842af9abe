"""Benchmarks that this package holds frozen: of each the folder of a run, known by its digest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.ledger.folder import load
from harness.plan.rains import rains_of
from harness.spec import UsageError
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


def digests() -> dict[str, str]:
    """The sha256 of the ``results.json`` of every benchmark in this package, by its word."""
    file = HOME / SUMS
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    pairs = (line.partition("  ") for line in lines)
    files = {name: digest for digest, _, name in pairs}
    versions = (name.removesuffix(f"/{RESULTS}") for name in files if name.endswith(f"/{RESULTS}"))
    return {f"benchmark-{v}": files[f"{v}/{RESULTS}"] for v in versions}


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
    folder = HOME / found[1]
    file = folder / RESULTS
    if not file.is_file() or sha256(file) != known[word]:
        raise UsageError(f"{word}: {_changed(file)}")
    try:
        return Frozen(word, known[word], folder, load(folder))
    except UsageError as error:
        raise UsageError(f"{word}: {_changed(folder)}") from error


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
