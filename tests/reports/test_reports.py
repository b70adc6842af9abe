"""Tables, plots and page: everything that came from outside is text, and bytes do not change."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.image import encode_jpeg
from harness.cli import flags
from harness.cli.flags import fields_of
from harness.cli.main import parser
from harness.ledger.packed import pack, unpack
from reports.findings.sweeps import sweeps
from reports.pages.run import WHOLE, command, page
from reports.plots.plots import plots
from reports.results.conditions import conditions
from reports.results.gallery import GalleryItem
from reports.results.intervals import level_interval
from reports.results.provenance import Provenance
from reports.results.record import Correlation, ImageError, Record
from reports.results.results import ByImage, Results
from reports.results.written import arrays_of, parse, to_json
from reports.tables.markdown import markdown, parts
from reports.tables.summary import summary
from reports.write import write
from tasks import quality
from tests.reports.made import cost, rowed

HOSTILE = "=cmd|<script>alert(1)</script>\"'\n$\\frac{1}{$\u202e\x1b[31m"


def record(derainer: str, value: float | None, rain: str = "photoshop-heavy") -> Record:
    return Record(
        dataset="coco",
        split="val",
        rain=rain,
        derainer=derainer,
        weights=None,
        task="detection",
        model="yolov8n",
        metric="ap_pooled",
        value=value,
        n=100,
        ci=None,
        seen=("rain", "task-images") if derainer == "b" else (),
        seed=0,
        unit="fraction",
        why=None if value is not None else "no object counts",
    )


def results(name: str = "b") -> Results:
    records = [
        record("identity", 0.5, rain="none"),
        record("identity", 0.2),
        record(name, 0.3),
        record("c", None),
    ]
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 2000)
    draws = {r.cell: (r.value + noise).astype(np.float32) for r in records if r.value is not None}
    values = {
        r.cell.of("f1@c25-iou50"): np.array(
            [r.value, np.nan, r.value / 2, 0.0, 0.25, 1.0], np.float32
        )
        for r in records
        if r.value is not None
    }
    curves = {
        r.cell: np.linspace(1, 0, 101, dtype=np.float32) for r in records if r.value is not None
    }
    correlation = Correlation(
        "photoshop-heavy", name, "detection", "f1@c25-iou50", "ssim_y", 0.5, (0.4, 0.6), 5
    )
    boxes = ((1.0, 2.0, 9.0, 8.0, 0.5, name),)
    jpeg = encode_jpeg(np.zeros((10, 12, 3), np.uint8))
    return rowed(
        Results(
            run="f" * 64,
            spec={"dataset": "coco", "split": name, "seed": 0},
            provenance=Provenance(versions={name: "1"}),
            cost=[],
            errors=[ImageError(name, "decode", name)],
            records=records,
            draws=draws,
            gallery=[
                GalleryItem(
                    name,
                    "among the best",
                    r.condition,
                    jpeg,
                    12,
                    10,
                    boxes,
                    {"semantic": jpeg},
                    ((1.0, 1.0, 4.0, 4.0, name),),
                    {"semantic": jpeg},
                    "k",
                )
                for r in records
            ],
            by_image=ByImage((name, *"uvwxy"), (f"{name}\x000", *"uvwxy"), values),
            curves=curves,
            correlations=[correlation],
        )
    )


@pytest.mark.parametrize(
    ("task", "metric", "heading", "says"),
    [
        ("instance", "mask_ap_pooled", "mask AP pooled", "Mask AP and box AP: pycocotools"),
        ("semantic", "miou", "mIoU", "mPA: share of a class's pixels"),
    ],
)
def test_every_task_has_its_columns(task: str, metric: str, heading: str, says: str) -> None:
    plain = results()
    records = [replace(r, task=task, metric=metric) for r in plain.records]
    records[1] = replace(records[1], why="left out, not in the truth: car")
    draws = {
        new.cell: plain.draws[old.cell]
        for old, new in zip(plain.records, records, strict=True)
        if old.cell in plain.draws
    }
    headings, rows, notes = summary(rowed(plain, records=records, draws=draws))
    assert headings == ["rain", "derainer", heading, "against rainy"]
    assert rows[2] == ["photoshop-heavy", "b", "0.300†‡", "+0.100 [+0.100, +0.100]"]
    assert any(note.startswith(says) or says in note for note in notes)
    assert f"{heading}: left out, not in the truth: car (photoshop-heavy · rainy)." in notes
    everywhere = [replace(r, why="left out, not in the truth: car") for r in records]
    other = [replace(r, task="other", why=None) for r in records]
    for more in ([], other):  # another task that has the metric, and lacks nothing
        _, _, notes = summary(rowed(plain, records=[*everywhere, *more], draws=draws))
        assert f"{heading}: left out, not in the truth: car." in notes


def test_summary_shows_values_differences_and_marks() -> None:
    headings, rows, notes = summary(results())
    assert headings == ["rain", "derainer", "AP pooled", "against rainy"]
    assert rows[0] == ["clean", "–", "0.500", ""]
    assert rows[1] == ["photoshop-heavy", "rainy", "0.200", ""]
    assert rows[2] == ["photoshop-heavy", "b", "0.300†‡", "+0.100 [+0.100, +0.100]"]
    assert rows[3] == ["photoshop-heavy", "c", "–", "–"]
    assert any(line.startswith("† the derainer was trained on this kind of rain") for line in notes)
    assert any("because they failed: 1 of the images" in line for line in notes)


def test_every_protocol_has_a_caption_and_a_heading() -> None:
    names = quality.chosen(("all",), ("all",))
    captions = quality.captions(names)
    assert set(quality.PROTOCOLS) < set(captions)
    known = results()
    more = [
        replace(known.records[2], task="quality", metric=m, unit=quality.metric(m).unit)
        for m in names
    ]
    headings, _, notes = summary(rowed(known, records=more))
    assert {"PSNR-Y prenet [dB]", "PSNR-RGB dcsfn [dB]", "NIQE"} < set(headings)
    shown = [k for k, text in captions.items() if any(f"{k}: {text}" in line for line in notes)]
    assert set(captions) - set(shown) == {"fsim"}


def test_images_left_out_of_a_mean_are_told() -> None:
    known = results()
    why = "3 of 100 images left out: images too small"
    more = replace(known.records[2], task="quality", metric="ssim_y", why=why)
    _, _, notes = summary(rowed(known, records=[*known.records, more]))
    assert f"SSIM-Y: {why} (photoshop-heavy · b)." in notes


def test_unknown_training_is_marked() -> None:
    known = results()
    unknown = replace(known, records=[replace(r, seen=None) for r in known.records])
    _, rows, notes = summary(unknown)
    assert rows[2][2] == "0.300?"
    assert "? whether the weights were trained on this is not known." in notes


def test_results_go_through_json() -> None:
    before = results()
    text = to_json(before)
    after = parse(text, unpack(pack(arrays_of(before))), lambda _: before.gallery)
    assert after.records == before.records
    assert after.correlations == before.correlations
    assert after.by_image.samples == before.by_image.samples
    assert after.by_image.units == before.by_image.units
    for kept, known in (
        (after.draws, before.draws),
        (after.curves, before.curves),
        (after.by_image.values, before.by_image.values),
    ):
        assert kept.keys() == known.keys()
        assert all(np.array_equal(kept[cell], known[cell], equal_nan=True) for cell in known)
    assert json.loads(text)["records"][3]["why"] == "no object counts"


def test_the_same_results_give_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(results(), tmp_path / name)
    files = sorted(f.relative_to(tmp_path / "a") for f in (tmp_path / "a").rglob("*.*"))
    assert len(files) >= 7
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_command_says_everything() -> None:
    spec = {
        "dataset": "my set",
        "split": None,
        "rain": ["a", "b"],
        "where": [],
        "model": {"detection": "yolov8n.pt"},
        "seed": 0,
        "images": False,
    }
    assert command(spec) == (
        "python -m harness run --dataset 'my set' --rain a,b --model detection=yolov8n.pt --seed 0 "
        "--no-images"
    )


def test_words_that_hold_commas_or_begin_as_flags_are_typed_again_as_they_were() -> None:
    attributes = ["w.csv", "(?P<odd>[13])|(?P<even>[02]),", "-x"]
    spec = {"rain": ["-a", "b"], "attributes": attributes, "pair": "-rain:-norain", "seed": -1}
    words = shlex.split(command(spec))[3:]
    typed = fields_of(parser().parse_args(words))
    assert {k: list(v) if k == "rain" else v for k, v in typed.items()} == spec
    assert {*WHOLE, "model"} == set(flags.WHOLE)


def test_the_page_says_which_device_ran() -> None:
    run = replace(results(), spec={**results().spec, "device": "auto"})
    made = replace(run.provenance, device="cuda")
    assert "<dt>device</dt><dd>cuda</dd>" in page(replace(run, provenance=made), [])
    assert "<dt>device</dt><dd>auto</dd>" in page(run, [])


def test_derainers_are_set_against_their_cost() -> None:
    costs = [cost("photoshop-heavy", d, s) for d, s in (("identity", 0.001), ("b", 0.5))]
    drawn = {plot.name: plot for plot in plots(replace(results(), cost=costs))}
    assert list(drawn) == [
        "change-detection",
        "detection",
        "images-detection",
        "precision-detection",
        "cost-detection",
    ]
    rows = list(csv.DictReader(io.StringIO(drawn["cost-detection"].csv)))
    assert {row["derainer"] for row in rows} == {"identity", "b"}
    assert drawn["detection"].alt == "AP pooled of 4 conditions, the numbers of the table"


def test_page_asks_nothing_of_a_network() -> None:
    text = page(results(), plots(results()))
    outside = [word for word in ("http://", "https://", "src='//", "@import") if word in text]
    assert outside == []


@pytest.mark.parametrize("missing", ["records", "gallery"])
def test_empty_results_still_make_a_page(missing: str, tmp_path: Path) -> None:
    write(replace(results(), **{missing: []}), tmp_path)  # type: ignore[arg-type]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Does deraining help?" in text
    has_pictures = missing != "gallery"
    assert ("image/jpeg" in text) == (tmp_path / "pictures").exists() == has_pictures


def test_rates_stand_in_the_order_of_their_numbers() -> None:
    rates = ("1", "2.5", "10", "100")
    records = [record("identity", 0.1, rain=f"physical:rate_mm_h={r}") for r in reversed(rates)]
    rows = conditions(replace(results(), records=[*records, record("identity", 0.5, rain="none")]))
    assert [row.rain for row in rows] == ["none", *(f"physical:rate_mm_h={r}" for r in rates)]


def test_a_sweep_is_drawn_from_three_values_on() -> None:
    rains = [f"physical:rate_mm_h={rate}:exposure_ms=4" for rate in (1, 25, 100)]
    records = [record("identity", 0.5, rain="none")]
    records += [record("identity", 0.4 - 0.1 * i, rain=rain) for i, rain in enumerate(rains)]
    swept = rowed(results(), records=records)
    (sweep,) = sweeps(swept)
    assert sweep.parameter == "rate_mm_h"
    assert sweep.rain == "physical:exposure_ms=4"
    assert [rainy.rain for rainy in sweep.inputs.values()] == rains
    assert "physical-exposure_ms=4-rate_mm_h-detection" in [plot.name for plot in plots(swept)]
    assert sweeps(replace(swept, records=records[:-1])) == []


@pytest.mark.parametrize(
    ("word", "common"),
    [
        ("physical:rate_mm_h={}+overcast", "physical+overcast"),
        ("physical:rate_mm_h={}:exposure_ms=4+wet+lens", "physical:exposure_ms=4+wet+lens"),
        ("physical:rate_mm_h=5+lens:rate_mm_h={}", "physical:rate_mm_h=5+lens"),
    ],
)
def test_a_sweep_under_a_layer_is_one(word: str, common: str) -> None:
    rains = [word.format(rate) for rate in (1, 2.5, 100)]
    records = [record("identity", 0.4, rain=rain) for rain in rains]
    swept = rowed(results(), records=records)
    (sweep,) = sweeps(swept)
    assert (sweep.rain, sweep.parameter, list(sweep.inputs)) == (common, "rate_mm_h", [1, 2.5, 100])
    assert f"Scores by rate_mm_h of {common}, detection" in [plot.title for plot in plots(swept)]


def test_images_of_a_few_drives_have_no_interval() -> None:
    many, few = (replace(results(), provenance=Provenance(groups=n)) for n in (100, 2))
    floor = many.value("photoshop-heavy", "identity", "detection", "ap_pooled")
    restored = many.value("photoshop-heavy", "b", "detection", "ap_pooled")
    assert floor is not None
    assert restored is not None
    known, unknown = many.compare(floor, restored), few.compare(floor, restored)
    assert known is not None
    assert known.ci is not None
    assert unknown is not None
    assert unknown.difference == known.difference
    assert unknown.ci is None
    assert "The images are of 2 drives or scenes" in markdown(few)
    assert level_interval(np.linspace(0, 1, 100), 0.5, groups=19) is None
    assert level_interval(np.linspace(0, 1, 100), 0.5, groups=20) is not None


def test_every_table_of_the_run_stands_on_page_and_in_markdown() -> None:
    rains = [f"physical:rate_mm_h={rate}" for rate in (1, 25, 100)]
    records = [record("identity", 0.5, rain="none")]
    for i, rain in enumerate(rains):
        records += [record("identity", 0.4 - 0.1 * i, rain=rain), record("b", 0.45, rain=rain)]
    records += [
        replace(r, metric=f"ap/{name}", value=r.value / 2)
        for r in records
        for name in ("person", "car")
        if r.value is not None
    ]
    noise = np.random.default_rng(0).normal(0, 0.01, 2000)
    draws = {r.cell: (r.value + noise).astype(np.float32) for r in records if r.value}
    swept = rowed(results(), records=records, draws=draws)
    found = {part.anchor: part for part in parts(swept)}
    assert list(found) == ["numbers", "real", "sweep", "pays", "tells", "classes"]
    rainy, derained = found["sweep"].rows
    assert rainy[1:5] == ["rainy", "detection", "AP pooled", "0.300"]
    assert rainy[6] == "60 %"
    assert derained[4] == "0.450†‡"
    assert rainy[7] == "[58, 62]"
    assert derained[8] == "+0.150 [+0.150, +0.150]"
    assert found["tells"].rows[0][3:] == ["SSIM-Y", "+0.50", "[+0.40, +0.60]", "5", "–", "–"]
    assert [row[:3] for row in found["classes"].rows] == [
        ["detection", "person", "0.250"],
        ["detection", "car", "0.250"],
    ]
    assert "classes-detection" in [plot.name for plot in plots(swept)]
    headings = [line for line in markdown(swept).splitlines() if line.startswith("## ")]
    assert headings == [f"## {part.heading}" for part in found.values()][:-1]


def test_a_share_of_images_below_the_rainy_one_is_told() -> None:
    part = next(part for part in parts(results()) if part.anchor == "real")
    assert part.rows[0][part.headings.index("images below rainy")] == "0 %"
    worse = results()
    cell = worse.records[2].cell.of("f1@c25-iou50")
    worse.by_image.values[cell][:] = [0.1, np.nan, 0.05, 0.0, 0.2, 1.0]
    part = next(part for part in parts(worse) if part.anchor == "real")
    # Three of the five images that have a score fell.
    assert part.rows[0][part.headings.index("images below rainy")] == "60 %"


def test_pictures_lie_beside_the_page_at_full_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = encode_jpeg(rng.integers(0, 255, (900, 1200, 3), dtype=np.uint8), 90)
    known = results("a/b c")
    shown = [replace(item, jpeg=large, key=f"{i:06}") for i, item in enumerate(known.gallery)]
    write(replace(known, gallery=shown), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    files = sorted((tmp_path / "pictures").iterdir())
    assert len(files) == len(shown)
    assert all(file.read_bytes() == large and f"pictures/{file.name}" in text for file in files)
    assert files[0].name == "a-b-c-none-identity-000000.jpg"
    many = [
        replace(shown[0], condition=replace(shown[0].condition, rain=str(i)), key=f"{i:06}")
        for i in range(40)
    ]
    assert len(page(replace(known, gallery=many), [])) < 15_000_000


def test_the_sample_has_the_pictures_of_its_page_alone() -> None:
    folder = Path(__file__).parents[2] / "docs" / "sample-report"
    named = re.findall(r"pictures/([\w.-]+\.jpg)", (folder / "report.html").read_text())
    assert set(named) == {file.name for file in (folder / "pictures").iterdir()}


def test_the_page_says_what_an_image_takes_without_powers_of_ten() -> None:
    took = [cost("photoshop-heavy", "b", 3.853), cost("photoshop-heavy", "gate:b", 0.001)]
    took[1] = replace(took[1], mean_s_per_image=1.07)
    text = page(replace(results(), cost=took), [])
    cells = re.findall(r"<td[^>]*>([^<]+)</td>", text.partition('<h2 id="cost">')[2])
    assert [cell for cell in cells if cell in ("3,853", "1,070")] == ["3,853", "1,070"]
    assert "e+0" not in "".join(cells)
    assert "of a gate the mean" in text
