"""The numbers of a run."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.results.cell import Cell, Condition, Judge
from reports.results.file_names import file_names
from reports.results.gallery import GalleryItem
from reports.results.gaps import gap
from reports.results.intervals import interval
from reports.results.marks import mark, marks
from reports.results.metrics import MetricRow, TaskRow
from reports.results.provenance import Provenance
from reports.results.record import Comparison, Correlation, Cost, ImageError, Record
from reports.results.said import failures, image_count, unknown

if TYPE_CHECKING:
    import pandas as pd

QUALITY = "quality"
"""The name under which every run measures its images beside its tasks."""


@dataclass(frozen=True)
class ByImage:
    """The numbers of single images, for pictures, box plots and correlations."""

    samples: tuple[str, ...] = ()
    """Ids of the n images."""
    units: tuple[str, ...] = ()
    """What each was resampled with: itself, its drive or scene."""
    values: Mapping[Cell, NDArray[np.float32]] = field(default_factory=dict)
    """``(n,)``: quality metrics and the tasks' scores of one image; infinite where an image equals
    its reference, NaN where undefined."""
    pixels: Mapping[Condition, tuple[str, ...]] = field(default_factory=dict)
    """The first 16 digits of the sha256 of the pixels shown."""


@dataclass(frozen=True, repr=False)
class Results:
    """What a run found; knows nothing of files. Prints itself as its main table."""

    run: str
    """Digest of all that decides the records."""
    spec: dict[str, Any]
    provenance: Provenance
    cost: list[Cost]
    errors: list[ImageError]
    records: list[Record]
    draws: dict[Cell, NDArray[np.float32]] = field(repr=False)
    """Values of each primary metric on the resampled sets, in the unit of the metric."""
    metrics: dict[str, MetricRow] = field(repr=False, default_factory=dict)
    """What tables must know of each metric, in their order."""
    tasks: dict[str, TaskRow] = field(repr=False, default_factory=dict)
    """What tables must know of each task, in their order, `QUALITY` last."""
    gallery: list[GalleryItem] = field(repr=False, default_factory=list)
    by_image: ByImage = field(repr=False, default_factory=ByImage)
    curves: dict[Cell, NDArray[np.float32]] = field(repr=False, default_factory=dict)
    """Precision at 101 recalls from 0 to 1, IoU 0.5, by cell of the pooled AP it belongs to."""
    correlations: list[Correlation] = field(repr=False, default_factory=list)
    spread_over_seeds: dict[Cell, float] = field(repr=False, default_factory=dict)
    """Standard deviation of the numbers that are means over seeds of the rain."""
    gaps: Mapping[Cell, Hashable] = field(repr=False, default_factory=dict)
    """`left_out` of numbers whose single images ``by_image`` lacks, as those read from a folder."""

    found: Callable[[], pd.DataFrame] | None = field(repr=False, compare=False, default=None)
    """Reads what the task networks found; None where it is not at hand."""

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """What the task networks found, a row for each object.

        Its columns are ``sample``, ``rain``, ``derainer``, ``task``, ``network``, ``class``,
        ``confidence``, ``left_px``, ``top_px``, ``right_px`` and ``bottom_px``.

        Raises:
            ValueError: If it is not at hand, as of results that were loaded.
        """
        if self.found is None:
            raise ValueError(
                "predictions are not part of loaded results: run it again in its workspace with "
                "save='predictions', out=FOLDER, which computes only those that are gone"
            )
        return self.found()

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The records, a row each, by the names of `Record`'s fields.

        ``ci_low`` and ``ci_high`` stand in the place of ``ci``. ``change`` is the paired difference
        to the rainy input in the record's unit, ``change_low`` and ``change_high`` its 95 %
        interval: NaN for inputs, and where there is none.
        """
        import pandas as pd

        rows = []
        for r in self.records:
            ci = r.ci or (None, None)
            row = {k: v for k, v in asdict(r).items() if k != "ci"}
            row |= {"ci_low": ci[0], "ci_high": ci[1]}
            rainy = self.at(r.condition.rainy, r.judge, r.metric)
            found = self.compare(rainy, r) if r.condition.is_derained and rainy else None
            low, high = (found and found.ci) or (None, None)
            row |= {"change": found and found.difference, "change_low": low, "change_high": high}
            rows.append(row)
        frame = pd.DataFrame(rows)
        numbers = ["value", "ci_low", "ci_high", "change", "change_low", "change_high"]
        return frame.astype(dict.fromkeys(numbers, float)) if rows else frame

    @cached_property
    def images(self) -> pd.DataFrame:
        """The numbers of single images, a row for each image, condition and task network.

        Quality does not depend on the network, and stands in the rows of each; ``network`` is None
        where no task saw the image. Its columns are ``sample``, ``unit`` (what it was resampled
        with), ``rain``, ``derainer``, ``stage``, ``network``, and one for each metric.

        Raises:
            ValueError: If they are not known, as of a results folder that was read.
        """
        import pandas as pd

        if not self.by_image.values:
            raise ValueError(
                "the numbers of single images are not part of these results: load the workspace of "
                "the run, or read images.csv in the results folder"
            )
        parts: dict[Condition, dict[str | None, dict[str, Any]]] = {}
        for cell, values in self.by_image.values.items():
            network = cell.network if cell.task != QUALITY else None
            parts.setdefault(cell.condition, {}).setdefault(network, {})[cell.metric] = values
        frames = []
        for condition, by_network in parts.items():
            quality = by_network.pop(None, {})
            for network, columns in (by_network or {None: {}}).items():
                about = {
                    "sample": self.by_image.samples,
                    "unit": self.by_image.units,
                    "rain": condition.rain,
                    "derainer": condition.derainer,
                    "stage": condition.stage,
                    "network": network,
                }
                frames.append(pd.DataFrame(about | quality | columns))
        return pd.concat(frames, ignore_index=True)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The main table's values: a row for each condition and network, a column a metric."""
        import pandas as pd

        index = [
            (condition.rain, condition.name, *([network] if network else []))
            for condition in self.conditions
            for network, _ in self.lines
        ]
        rows = [[record.value if record else None for record in row] for row in self._rows]
        names = ["rain", "derainer", "network"][: len(index[0]) if index else 2]
        places = pd.MultiIndex.from_tuples(index or [("", "")], names=names)[: len(rows)]
        headings = [self.metrics[metric].heading for _, metric in self.columns]
        return pd.DataFrame(rows, places, headings, dtype=float)

    @property
    def _rows(self) -> list[list[Record | None]]:
        """The main table's numbers."""
        return [
            [self.at(c, judges[t], m) if t in judges else None for t, m in self.columns]
            for c in self.conditions
            for _, judges in self.lines
        ]

    def __repr__(self) -> str:
        """Data, number of images and the main table, its marks, and images that failed."""
        shown, said = self._shown
        return "\n".join([self._title, shown.to_string(), *said])

    def _repr_html_(self) -> str:
        """The same in a notebook."""
        shown, said = self._shown
        below = "".join(f"<p>{html.escape(line)}</p>" for line in said)
        return f"<p>{html.escape(self._title)}</p>{shown.to_html()}{below}"

    @property
    def _shown(self) -> tuple[pd.DataFrame, list[str]]:
        """The main table as text, each metric with its own number of places, and what is said."""
        import pandas as pd

        marked: set[str] = set()
        rows = [[self._marked(r, marked) for r in row] for row in self._rows]
        failed = [failures(self.errors)] if self.errors else []
        return pd.DataFrame(rows, self.table.index, self.table.columns), marks(marked) + failed

    def _marked(self, record: Record | None, marked: set[str]) -> str:
        if record is None or record.value is None:
            return ""
        return f"{record.value:.{self.metrics[record.metric].decimals}f}{mark(record, marked)}"

    @property
    def _title(self) -> str:
        n = image_count(max((record.n for record in self.records), default=0))
        data = dict.fromkeys(f"{r.dataset} {r.split}".rstrip() for r in self.records)
        return f"run {self.run[:12]}: {', '.join(data)}, {n}"

    def value(
        self,
        rain: str,
        derainer: str,
        task: str,
        metric: str,
        stage: str | None = None,
        network: str | None = None,
    ) -> Record:
        """One record by its words.

        Of a task with several networks it is the first one's unless another is named.

        Raises:
            LookupError: If the run does not hold it, with what it does.
        """
        wanted = {
            "rain": rain,
            "derainer": derainer,
            "stage": stage,
            "task": task,
            "metric": metric,
        } | ({} if network is None else {"model": network})
        left = self.records
        for name, word in wanted.items():
            known = list(dict.fromkeys(getattr(r, name) for r in left))
            left = [r for r in left if getattr(r, name) == word]
            if not left:
                raise LookupError(unknown(name, word, known))
        return left[0]

    def at(self, condition: Condition, judge: Judge, metric: str) -> Record | None:
        """One record by its place, None if the run does not hold it."""
        return self._by_place.get((condition, judge, metric))

    @cached_property
    def judges(self) -> list[Judge]:
        """The networks of every task, tasks in their order; image quality stands as one of them."""
        found = dict.fromkeys(record.judge for record in self.records)
        found |= dict.fromkeys(cell.judge for cell in self.by_image.values)
        return [judge for task in self.tasks for judge in found if judge.task == task]

    @cached_property
    def lines(self) -> list[tuple[str | None, dict[str, Judge]]]:
        """The rows of a condition in tables: a network's name, and who judges there, by task.

        Where no task has two networks there is one row for all, without a name; else one for each
        network, and image quality stands in the first.
        """
        by_task = {judge.task: judge for judge in self.judges}
        if len(by_task) == len(self.judges):
            return [(None, by_task)]
        rows = [(j.network, {j.task: j}) for j in self.judges if j.task != QUALITY]
        rows[0][1].update((j.task, j) for j in self.judges if j.task == QUALITY)
        return rows

    def network_of(self, record: Record) -> str | None:
        """The network that a number is told by from those of others; None where it has no rival."""
        return record.model if len(self._networks[record.task, record.metric]) > 1 else None

    @cached_property
    def _networks(self) -> dict[tuple[str, str], set[str | None]]:
        """The networks by task and metric."""
        found: dict[tuple[str, str], set[str | None]] = {}
        for r in self.records:
            found.setdefault((r.task, r.metric), set()).add(r.model)
        return found

    def called(self, judge: Judge) -> str:
        """A task by its name, and by its network's where it has several."""
        return self._with_network(judge.task, judge)

    def slug(self, judge: Judge) -> str:
        """The same, as a part of a file's name."""
        return self._slugs[self.called(judge)]

    @cached_property
    def _slugs(self) -> dict[str, str]:
        return file_names(self.called(judge) for judge in self.judges)

    def titled(self, judge: Judge) -> str:
        """The same, to begin a sentence with."""
        return self._with_network(self.tasks[judge.task].title, judge)

    def _with_network(self, task: str, judge: Judge) -> str:
        alone = sum(other.task == judge.task for other in self.judges) < 2
        return task if alone or judge.network is None else f"{task} by {judge.network}"

    @cached_property
    def conditions(self) -> list[Condition]:
        """Every condition that a record is of, in the order of the records."""
        return list(dict.fromkeys(record.condition for record in self.records))

    @cached_property
    def _by_place(self) -> dict[tuple[Condition, Judge, str], Record]:
        return {(r.condition, r.judge, r.metric): r for r in reversed(self.records)}

    @cached_property
    def held(self) -> dict[str, list[str]]:
        """The metrics that the run has records of, by task, both in the order of tables."""
        order = {metric: place for place, metric in enumerate(self.metrics)}
        found: dict[str, dict[str, None]] = {task: {} for task in self.tasks}
        for record in self.records:
            if record.task in found:
                found[record.task][record.metric] = None
        return {task: sorted(names, key=order.__getitem__) for task, names in found.items()}

    @cached_property
    def columns(self) -> list[tuple[str, str]]:
        """(task, metric) of the main table: those meant for it, or what else a task has."""
        shown = []
        for task, names in self.held.items():
            whole = [name for name in names if self.metrics[name].by is None]
            meant = [name for name in whole if self.metrics[name].is_column]
            shown += [(task, name) for name in meant or whole]
        return shown

    def primary(self, task: str) -> str | None:
        """The metric on which a task's verdicts are given; None if the run does not hold it."""
        return next((m for m in self.held.get(task, ()) if self.metrics[m].primary), None)

    def image_metric(self, task: str) -> str | None:
        """What a task's score of a single image is; None if the run does not hold one."""
        row = self.tasks.get(task)
        metric = (row and row.image_metric) or self.primary(task)
        return metric if metric in self.metrics else None

    def seconds(self, cost: Cost) -> float:
        """What deraining took an image: the median, behind a gate the mean of both its kinds."""
        mean = cost.mean_s_per_image
        if mean is not None and self.is_gate(cost.condition.derainer):
            return mean
        return cost.median_s_per_image

    def is_gate(self, derainer: str) -> bool:
        """Whether a derainer derains some images alone, whose weights are of the one behind it."""
        return derainer in self.provenance.gates or derainer.startswith(("gate:", "gate@"))

    @property
    def seeds(self) -> range | None:
        """The seeds of the rain that all numbers are means over; None of a single run."""
        first, times = self.spec.get("seed", 0), self.spec.get("seeds")
        return None if times is None else range(first, first + times)

    @property
    def resampled(self) -> int:
        """Units of the whole set, whether or not a number has a value in each."""
        known = self.provenance.groups
        return max((r.n for r in self.records), default=0) if known is None else known

    def groups(self, record: Record) -> int:
        """Units that were resampled and in which a number has a value.

        Of what was written before numbers told theirs it is those of the whole set, and of a part
        at most one for each image.
        """
        if record.groups is not None:
            return record.groups
        known = self.provenance.groups
        return record.n if known is None else min(known, record.n)

    @property
    def sets(self) -> Hashable:
        """What images were resampled, and how: draws of runs are paired where these are equal."""
        told = self.provenance
        version = (told.metric_versions or {}).get("resamples")
        times = len(next(iter(self.draws.values()), ()))
        return told.data_fingerprint, told.groups, told.blocks, version, times

    def left_out(self, record: Record) -> Hashable:
        """Which images a mean of image quality leaves out: equal for those of the same images."""
        values = self.by_image.values.get(record.cell)
        if record.task != QUALITY:
            return None
        if values is not None:
            return gap(values)
        # How many it leaves out does not say which.
        return self.gaps.get(record.cell, object() if record.n_identical else record.why)

    def compare(self, first: Record, second: Record) -> Comparison | None:
        """Paired difference of two records of one run.

        It has no interval below 20 groups of images, where there is too little to resample.

        Returns:
            None where a value is missing, and where the two are means over different images: those
            that equal their reference have no PSNR.
        """
        if first.value is None or second.value is None:
            return None
        if first.cell != second.cell and self.left_out(first) != self.left_out(second):
            return None
        difference = second.value - first.value
        a, b = self.draws.get(first.cell), self.draws.get(second.cell)
        if a is None or b is None:
            return Comparison(difference, None)
        drawn = b.astype(np.float64) - a
        return Comparison(difference, interval(drawn, self.groups(first)))
