"""Everything that a run is looked at by, into one folder."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.results.results import Results

SAVED = ("images", "predictions")
"""Folders of what a run saves, which its records do not hold."""


def write(
    results: Results, directory: str | Path, layout: str | None = None, staged: Path | None = None
) -> None:
    """Write everything that a run is looked at by; the folder is then whole, see `reports.folder`.

    Args:
        results: The run.
        directory: Made if needed; gets ``results.json``, ``results.csv``, ``results.md``,
            ``results.tex``, ``cite.bib``, ``images.csv``, ``report.html``, ``draws.npz``,
            ``plots/`` and, where pictures were kept, ``pictures/``.
        layout: One of `reports.layouts.layouts.LAYOUTS`, for ``NAME.md`` and ``NAME.tex`` too, or
            ``paper`` for the plots as PDF too, each as wide as a paper's column or both.
        staged: The folder's `reports.folder.staging` with more files of the run; None: none more.
            What the same run saved there before stays.

    Raises:
        ValueError: If there is no such layout.
        FolderError: If a file of one's own would be written over, or the folder is the one that
            the results were read from, and holds more than that gave.
    """
    from reports.folder import put, run_of, staging
    from reports.layouts.layouts import LAYOUTS
    from reports.results.written import to_json

    if layout not in (None, "paper", *LAYOUTS):
        raise ValueError(f"unknown layout {layout!r}: known are paper, {', '.join(LAYOUTS)}")

    directory = Path(directory)
    is_again = run_of(directory) == results.run
    if is_again:
        _require_no_more(directory, results)
    staged = staged or staging(directory)
    try:
        for name, data in _files(results, layout).items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).write_bytes(data)
        put(directory, lambda digests: to_json(results, digests), SAVED if is_again else ())
    except Exception:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def _require_no_more(directory: Path, results: Results) -> None:
    """Refuse a folder with the numbers of single images to results that came without them."""
    from reports.folder import FolderError
    from reports.tables.by_image import by_image_csv

    file = directory / "images.csv"
    if results.by_image.values or not file.is_file():
        return
    if file.read_bytes() != by_image_csv(results).encode():
        raise FolderError(
            f"{directory} holds pictures and numbers of single images that results read from a "
            "folder lack, and would lose them: name another folder, or the run's workspace"
        )


def _files(results: Results, layout: str | None) -> dict[str, bytes]:
    """Everything but what runs save and ``results.json``, by name."""
    import numpy as np

    from datasets.image import encode_jpeg
    from reports.layouts.layouts import LAYOUTS, laid_out
    from reports.pages.pictures import pictures
    from reports.pages.run import page, picture_name
    from reports.plots.plots import plots
    from reports.results.written import draws_of
    from reports.tables.by_image import by_image_csv
    from reports.tables.citations import citations
    from reports.tables.csv import csv_text
    from reports.tables.latex import latex
    from reports.tables.markdown import markdown

    buffer = io.BytesIO()
    draws: dict[str, Any] = {**draws_of(results)}
    np.savez_compressed(buffer, **draws)
    drawn = plots(results)
    files = {
        "results.csv": csv_text(results, results.records).encode(),
        "results.md": markdown(results).encode(),
        "results.tex": latex(results).encode(),
        "cite.bib": citations(results).encode(),
        "images.csv": by_image_csv(results).encode(),
        "draws.npz": buffer.getvalue(),
        "report.html": page(results, drawn).encode(),
    }
    files |= {f"plots/{p.name}.svg": p.svg for p in drawn}
    files |= {f"plots/{p.name}.png": p.png for p in drawn}
    if layout is not None and layout in LAYOUTS:
        files |= {name: text.encode() for name, text in laid_out(layout, [results]).items()}
    if layout == "paper":
        files |= {f"plots/{p.name}.pdf": p.pdf for p in drawn}
    if results.gallery:
        files["plots/pictures.jpg"] = encode_jpeg(pictures(results), 88)
        files |= {f"pictures/{picture_name(item)}": item.jpeg for item in results.gallery}
    return files
