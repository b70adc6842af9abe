"""A finished run as an ``--out`` folder holds it."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.ledger.gaps import IMAGES, gaps_of
from harness.machine.files import read_bounded
from harness.plan.rows import with_rows
from harness.spec import UsageError
from reports.folder import RESULTS, listed, named, sha256
from reports.results.intervals import FEWEST, LEVEL, interval, tail
from reports.results.results import Results
from reports.results.written import parse, to_json

T = TypeVar("T")
AGAIN = "run again to make the folder whole"
LARGEST_FILE_BYTES = 2**28
"""Of one file that is read whole."""
LARGEST_ARRAYS_BYTES = 2**30
"""Of what an archive holds, unpacked."""
CLOSE = 1e-4
"""How far the ends of an interval may be from those of its draws, of the larger of 1 and the end:
draws are kept as single floats."""


def load(folder: str | Path) -> Results:
    """The numbers of a run from the folder that ``run --out`` or `harness.report` wrote.

    Args:
        folder: Holds ``results.json`` and all files that it names.

    Returns:
        Records, in the units that they name, and the draws of each; without pictures, curves and
        the numbers of single images, which a workspace keeps.

    Raises:
        UsageError: If the files are not there, damaged, or not of one run.
    """
    folder = Path(folder)
    held = read(folder, ("draws.npz", *_images(folder)))
    try:
        _require_size(held["draws.npz"])
        with np.load(io.BytesIO(held["draws.npz"]), allow_pickle=False) as draws:
            arrays = {f"draws|{cell}": draws[cell] for cell in draws.files}
        results = with_rows(parse(held[RESULTS].decode(), arrays))
        if IMAGES in held:
            results = replace(results, gaps=gaps_of(results, held[IMAGES]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError) as error:
        raise UsageError(f"{folder}: damaged results: {AGAIN}") from error
    except Exception as error:  # zipfile.BadZipFile and zlib.error share no base
        raise UsageError(f"{folder}: damaged draws.npz: {AGAIN}") from error
    _require_draws_of(results, folder)
    return results


def read(folder: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The bytes of ``results.json`` and other files, of a folder that is whole.

    Every file that ``results.json`` names must be there and hold what it held when they were
    written; a folder of version 0.1, whose ``results.json`` names none, is taken as it is.

    Args:
        folder: The ``--out`` folder of a run.
        wanted: The other files to give.

    Raises:
        UsageError: Naming the first file that is missing or another.
    """
    held = {RESULTS: _of(folder, RESULTS, _bytes)}
    try:
        files = named(held[RESULTS])
    except ValueError as error:
        raise UsageError(f"{folder}: damaged results: {RESULTS} is no run's: {AGAIN}") from error
    for name in wanted if files is None else files:
        if name in wanted:
            held[name] = _of(folder, name, _bytes)
            digest = hashlib.sha256(held[name]).hexdigest()
        else:
            digest = _of(folder, name, sha256)
        if files is not None and digest != files[name]:
            raise UsageError(
                f"{folder}: damaged results: {name} is not the file that {RESULTS} names, of "
                f"another run or changed since: {AGAIN}"
            )
    lacking = next((name for name in wanted if name not in held), None)
    if lacking is not None:
        raise UsageError(f"{folder}: damaged results: {RESULTS} names no {lacking}: {AGAIN}")
    return held


def holds(folder: Path, results: Results, saved: Collection[str] = ()) -> bool:
    """Whether a folder is whole and of these results.

    Args:
        folder: An ``--out`` folder, or what may become one.
        results: With all that `reports.write` writes of them.
        saved: What must be among its own: a file, or a folder of which files must be there.
    """
    try:
        text = read(folder, ())[RESULTS]
    except UsageError:
        return False
    files = named(text)
    if files is None or not {*saved} <= {part for n in files for part in (n, n.split("/")[0])}:
        return False
    return text == to_json(results, files).encode()


def _of(folder: Path, name: str, read_from: Callable[[Path], T]) -> T:
    """What is read from a file of a results folder."""
    try:
        return read_from(folder / name)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no such name, or a file too large"
        if name == RESULTS and not (folder / RESULTS).exists() and listed(folder):
            raise UsageError(f"{folder}: half-written, no {RESULTS} yet: {AGAIN}") from error
        if name == RESULTS:
            raise UsageError(f"{folder}: no {name}: {said}: give a run's --out folder") from error
        raise UsageError(f"{folder}: damaged results: no {name}: {said}: {AGAIN}") from error


def _images(folder: Path) -> list[str]:
    """The table of single images, where there is one that can be read whole."""
    file = folder / IMAGES
    return [IMAGES] if file.is_file() and file.stat().st_size <= LARGEST_FILE_BYTES else []


def _bytes(file: Path) -> bytes:
    """A file's bytes, where they are not too many."""
    return read_bounded(file, LARGEST_FILE_BYTES)


def _require_size(draws: bytes) -> None:
    """Refuse an archive whose arrays would fill the memory, by what its headers say of them.

    Raises:
        ValueError: If they are larger than `LARGEST_ARRAYS_BYTES`, or than the bytes they have.
    """
    with zipfile.ZipFile(io.BytesIO(draws)) as members:
        if sum(member.file_size for member in members.infolist()) > LARGEST_ARRAYS_BYTES:
            raise ValueError("too large")
        for member in members.infolist():
            with members.open(member) as opened:
                major, _ = np.lib.format.read_magic(opened)
                reads = np.lib.format.read_array_header_1_0
                reads = reads if major == 1 else np.lib.format.read_array_header_2_0
                shape, _, dtype = reads(opened)
            if math.prod(shape) * dtype.itemsize > member.file_size:
                raise ValueError("an array of more than its bytes")


def _require_draws_of(results: Results, folder: Path) -> None:
    """Refuse draws that are not those of the records: of other cells, other sets or other values.

    Raises:
        UsageError: Naming the first cell whose draws do not fit.
    """
    records = {record.cell: record for record in results.records}
    times = {draws.shape for draws in results.draws.values()}
    for cell, draws in results.draws.items():
        record, fits = records.get(cell), len(times) == 1 and draws.ndim == 1
        if record is not None and record.ci is not None and fits:
            fits = _is_of(record.ci, draws)
        if record is None or not fits:
            name = f"{cell.condition.rain}, {cell.condition.name}: {cell.metric}"
            raise UsageError(
                f"{folder}: damaged results: draws.npz does not fit {RESULTS} ({name}): {AGAIN}"
            )


def _is_of(ci: tuple[float, float], draws: NDArray[np.float32]) -> bool:
    """Whether an interval's ends lie where those of some number of groups do.

    From `FEWEST` groups, of which it leaves out the fewest draws and ends where Student's does at
    the latest, to endlessly many, of which it leaves out `LEVEL` of them, as those of before
    version 0.2 did whatever the groups.
    """
    defined = np.sort(draws[np.isfinite(draws)].astype(np.float64))
    outer = max(0, int(tail(FEWEST) * len(defined)) - 2)
    inner = math.ceil(LEVEL / 2 * len(defined)) + 1
    if len(defined) <= inner:
        return False
    widest = interval(defined, FEWEST) or (-math.inf, math.inf)
    near = CLOSE * max(1.0, *map(abs, ci))
    low, high = defined[[outer, inner]], defined[::-1][[inner, outer]]
    return bool(
        min(low[0], widest[0]) - near <= ci[0] <= low[1] + near
        and high[0] - near <= ci[1] <= max(high[1], widest[1]) + near
    )
