"""The form for real rain: sheets that hide the names, and answers that are told by them again."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.image import decode, encode_jpeg, encode_png

HEAD = "form,pass,photograph,panel,streaks,veil,harm,text"


@pytest.fixture(scope="module")
def form() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
        return importlib.import_module("real_rain_form")


def filled_in(form: Any, turn: int, streaks_of: dict[str, str]) -> list[str]:
    """Lines of a sheet, its streaks by derainer."""
    return [
        f"bundled,{turn},7,{place},{streaks_of.get(derainer, 'none')},most,road,absent"
        for place, derainer in enumerate(form.order("bundled", "7"), 1)
    ]


def test_an_answer_is_of_the_derainer_behind_its_panel(form: Any) -> None:
    lines = [HEAD, *filled_in(form, 1, {"median": "most"}), *filled_in(form, 2, {"median": "some"})]
    made = form.tables(form.read("\n".join(lines)))
    assert made["form-lost"] == ["Not filled in yet."]
    head, _, *rows = made["form-bundled"]
    assert "streaks: none / some / most" in head
    told = {row.split(" | ")[0].strip("| "): row.split(" | ")[1] for row in rows[:5]}
    assert told == dict.fromkeys(form.FORMS["bundled"], "100 / 0 / 0") | {"median": "0 / 50 / 50"}
    assert rows[-1].startswith("1 photographs, 2 passes. The same answer twice: streaks 80 %")


def test_orders_hang_on_the_photograph_alone(form: Any) -> None:
    orders = {tuple(form.order("bundled", str(i))) for i in range(40)}
    assert len(orders) > 30
    assert all(sorted(each) == sorted(form.FORMS["bundled"]) for each in orders)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines[:-1], lines[-1].replace("road", "sky")], "harm is one of none, ro"),
        (lambda lines: lines[:-1], "one line for each of its panels"),
        (lambda lines: [*lines[:-1], lines[-2]], "one line for each of its panels"),
    ],
)
def test_a_form_that_is_not_whole_is_refused(form: Any, change: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        form.read("\n".join(change([HEAD, *filled_in(form, 1, {})])))


def test_a_sheet_shows_every_panel_without_a_name(form: Any, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    levels = np.full((40, 60, 3), 128, np.uint8)
    (tmp_path / "photos" / "7.jpg").write_bytes(encode_jpeg(levels))
    for i, name in enumerate(form.FORMS["bundled"]):
        folder = tmp_path / "run" / "images" / "given" / (name if i else f"{name}@0123abcd")
        folder.mkdir(parents=True)
        (folder / "7.png").write_bytes(encode_png(np.full((40, 60, 3), 10 * i, np.uint8)))
    form.draw(tmp_path / "photos", tmp_path / "run", tmp_path / "sheets")
    sheet = decode((tmp_path / "sheets" / "7.png").read_bytes(), "7.png")
    shown = [level for level in np.unique(sheet[:40, ..., 0]) if (sheet == level).sum() > 5000]
    first = [10 * form.FORMS["bundled"].index(name) for name in form.order("bundled", "7")[:2]]
    assert set(first) <= set(shown)


def test_the_page_holds_the_form(form: Any) -> None:
    if not form.FORM.is_file():
        pytest.skip("the form has not been filled in")
    text, lines = form.PAGE.read_text(), form.read(form.FORM.read_text())
    assert text == form.filled(text, form.tables(lines))
