"""Printed numbers: complete, as printed, and refused in one line where a file is damaged."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from derainers import DERAINERS
from derainers.variants import variant_of
from harness.plan.rows import every_row
from reports.papers.claims import SLACK, UNRANKED, Claim, ClaimError, ordinal_claims
from reports.papers.reading import FOLDER, PAPERS, read_claims, read_tables
from tasks import quality

ROWS = every_row()
CLAIMS = read_claims(ROWS)

COUNTS = {
    "mscg": {"ablation": 12, "comparison": 42},
    "mspfn": {"1": 21, "2": 35, "3": 28, "4": 8 * 6 * 3, "5": 24, "6": 82},
    "granet": {"1": 56, "2": 16, "3": 16},
    "dcsfn": {"1": 42, "2": 7, "3": 8, "4": 4, "5": 8, "6": 6},
    "hrrsr": {"1": 8, "2": 12},
    "baselines": {"prenet": 40, "rescan": 4},
    "later": {"rain13k": 20, "mmagic": 10},
}
"""Numbers per table, counted in the papers. MSPFN's Table 6: PSNR 10, SSIM 10, time 8; precision,
recall and IoU 10 each; on BDD150 PSNR 5, SSIM 5, time 4; mPA 5, mIoU 5."""

SPLITS = {
    "bdd150": {"test-150"},
    "bdd350": {"test-350"},
    "coco350": {"test-350"},
    "dcsfn-real": {"unstated"},
    "mscg-rain100": {"unstated"},
    "mscg-rain40": {"unstated"},
    "mspfn-average": {"mean-5"},
    "outdoor-rain": {"test-1500"},
    "rain100h": {"test-100", "test-200"},
    "rain100l": {"test-100", "test-200"},
    "rain12": {"test-12"},
    "rain1200": {"test-1200", "unstated"},
    "rain14000": {"test-1400", "test-2800", "test-4900"},
    "rain800": {"test-100"},
    "real200": {"test-200"},
    "rid": {"test-2495"},
    "ris": {"test-2348"},
}

FROM_PRINT = [
    ("mscg", "ablation", "SSIM", "Rain100, Single scale", "0.8502", "ssim_y"),
    ("mscg", "ablation", "UQI", "Rain40, Multi-scale", "0.6922", "uqi"),
    ("mscg", "comparison", "Rain100, PSNR", "JORDER", "20.4823", "psnr_y_db"),
    ("mscg", "comparison", "Rain40, UQI", "RES", "0.6449", "uqi"),
    ("mspfn", "1", "RID [18]", "Testing Samples", "2495", "images"),
    ("mspfn", "1", "Total Count", "Training Samples", "13712", "images"),
    ("mspfn", "2", "PSNR", "Model3", "23.69", "psnr_y_db"),
    ("mspfn", "2", "Ave. inf. time (s)", "Model5", "0.141", "elapsed_s"),
    ("mspfn", "2", "Par. (Millions)", "Model4", "11.75", "parameters"),
    ("mspfn", "3", "PSNR", "MSPFN_M30N1", "27.91", "psnr_y_db"),
    ("mspfn", "3", "SSIM, second row", "MSPFN_M8N5", "0.924", "fsim"),
    ("mspfn", "3", "Par. (Millions)", "MSPFN_M5N1", "1.65", "parameters"),
    ("mspfn", "4", "UMRL [37]", "Rain100L, SSIM", "0.923", "ssim_y"),
    ("mspfn", "4", "MSPFN_w/o Eloss (Ours)", "Average, PSNR", "30.51", "psnr_y_db"),
    ("mspfn", "4", "PreNet [26]", "Rain100L, PSNR", "32.44", "psnr_y_db"),
    ("mspfn", "5", "RIS", "UMRL [37], SSEQ", "43.45", "sseq"),
    ("mspfn", "5", "Real200", "MSPFN (Ours), NIQE", "4.459", "niqe"),
    ("mspfn", "6", "PSNR", "Rain input, BDD350", "14.13", "psnr_y_db"),
    ("mspfn", "6", "Ave.inf.time (s)", "MSPFN* (Ours), BDD350", "0.23", "elapsed_s"),
    ("mspfn", "6", "Precision (%)", "Rain input, COCO350", "23.03", "precision@mspfn-table6"),
    ("mspfn", "6", "Recall (%)", "MSPFN* (Ours), BDD350", "49.74", "recall@mspfn-table6"),
    ("mspfn", "6", "IoU (%)", "PreNet [26], COCO350", "60.75", "mean_iou@mspfn-table6"),
    ("mspfn", "6", "PSNR", "RESCAN [19], BDD150", "20.96", "psnr_y_db"),
    ("mspfn", "6", "mIoU (%)", "MSPFN (Ours), BDD150", "35.90", "miou"),
    ("granet", "1", "Rain100L, PSNR", "NLEDN [15]", "36.57", "psnr_y_db@pil-y"),
    ("granet", "1", "DID-Dataset, SSIM", "DDN [3]", "0.7057", "ssim_y@pil-y"),
    ("granet", "2", "Rain100L, Only Coarse w/ RA", "PSNR", "36.12", "psnr_y_db@pil-y"),
    ("granet", "2", "Rain100H, Coarse + Fine (w/o Context)", "SSIM", "0.8979", "ssim_y@pil-y"),
    ("granet", "3", "Coarse, PSNR", "Rain100H", "18.02", "psnr_y_db@pil-y"),
    ("granet", "3", "Mask, SSIM", "Rain100L", "0.1442", "ssim_y@pil-y"),
    ("dcsfn", "1", "Rain100L", "NLEDN [21], PSNR", "38.84", "psnr_rgb_db@dcsfn"),
    ("dcsfn", "1", "Rain1200", "SSIR [44], SSIM", "0.89", "ssim_rgb@dcsfn"),
    ("dcsfn", "2", "NLEDN [21]", "NIQE", "3.62", "niqe"),
    ("dcsfn", "2", "DCSFN (Ours)", "NIQE", "3.54", "niqe"),
    ("dcsfn", "3", "PSNR", "M3", "26.89", "psnr_rgb_db@dcsfn"),
    ("dcsfn", "3", "SSIM", "M1", "0.8979", "ssim_rgb@dcsfn"),
    ("dcsfn", "4", "PSNR", "w/o inner-scale Connection", "28.32", "psnr_rgb_db@dcsfn"),
    ("dcsfn", "4", "SSIM", "w/o inner-scale Connection", "0.9031", "ssim_rgb@dcsfn"),
    ("dcsfn", "5", "PSNR", "K = 4", "28.59", "psnr_rgb_db@dcsfn"),
    ("dcsfn", "5", "SSIM", "K = 2", "0.9007", "ssim_rgb@dcsfn"),
    ("dcsfn", "6", "PSNR", "RNN", "27.63", "psnr_rgb_db@dcsfn"),
    ("dcsfn", "6", "SSIM", "LSTM", "0.9017", "ssim_rgb@dcsfn"),
    ("hrrsr", "1", "PSNR", "ATS+add (c)", "22.24", "psnr_rgb_db@hrrsr"),
    ("hrrsr", "1", "SSIM", "Proposed (d)", "0.755", "ssim_rgb@hrrsr"),
    ("hrrsr", "2", "PreNet + RCAN", "PSNR", "16.26", "psnr_rgb_db@hrrsr"),
    ("hrrsr", "2", "DID-MDN + RCAN", "SSIM", "0.646", "ssim_rgb@hrrsr"),
    ("baselines", "prenet", "Rain100L", "PReNet, PSNR", "37.48", "psnr_y_db@prenet"),
    ("baselines", "prenet", "Rain100L", "PRN_r, SSIM", "0.973", "ssim_y@prenet"),
    ("baselines", "prenet", "Rain1400", "PReNet_r, PSNR", "32.44", "psnr_y_db@prenet"),
    ("later", "rain13k", "MPRNet", "Test100, PSNR", "30.27", "psnr_y_db"),
    ("later", "rain13k", "SPAIR", "Test1200, SSIM", "0.9220", "ssim_y"),
    ("later", "mmagic", "Restormer", "Rain100H, PSNR", "31.4804", "psnr_y_db"),
    ("later", "mmagic", "Restormer", "Test2800, SSIM", "0.9451", "ssim_y"),
    ("baselines", "rescan", "test100", "PSNR", "26.45", "psnr_rgb_db@dcsfn"),
    ("baselines", "rescan", "test200", "SSIM", "0.8411", "ssim_rgb@dcsfn"),
]
"""Typed from the papers once more, and not from the files that are tested."""


def claim(paper: str, table: str, row: str, column: str) -> Claim:
    place = (paper, table, row, column)
    (found,) = [c for c in CLAIMS if (c.paper, c.table, c.row, c.column) == place]
    return found


def test_every_number_of_every_table_is_there() -> None:
    counts = {paper: {t.table: len(t.claims) for t in read_tables(ROWS, paper)} for paper in PAPERS}
    assert counts == COUNTS
    papers = [c for c in CLAIMS if c.paper not in ("baselines", "later")]
    assert len(papers) == 571
    assert len([c for c in papers if c.metric != "images"]) == 550  # without MSPFN's Table 1


@pytest.mark.parametrize(("paper", "table", "row", "column", "print_", "metric"), FROM_PRINT)
def test_numbers_are_as_printed(
    paper: str, table: str, row: str, column: str, print_: str, metric: str
) -> None:
    found = claim(paper, table, row, column)
    assert (f"{found.value:.{found.decimals}f}", found.metric) == (print_, metric)


def test_each_table_is_typed_twice_at_two_places_at_least() -> None:
    places = Counter((paper, table) for paper, table, *_ in FROM_PRINT)
    assert set(places) == {(paper, table) for paper, tables in COUNTS.items() for table in tables}
    assert min(places.values()) >= 2


def test_every_claim_has_a_place_of_its_own() -> None:
    places = Counter((c.paper, c.table, c.row, c.column) for c in CLAIMS)
    assert max(places.values()) == 1


def test_every_data_set_names_its_split() -> None:
    splits: dict[str, set[str]] = {}
    for found in CLAIMS:
        if found.metric == "images":
            assert found.split in ("train", "test")
        elif found.dataset is None or found.split is None:
            assert found.metric == "parameters"
        else:
            splits.setdefault(found.dataset, set()).add(found.split)
    assert splits == SPLITS


def test_names_are_those_of_the_harness() -> None:
    outputs = {f"{name}/{stage}" for name, row in DERAINERS.items() for stage in row.stages}
    named = {variant_of(c.derainer).row for c in CLAIMS if c.derainer}
    assert named <= set(DERAINERS) | outputs
    assert set(SLACK) - {"elapsed_s", "parameters", "images"} <= set(ROWS)
    assert not {c.unit for c in CLAIMS if c.metric in quality.METRICS} - {"dB", "fraction", "score"}


def test_what_a_paper_prints_twice_is_the_same() -> None:
    def what(c: Claim) -> tuple[str, ...]:
        images = (c.size_px,) if c.metric == "elapsed_s" else (c.dataset, c.split, c.size_px)
        return tuple(str(fact) for fact in (c.paper, c.method, c.metric, *images))

    repeats = Counter[str]()
    for _, group in groupby(sorted(CLAIMS, key=what), key=what):
        first, *others = sorted(group, key=lambda c: c.decimals)
        for other in others:
            assert round(other.value, first.decimals) == first.value, (first, other)
            repeats[first.paper] += 1
    # MSPFN: 4 of Tables 2 and 3, 3 of Tables 3 and 4, 4 times in Table 6. DCSFN: 28.81 and 0.9040
    # in Tables 3 to 6, and as 28.81 and 0.90 in Table 1.
    assert repeats == {"mspfn": 11, "granet": 4, "dcsfn": 8, "hrrsr": 2, "mscg": 6}


def test_averages_of_mspfn_are_means_of_its_five_sets() -> None:
    table = [c for c in CLAIMS if (c.paper, c.table) == ("mspfn", "4")]
    averages = [c for c in table if c.dataset == "mspfn-average"]
    assert len(averages) == 24
    for average in averages:
        five = [
            c.value
            for c in table
            if (c.row, c.metric) == (average.row, average.metric) and c is not average
        ]
        assert len(five) == 5
        # Each of the five may be off by half of its last digit, and so may their mean.
        wrong = abs(sum(five) / 5 - average.value) > 1.01 * 10.0**-average.decimals
        assert wrong == (average.differs is not None), average


def test_data_set_sizes_add_up_to_the_printed_total() -> None:
    sizes = [c for c in CLAIMS if c.metric == "images"]
    for split in ("train", "test"):
        *parts, total = [c.value for c in sizes if c.split == split]
        assert sum(parts) == total


def test_tolerances_are_stated() -> None:
    truncated = claim("hrrsr", "2", "Our result", "SSIM")
    assert truncated.tolerance == pytest.approx((0, 0.001))
    assert claim("granet", "1", "Rain100L, PSNR", "NLEDN [15]").tolerance == (-0.1, 0.1)
    assert claim("baselines", "prenet", "Rain100L", "PReNet, PSNR").tolerance == (-0.05, 0.05)
    million = claim("mspfn", "3", "Par. (Millions)", "MSPFN_M17N1")
    assert million.tolerance == pytest.approx((-0.267, 0.267))  # 2 % of 13.35
    assert claim("dcsfn", "1", "Rain100H", "DDN [10], SSIM").tolerance == (-0.005, 0.005)
    assert all(c.tolerance[0] <= 0 < c.tolerance[1] for c in CLAIMS)


def test_a_measurement_is_compared_in_the_unit_of_print() -> None:
    share = claim("mspfn", "6", "mPA (%)", "MSPFN (Ours), BDD150")
    assert share.unit == "percent"
    assert share.printed(0.5296) == pytest.approx(52.96)
    million = claim("mspfn", "3", "Par. (Millions)", "MSPFN_M17N1")
    assert million.printed(13_350_000) == pytest.approx(13.35)
    assert claim("mspfn", "4", "UMRL [37]", "Rain100L, SSIM").printed(0.923) == 0.923


def test_notes_say_what_is_odd_in_print() -> None:
    assert claim("mspfn", "3", "SSIM, second row", "MSPFN_M8N5").note == "printed as SSIM"
    both = claim("granet", "1", "DID-Dataset, PSNR", "DID-MDN [30]").note
    assert both is not None
    assert "not named" in both
    assert "asterisk" in both
    assert claim("mscg", "comparison", "Rain100, UQI", "Ours").note == "Rain100 is not defined"


def test_only_what_has_published_weights_can_run() -> None:
    can = {
        (c.paper, c.table, c.derainer)
        for c in CLAIMS
        if c.cannot_run is None and c.metric != "parameters"  # which need no weights
    }
    assert can == {
        ("granet", "1", "nledn"),
        ("granet", "1", "nledn:sides=odd"),
        ("mspfn", "6", "identity"),  # the rainy input, which needs no weights
        *(("baselines", "prenet", name) for name in ("prn", "prenet", "prn-r", "prenet-r")),
    }


SOURCE = re.compile(r"[A-Za-z][\w-]+/[A-Z][\w-]+|\b(paper|poster|GitHub)\b")
"""A repository, or what else a reader can open."""


def test_every_reason_names_a_source() -> None:
    reasons = {r for c in CLAIMS for r in (c.cannot_run, c.differs) if r is not None}
    assert len(reasons) > 20
    assert {reason for reason in reasons if not SOURCE.search(reason)} == set()


def test_pairs_of_one_column_are_ordered_as_printed() -> None:
    pairs = {
        (p.better.paper, p.better.table, p.better.column, p.better.row, p.worse.row)
        for p in ordinal_claims(CLAIMS)
    }
    mspfn = "MSPFN (Ours)"
    assert ("mspfn", "4", "Rain100L, PSNR", "PreNet [26]", mspfn) in pairs  # 32.44, 32.40
    assert ("mspfn", "4", "Rain100H, SSIM", mspfn, "PreNet [26]") in pairs  # 0.860, 0.858
    assert ("granet", "2", "PSNR", "Rain100L, Only Coarse w/ RA", GRANET_FINE) in pairs
    names = {(p.better.column, p.worse.column) for p in ordinal_claims(read_claims(ROWS, "mspfn"))}
    assert ("UMRL [37], NIQE", "MSPFN (Ours), NIQE") in names  # RIS: 5.615, 6.135, lower is better
    assert ("MSPFN* (Ours), COCO350", "MSPFN (Ours), COCO350") in names  # 0.08 s, 0.58 s


GRANET_FINE = "Rain100L, Coarse + Fine (w/o Context)"


def test_pairs_are_of_one_training_set_and_never_of_equals() -> None:
    pairs = ordinal_claims(CLAIMS)
    for pair in pairs:
        assert pair.better.trained_on == pair.worse.trained_on is not None
        assert pair.better.value != pair.worse.value
        assert pair.better.metric not in UNRANKED
        assert (pair.better.dataset, pair.better.metric) == (pair.worse.dataset, pair.worse.metric)
    counts = Counter((p.better.paper, p.better.table) for p in pairs)
    # GraNet's and DCSFN's Table 1 do not say what the others were trained on.
    assert set(counts) == {
        *(("mspfn", table) for table in "23456"),
        *(("dcsfn", table) for table in "3456"),
        *(("mscg", "ablation"), ("granet", "2"), ("hrrsr", "1"), ("baselines", "prenet")),
    }
    assert counts["dcsfn", "3"] == 2 * 6  # four models, PSNR and SSIM
    assert counts["hrrsr", "1"] == 6 + 3  # three models have the same SSIM
    assert counts["baselines", "prenet"] == 3 * 2 * 6 - 1  # PRN and PReNet_r: 0.977 on Rain100L


DAMAGES = {
    "cut within a table": (
        r"(?s)      \| SSIM +\| 0\.748.*",
        "",
        "counts.1: expected 8 numbers, found 4",
    ),
    "cut before a table": (r'(?s)  - table: "2".*', "", "counts.2: expected 12 numbers, found 0"),
    "cut within a word": (r"(?s)aption: The comparison.*", "", "line 34: could not find expected"),
    "cut within a list": (r"(?s), \"2\": 12}.*", "", "line 4: expected ',' or '}'"),
    "empty": (r"(?s).+", "", "the file: Input should be"),
    "a key that is no key": ("  split:", "  splt:", "facts.splt: Extra inputs are not permitted"),
    "a key that lacks": (r"title: .*", "", "title: Field required"),
    "a metric that is none": ("psnr_rgb_db@hrrsr", "psnr", "unknown metric 'psnr': choose among"),
    "a unit that is none": ("@hrrsr}", "@hrrsr, unit: dB}", "unit: Input should be 'percent' or"),
    "a unit of another metric": (
        "ssim_rgb@hrrsr",
        "ssim_rgb@hrrsr, unit: million",
        "SSIM | Add.Mul .a.: ssim_rgb@hrrsr in million, expected fraction",
    ),
    "a rounding that is none": ("truncated", "cut", "facts.rounding: Input should be 'rounded'"),
    "a slack that is none": (
        "@hrrsr}",
        "@hrrsr, slack: much}",
        "slack: expected a number or 'N %'",
    ),
    "a split that names nothing": ("test-1500", "1500 images", "facts.split: String should match"),
    "a fact that lacks": (
        "  dataset: outdoor-rain\n",
        "",
        "PSNR | Add.Mul .a.: dataset is missing",
    ),
    "no number": ("22.37 ", "22,37 ", "PSNR | Add.Mul .a.: expected a number, got '22,37'"),
    "a number too few": (r"\| 22.37 +", "", "row 'PSNR' has 3 cells for 4 columns"),
    "two numbers in one cell": ("22.37 ", "22.37/1 ", "expected 1 values, got '22.37/1'"),
    "a row that stands twice": ("SPANet . RCAN  ", "Our result     ", "Our result | PSNR: stands"),
    "a label of no legend": (r"\| SSIM +\| 0.7", "| SIM | 0.7", "label 'SIM': no legend has it"),
    "a legend of no label": ("Our result: ", "Ours: ", "label 'Our result': no legend has it"),
    "a spare label": (
        "legend:\n  PSNR",
        "legend:\n  MSE: {}\n  PSNR",
        "legend.MSE: no label of any",
    ),
    "a metric in two places": (
        "Our result: {",
        "Our result: {metric: niqe, ",
        "Our result | PSNR: metric is niqe and psnr_rgb_db@hrrsr",
    ),
    "a table that is not counted": ('table: "2"', 'table: "3"', "table 3: not in counts"),
    "a number as a table's name": ('table: "2"', "table: 2", "tables.1.table: Input should be a"),
    "a caption that lacks": (
        "caption: The comparison.*",
        'caption: ""',
        "table 2: caption is miss",
    ),
    "a cell that is not there": (
        r"\Z",
        "    cells: {A | B: {note: x}}\n",
        "cells.A | B: no such row",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_in_one_line(damage: str, tmp_path: Path) -> None:
    pattern, instead, message = DAMAGES[damage]
    whole = (FOLDER / "hrrsr.yaml").read_text()
    damaged = re.sub(pattern, lambda _: instead, whole, count=1)
    assert damaged != whole
    (tmp_path / "hrrsr.yaml").write_text(damaged)
    with pytest.raises(ClaimError) as raised:
        read_claims(ROWS, "hrrsr", tmp_path)
    line = str(raised.value)
    assert line.startswith("hrrsr.yaml:")
    assert "\n" not in line
    assert re.search(message.replace("|", r"\|"), line), line


def test_a_file_cut_anywhere_is_never_read_as_whole(tmp_path: Path) -> None:
    file = tmp_path / "dcsfn.yaml"
    whole = (FOLDER / "dcsfn.yaml").read_text()
    length = len(whole.rstrip())
    for end in (*range(0, length, 211), *range(length - 12, length)):
        file.write_text(whole[:end])
        with pytest.raises(ClaimError, match=r"^dcsfn.yaml: *[^\n]+$"):
            read_claims(ROWS, "dcsfn", tmp_path)


def test_unknown_and_absent_papers_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="unknown paper 'restormer': choose among mscg, mspfn"):
        read_claims(ROWS, "restormer")
    with pytest.raises(ClaimError, match=r"^mscg.yaml: No such file or directory$"):
        read_claims(ROWS, "mscg", tmp_path)
    (tmp_path / "mscg.yaml").write_bytes(b"title: \xff")
    with pytest.raises(ClaimError, match=r"^mscg.yaml: byte 7: no UTF-8$"):
        read_claims(ROWS, "mscg", tmp_path)


def test_the_page_has_the_counts() -> None:
    page = (FOLDER.parent.parent / "docs" / "papers.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \|", page, re.MULTILINE)
    assert [(p, t, int(n)) for p, t, n in rows] == [
        (t.paper, t.table, len(t.claims)) for t in read_tables(ROWS)
    ]
