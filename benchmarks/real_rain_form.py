"""The form for real rain that docs/study-plan.md fixes: sheets without names, and the answers.

    python benchmarks/real_rain_form.py real-rain RUN SHEETS     # draws the sheets
    python benchmarks/real_rain_form.py                          # fills docs/study.md

RUN is made by

    python -m harness run --dataset folder --data-root real-rain --rain given --task none
        --quality none --derainer … --save images --out RUN

A sheet holds a photograph and what each derainer made of it, as panels 1, 2 and so on in an order
that is drawn from the photograph's name: whoever fills the form sees no derainer's name. It is
docs/real-rain-form.csv, with a line for each form (see `FORMS`), pass, photograph and panel:

- streaks and veil that are left: none, some, most;
- harm, things invented or smeared: none, road, objects;
- text or faces harmed: no, yes, absent (there are none).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pages import DOCS, filled

from datasets.image import decode, encode_png, shrink
from reports.pages.contact_sheet import contact_sheet
from reports.tables.text import grid

FORM, PAGE = DOCS / "real-rain-form.csv", DOCS / "study.md"
ANSWERS = {
    "streaks": ("none", "some", "most"),
    "veil": ("none", "some", "most"),
    "harm": ("none", "road", "objects"),
    "text": ("no", "yes", "absent"),
}
"""What is asked, and what may be answered."""
FORMS = {
    "lost": ("median", "mspfn-light", "granet", "dcsfn-light", "prenet", "hrrsr"),
    "bundled": (
        *("median", "mspfn-light-benchmark", "granet-benchmark"),
        *("dcsfn-light-benchmark", "prenet-benchmark"),
    ),
}
"""The derainers of the panels: of the first form's the weights are lost, those of the second come
with the package."""
PANEL_PX, COLUMNS = 512, 3


class Line(NamedTuple):
    """What was answered of one panel."""

    form: str
    """A key of `FORMS`."""
    turn: int
    """Which of the passes, from 1."""
    photograph: str
    derainer: str
    answers: tuple[str, ...]
    """In the order of `ANSWERS`."""


def order(form: str, photograph: str) -> list[str]:
    """The derainers of a photograph's panels; the name is that of its file, without the ending."""
    seed = int.from_bytes(hashlib.sha256(photograph.encode()).digest()[:8])
    return [str(word) for word in np.random.default_rng(seed).permutation(sorted(FORMS[form]))]


def draw(photographs: Path, run: Path, into: Path) -> None:
    """The sheet of every photograph, for the form of what comes with the package.

    Args:
        photographs: Their folder.
        run: The run's ``--out``.
        into: Folder of the sheets, made where it is not there.
    """
    folders = {folder.name.split("@")[0]: folder for folder in (run / "images/given").iterdir()}
    into.mkdir(parents=True, exist_ok=True)
    for file in sorted(photographs.glob("*.jpg")):
        shown = [(decode(file.read_bytes(), file.name), f"{file.stem}, as it was taken")]
        for place, derainer in enumerate(order("bundled", file.stem), 1):
            restored = folders[derainer] / f"{file.stem}.png"
            shown.append((decode(restored.read_bytes(), restored.name), str(place)))
        panels = [(shrink(image, PANEL_PX), caption) for image, caption in shown]
        (into / f"{file.stem}.png").write_bytes(encode_png(contact_sheet(panels, COLUMNS)))


def read(text: str) -> list[Line]:
    """The form, its panels told by derainers.

    Raises:
        ValueError: If an answer is none of those, or a panel stands twice or is not there.
    """
    lines = []
    for row in csv.DictReader(text.splitlines()):
        answers = tuple(row[question] for question in ANSWERS)
        for answer, (question, known) in zip(answers, ANSWERS.items(), strict=True):
            if answer not in known:
                raise ValueError(f"{row}: {question} is one of {', '.join(known)}")
        form = row["form"]
        derainer = order(form, row["photograph"])[int(row["panel"]) - 1]
        lines.append(Line(form, int(row["pass"]), row["photograph"], derainer, answers))
    sheets = Counter((line.form, line.turn, line.photograph) for line in lines)
    whole = all(count == len(FORMS[form]) for (form, _, _), count in sheets.items())
    if len({line[:4] for line in lines}) < len(lines) or not whole:
        raise ValueError("each sheet has one line for each of its panels")
    return lines


def tables(lines: Sequence[Line]) -> dict[str, list[str]]:
    """The page's tables by name, one of each form."""
    by_form = {form: [line for line in lines if line.form == form] for form in FORMS}
    return {
        f"form-{form}": _table(form, mine) if mine else ["Not filled in yet."]
        for form, mine in by_form.items()
    }


def _table(form: str, lines: Sequence[Line]) -> list[str]:
    """How often each answer was given, as a percentage of the panels of a derainer; all passes."""
    headings = [f"{question}: {' / '.join(known)} [%]" for question, known in ANSWERS.items()]
    rows = []
    for derainer in FORMS[form]:
        mine = [line.answers for line in lines if line.derainer == derainer]
        cells = []
        for given, known in zip(zip(*mine, strict=True), ANSWERS.values(), strict=True):
            count = Counter(given)
            cells.append(" / ".join(f"{100 * count[each] / len(mine):.0f}" for each in known))
        rows.append([derainer, *cells])
    photographs = len({line.photograph for line in lines})
    turns = len({line.turn for line in lines})
    said = f"{photographs} photographs, {turns} {'pass' if turns == 1 else 'passes'}."
    return [*grid(["", *headings], rows), "", said + "".join(_agreement(lines))]


def _agreement(lines: Sequence[Line]) -> list[str]:
    """How often two passes gave the same answer."""
    first, second = (
        {line[2:4]: line.answers for line in lines if line.turn == turn} for turn in (1, 2)
    )
    both = [(first[panel], second[panel]) for panel in first if panel in second]
    said = []
    for place, question in enumerate(ANSWERS if both else ()):
        same = np.mean([a[place] == b[place] for a, b in both])
        said.append(f"{question} {100 * same:.0f} %")
    return [f" The same answer twice: {', '.join(said)}."] if said else []


def main() -> None:
    """Draw the sheets, or fill the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path, nargs="?", metavar="real-rain")
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN")
    parser.add_argument("sheets", type=Path, nargs="?", metavar="SHEETS")
    a = parser.parse_args()
    if a.photographs is not None:
        if a.sheets is None:
            parser.error("give all three: photographs, RUN and SHEETS")
        draw(a.photographs, a.run, a.sheets)
        return
    PAGE.write_text(filled(PAGE.read_text(), tables(read(FORM.read_text()))))


if __name__ == "__main__":
    main()
