"""The curve of a training: its rows in a CSV file, by epoch or by step, and a picture of them."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.spec import UsageError

if TYPE_CHECKING:
    from derainers.training.state import Row

DIGITS = ".7g"
"""How a number is written where nothing else is said."""


class _Curve:
    """Numbered rows in a CSV file; what is done again replaces what stood there."""

    def __init__(
        self,
        file: Path,
        number: Literal["epoch", "step"],
        formats: Mapping[str, str],
        goes_on: bool,
    ) -> None:
        """Take up the rows of a training that was broken off.

        Args:
            file: The CSV file, which may not be there yet.
            number: The column that numbers the rows.
            formats: How a column is written, where not with `DIGITS`.
            goes_on: Whether there is a training to go on with; else older rows are left behind.

        Raises:
            UsageError: If the file is damaged.
        """
        self._file, self._number, self._formats = file, number, formats
        self._rows: dict[int, dict[str, float]] = {}
        if goes_on and file.is_file():
            try:
                with file.open(newline="", encoding="utf-8") as lines:
                    for row in csv.DictReader(lines, strict=True):
                        self._rows[int(row[number])] = self._read(row)
            except (ValueError, TypeError, KeyError, csv.Error) as error:
                raise UsageError(
                    f"{file}: damaged, it is no curve of a training: copy it again, or give a new "
                    "--out"
                ) from error

    def _read(self, row: Mapping[str, str]) -> dict[str, float]:
        """The numbers of a row, of which these are used."""
        found = {key: float(value) for key, value in row.items()}
        for key in (self._number, "elapsed_s", "loss"):
            if not math.isfinite(found[key]):
                raise ValueError(key)
        return found

    def _put(self, number: int, values: Mapping[str, float]) -> None:
        """Add a row and write the file; a kill leaves the old one or this."""
        self._rows[number] = {self._number: number, **values}
        temporary = self._file.with_suffix(".tmp")
        with temporary.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.DictWriter(lines, list(self._rows[number]))
            writer.writeheader()
            for each in sorted(self._rows):
                told = {
                    k: format(v, self._formats.get(k, DIGITS)) for k, v in self._rows[each].items()
                }
                writer.writerow(told | {self._number: each})
        temporary.replace(self._file)

    @property
    def hours(self) -> float:
        """Time of all rows."""
        return sum(row["elapsed_s"] for row in self._rows.values()) / 3600


class LossCurve(_Curve):
    """Loss by epoch, of a task network in training."""

    def __init__(self, file: Path, goes_on: bool = False) -> None:
        super().__init__(file, "epoch", {"loss": ".7f", "elapsed_s": ".1f"}, goes_on)
        self._began = time.monotonic()

    def add(self, epoch: int, loss: float) -> float:
        """Add an epoch and write the file; returns its seconds, those since the one before."""
        now = time.monotonic()
        elapsed_s, self._began = now - self._began, now
        self._put(epoch, {"loss": loss, "elapsed_s": elapsed_s})
        return elapsed_s

    @property
    def last(self) -> int:
        """The last epoch that is done, from 1; 0 where none is."""
        return max(self._rows, default=0)


class ScoreCurve(_Curve):
    """Loss and the validation's scores by step, of a derainer in training; with a picture.

    Its rows are kept in the checkpoint, so that older ones beside it are left behind.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file, "step", {}, goes_on=False)
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """Add a row and write the file."""
        self.rows.append(row)
        self._put(
            row.step,
            {k: v for k, v in asdict(row).items() if k not in ("step", "scores")} | row.scores,
        )

    def draw(self, name: str, rainy: Mapping[str, float]) -> None:
        """Loss and validation by step, as a picture beside the CSV file.

        Args:
            name: The derainer's.
            rainy: The validation's scores of the rainy images, as lines to compare with.
        """
        from reports.plots.figure import new_figure

        if not self.rows:
            return
        figure = new_figure(8, 3.2)
        for axes, (key, label) in zip(
            figure.subplots(1, 3),
            (("loss", "loss"), ("psnr_y_db", "PSNR-Y [dB]"), ("ssim_y", "SSIM-Y")),
            strict=True,
        ):
            rows = [asdict(row) | row.scores for row in self.rows]
            axes.plot([r["step"] for r in rows], [r[key] for r in rows], color="#0072B2")
            if key in rainy:
                axes.axhline(rainy[key], color="#D55E00", linestyle="--", label="rainy input")
                axes.legend(frameon=False, loc="lower right")
            axes.set(xlabel="step", title=label)
        figure.suptitle(f"{name}: training and validation")
        figure.savefig(self._file.with_suffix(".png"), dpi=110)
