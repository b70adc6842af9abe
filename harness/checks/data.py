"""The verb ``check-data``: findings as lines, and a sheet of drawn labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from datasets import DATASETS, Dataset, DatasetError
from datasets.check import Checked, Finding, check, counts
from datasets.draw import drawn
from datasets.image import NDArrayByte, UnreadableImageError, shrink
from datasets.labels import unmatched
from harness.plan.data import kind_of, label_file, root_of
from harness.plan.networks import networks_of, scoring_task
from harness.runs.sheet_file import require_sheet, write_sheet
from harness.spec import RunSpec, UsageError, known
from reports.pages.contact_sheet import contact_sheet
from tasks.rows import TASKS
from tasks.task import TaskError

LINES = 3
"""Findings of one kind that are printed; the others are counted."""
PICTURES = 12
PICTURE_PX = 640
"""Longest side of a picture on the sheet."""


def check_data(spec: RunSpec, against: Path | None, sheet: Path | None) -> tuple[list[str], bool]:
    """Look a data set over.

    Args:
        spec: Names the set by ``dataset``, ``data_root``, ``split`` and ``pair``, and in ``model``
            networks that should know its classes.
        against: A folder of images that it should share none with.
        sheet: PNG to write with the labels of some images drawn.

    Returns:
        Lines to print, and whether errors remain.

    Raises:
        UsageError: If a word is wrong, a folder absent, or another file in the sheet's place.
        DatasetError: If the set cannot be opened at all.
    """
    kind = kind_of(spec)
    root = root_of(spec)
    if spec.pair and not DATASETS[kind].takes_pair and not (root / spec.pair).is_dir():
        raise UsageError(f"--pair {spec.pair}: no folder {root / spec.pair} of rainy images")
    if against is not None and not against.is_dir():
        raise UsageError(f"--against {against}: no such folder")
    if sheet is not None:
        require_sheet(sheet)
    labels = label_file(spec).get("annotations")
    checked = check(kind, root, spec.split, spec.pair, against, labels)
    findings = [*checked.findings, *_of_networks(spec, checked)]
    if sheet is not None:
        write_sheet(sheet, label_sheet(checked.dataset))
    n = len(checked.dataset.samples)
    lines = [*(f"note: {note}" for note in checked.dataset.notes), *_lines(findings)]
    has_errors = any(finding.is_error for finding in findings)
    said = ", ".join(
        f"{count} {kind} {'error' if is_error else 'warning'}{'s' if count > 1 else ''}"
        for (is_error, kind), count in counts(findings).items()
    )
    return [*lines, f"{n} images looked at: {said or 'nothing found'}"], has_errors


def _of_networks(spec: RunSpec, checked: Checked) -> list[Finding]:
    """What keeps the networks of ``--model`` from the set: labels that lack, classes unknown.

    Why masks lack is told already where outlines are wrong.
    """
    dataset, findings = checked.dataset, []
    is_told = any(finding.kind == "outline" for finding in checked.findings)
    for task in spec.model:
        known(task, TASKS, "task in --model")
        for network in networks_of(task, spec):
            try:
                names = list(TASKS[task].names(dataset).values())
                build = partial(network.build, "cpu", names)
                matched = scoring_task(task, dataset, build).matched()
            except (UsageError, TaskError) as error:
                if not (is_told and TASKS[task].needs_masks):
                    findings.append(Finding(True, "task", str(error)))
                continue
            texts = unmatched(f"{task} by {network.name}", matched, dataset, dataset.samples)
            findings += [Finding(False, "class", text) for text in texts]
    return findings


def _lines(findings: list[Finding]) -> list[str]:
    """Findings, errors first, each kind cut after a number of lines."""
    lines = []
    for (is_error, kind), total in counts(findings).items():
        word = "error" if is_error else "warning"
        told = [f for f in findings if (f.is_error, f.kind) == (is_error, kind)]
        lines += [f"{word}: {kind}: {f.text}" for f in told[:LINES]]
        if total > LINES:
            lines.append(f"{word}: {kind}: and {total - LINES} more")
    return lines


def label_sheet(dataset: Dataset) -> NDArrayByte:
    """Some images with their labels drawn, ``uint8 (H, W, 3) RGB``: those a limit would take.

    Raises:
        UsageError: If no image can be drawn.
    """
    pictures = []
    for sample in dataset.limited(PICTURES).samples:
        try:
            label_map = None if sample.label_map_path is None else sample.label_map()
            picture = drawn(sample.image(), sample.annotations, dataset.categories, label_map)
        except (UnreadableImageError, DatasetError, OSError, ValueError, IndexError):
            continue  # A finding says what is wrong with it.
        pictures.append((shrink(picture, PICTURE_PX), sample.id))
    if not pictures:
        raise UsageError("--sheet: no image of the set can be drawn")
    return contact_sheet(pictures, 3)
