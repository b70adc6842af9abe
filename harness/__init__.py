"""Words and runs: the harness that ties data, rain, derainers, tasks and reports together.

from harness import compare, report, run
results = run(data_root="coco128", derainer="granet")
report(results, "out")
compare("out-of-last-week", "out")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.machine.environment import prepare

prepare()  # first of all: other packages read it when they are imported

if TYPE_CHECKING:
    from harness.api import compare, finished_runs, load, run
    from harness.spec import RunSpec
    from reports.results.record import Record
    from reports.results.results import Results
    from reports.write import write as report

__all__ = ["Record", "Results", "RunSpec", "compare", "finished_runs", "load", "report", "run"]
_HOMES = {
    "Record": ("reports.results.record", "Record"),
    "Results": ("reports.results.results", "Results"),
    "RunSpec": ("harness.spec", "RunSpec"),
    "compare": ("harness.api", "compare"),
    "finished_runs": ("harness.api", "finished_runs"),
    "load": ("harness.api", "load"),
    "report": ("reports.write", "write"),
    "run": ("harness.api", "run"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``--help`` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    import importlib

    module, function = _HOMES[name]
    return getattr(importlib.import_module(module), function)
