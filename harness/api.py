"""What Python sees of the harness: run, load, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.machine.rooms import require_ours
from harness.spec import RunSpec, UsageError, checked

if TYPE_CHECKING:
    from harness.checks.runs import CellVerdict
    from harness.runs.engine import Progress
    from reports.results.results import Results


def run(
    spec: RunSpec | None = None,
    derainers: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **fields: Any,
) -> Results:
    """Evaluate derainers on a data set; continue where an earlier run of the workspace stopped.

    Args:
        spec: What to run; or its fields by name: ``run(data_root="coco128", derainer="granet")``.
        derainers: Derainers of the caller by name, run beside those of the spec: a ``nn.Module``
            from ``(B, 3, H, W)`` RGB in [0, 1] to the same, a ``Derainer``, or any object with
            ``restore(image, sample_id)``.
        progress: Told (condition, images done, images); default: bars in a notebook or terminal.
        **fields: Those of `RunSpec`.

    Returns:
        All numbers; written to ``out`` too, if it is given.

    Raises:
        UsageError, DatasetError, DerainerError, TaskError: The user's mistakes, one line each.
    """
    if spec is not None and fields:
        raise UsageError(f"run(spec, {next(iter(fields))}=…): give a spec, or fields of one")
    given: object = derainers  # whatever a notebook gave
    if given is not None and not isinstance(given, Mapping):
        got = type(given).__name__
        raise UsageError(
            f"run(derainers=…): expected derainers by name, {{'mine': net}}, got {got}"
        )
    require_ours()
    from harness.cli.terminal import progress_bars
    from harness.runs import engine

    spec = checked(**fields) if spec is None else spec
    if progress is not None:
        return engine.run(spec, derainers, progress)
    with progress_bars() as bars:
        return engine.run(spec, derainers, bars)


def load(place: str | Path, run: str | None = None) -> Results:
    """The numbers of a finished run.

    Args:
        place: A results folder, as ``run --out`` and `harness.report` write it (without pictures,
            curves and the numbers of single images), or a workspace, which has all.
        run: First digits of the workspace's run; None = its latest.

    Raises:
        UsageError: If there is no such run, or what is there is damaged.
    """
    require_ours()
    from harness.ledger import folder
    from harness.ledger.ledger import LEDGER
    from harness.ledger.runs import load_results

    place = Path(place)
    if (place / LEDGER).is_file():
        return load_results(place, run)
    if run is not None:
        raise UsageError(f"load({str(place)!r}, run=…): a results folder holds one run alone")
    return folder.load(place)


def finished_runs(workspace: str | Path) -> list[Results]:
    """All finished runs of a workspace, newest first.

    Raises:
        UsageError: If the workspace holds no ledger.
    """
    from harness.ledger import runs

    return runs.finished_runs([Path(workspace)])


def compare(
    old: Results | str | Path,
    new: Results | str | Path,
    tolerances: Mapping[str, float] | None = None,
    guard: Sequence[str] = (),
) -> list[CellVerdict]:
    """Judge every number that two runs should both have, as ``regress OLD NEW`` does.

    Args:
        old: The baseline, or its results folder or workspace.
        new: What is judged.
        tolerances: Differences that do not matter, by metric, in its unit.
        guard: More metrics to compare, such as ``ap/person``.

    Raises:
        UsageError: If the two are of other data, rain, task networks or metrics, or hold nothing
            to judge.
    """
    from harness.checks import runs

    first, second = (load(each) if isinstance(each, str | Path) else each for each in (old, new))
    return runs.compare(first, second, tolerances, guard)
