"""The tables and the picture of docs/table6.md: MSPFN's Table 6 as printed, and our runs in it.

    python benchmarks/table6.py [DATA [--workspace DIR] [--out DIR]]

DATA holds coco128, camvid and weights, as docs/table6.yaml names them. What is in the workspace is
not measured again. Without DATA the picture alone is drawn anew from the page.
"""

from __future__ import annotations

from pages import DOCS, arguments, filled, run_suite

from harness.plan.rows import every_row
from reports.layouts.table6 import table6
from reports.papers.reading import read_tables
from reports.tables.text import grid

SUITE, PAGE, PICTURE = DOCS / "table6.yaml", DOCS / "table6.md", DOCS / "table6.png"
SETS = (("COCO350", "BDD350"), ("BDD150",))
"""The data sets of the print's blocks, between slashes."""


def printed() -> list[str]:
    """Lines of the print: a row for each metric of a block, a column for each method."""
    (table,) = [t for t in read_tables(every_row(), "mspfn") if t.table == "6"]
    cells = {(c.row, c.column): f"{c.value:.{c.decimals}f}" for c in table.claims}
    methods = list(dict.fromkeys(c.column.rpartition(", ")[0] for c in table.claims))
    rows = []
    for sets in SETS:
        for row in dict.fromkeys(c.row for c in table.claims):
            values = [[cells.get((row, f"{m}, {of}"), "-") for of in sets] for m in methods]
            if any(value != "-" for column in values for value in column):
                rows.append([f"{row}, {'/'.join(sets)}", *map("/".join, values)])
    return grid(["Methods", *methods], rows)


def draw(tables: dict[str, list[str]]) -> None:
    """Both tables as a picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(tables), 1, figsize=(13, 11), constrained_layout=True)
    for axis, (title, lines) in zip(axes, tables.items(), strict=True):
        plain = [line.replace("\\", "").strip("|") for line in lines]
        cells = [[c.strip() for c in line.split(" | ")] for line in plain]
        cells = [row for row in cells if row[0] and not row[0].startswith("---")]
        titles = {i: row[0] for i, row in enumerate(cells) if i and not any(row[1:])}
        cells = [["", *row[1:]] if i in titles else row for i, row in enumerate(cells)]
        shown = axis.table(cells, loc="center", cellLoc="center", edges="horizontal")
        shown.auto_set_font_size(False)
        shown.set_fontsize(8)
        shown.auto_set_column_width(list(range(len(cells[0]))))
        for (row, column), cell in shown.get_celld().items():
            if column == 0:
                cell.set_text_props(text=titles.get(row, cell.get_text().get_text()), ha="left")
                cell.get_text().set_clip_on(False)
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    figure.savefig(PICTURE, dpi=90)


def main() -> None:
    """Make the runs if data is given, then tables and picture."""
    a = arguments(__doc__, "table6")
    text = PAGE.read_text()
    if a.data is not None:
        found = run_suite(SUITE, a.data, a.workspace, a.out)
        text = filled(text, {"ours": table6(list(found.values()), "md").rstrip().splitlines()})
    text = filled(text, {"printed": printed()})
    PAGE.write_text(text)
    marked = text.split("<!-- ours -->")[1].split("<!-- end -->")[0].splitlines()
    ours = [line for line in marked if line.startswith("|")]
    draw({"As printed": printed(), "Of our runs": ours})


if __name__ == "__main__":
    main()
