"""The study's tables: of runs made by hand, and that those of the page are of what is kept."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import RunSpec
from harness import run as harness_run
from reports.results.cell import Cell
from reports.results.provenance import Provenance
from reports.results.record import Record
from reports.results.results import Results
from reports.results.training import Training
from tests.reports.made import record, rowed

DOCS = Path(__file__).parent.parent / "docs"
N, B = 40, 1000
SEEDS = (1001, 1002, 1003)
SEEN, HELD_OUT = "real-like", "physical:rate_mm_h=50"
RAINS = {"clean": ("none",), "rain": ("real-like",), "mixture": ("real-like", "none")}
X, OTHERS = "dcsfn-light", ("granet", "mscg", "prenet")
EFFECTS = {"nothing": 0.0, "clean": 0.01, "rain": 0.1, "mixture": 0.08}


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS.parent / "benchmarks"))
        yield importlib.import_module("study_page")


def run(page: Any, seed: int, derainers: tuple[str, ...]) -> Results:
    """A piece of the scenes: dry under the first seed alone."""
    nets = {"base": ("nothing", Training("base", rains=("none",), begun_with="older", seed=0))}
    for kind, i in itertools.product(RAINS, range(3)):
        about: dict[str, Any] = {"begun_with": "base", "steps": 9, "hours": 0.2, "footing": "equal"}
        nets[f"{kind}{i}"] = kind, Training(f"{kind}{i}", rains=RAINS[kind], seed=i, **about)
    shared = np.random.default_rng(0).normal(0, 0.01, B)
    values: list[tuple[Record, float]] = []
    dry = ("none",) if seed == SEEDS[0] else ()
    for rain, derainer in itertools.product((*dry, SEEN, HELD_OUT), derainers):
        gain = {"identity": 0.0, X: 0.06}.get(derainer, 0.002 * derainers.index(derainer))
        here: dict[str, Any] = {"rain": rain, "derainer": derainer, "seed": seed, "n": N}
        for network, (kind, training) in nets.items():
            value = (0.5 if rain == "none" else 0.2) + gain + EFFECTS[kind]
            value += 0.001 * (training.seed or 0)
            told = {"task": "detection", "model": network, "metric": "ap_pooled"}
            values.append((record(**here, **told, value=value, unit="fraction"), value))
        told = {"task": "quality", "metric": "psnr_y_db", "unit": "dB"}
        if rain != "none" or derainer != "identity":
            values.append((record(**here, **told, value=25 - 20 * gain), 25 - 20 * gain))
    draws: dict[Cell, NDArray[np.float32]] = {}
    for one, value in values:
        own = np.random.default_rng(len(draws)).normal(0, 0.001, B)
        draws[one.cell] = np.asarray(value + shared + own, np.float32)
    trainings = {"detection": {name: t for name, (_, t) in nets.items()}}
    made = Provenance(data_fingerprint="f", groups=N, trainings=trainings)
    spec = {"dataset": "streetsim", "split": "study", "seed": seed, "derainer": derainers[1:]}
    return rowed(Results("0" * 64, spec, made, [], [], [one for one, _ in values], draws))


def trials(page: Any, out: Path) -> Results:
    """Three networks, told by their files; the one in the middle is best."""
    trainings, records = {}, []
    for rate, value in zip(page.LEARNING_RATES, (0.5, 0.52, 0.51), strict=True):
        file = out / f"trial-{rate}" / "yolo-streetsim.safetensors"
        file.parent.mkdir()
        file.write_text(str(rate))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        trainings[f"yolo@{digest[:8]}"] = Training(digest)
        told = {"task": "detection", "model": f"yolo@{digest[:8]}", "metric": "ap_pooled"}
        here = {"rain": "none", "derainer": "identity", "n": N, "unit": "fraction"}
        records.append(record(**told, **here, value=value))
    made = Provenance(data_fingerprint="v", groups=N, trainings={"detection": trainings})
    spec = {"dataset": "streetsim", "split": "val", "seed": 0}
    return rowed(Results("1" * 64, spec, made, [], [], records[::-1], {}))


@pytest.fixture(scope="module")
def kept(page: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("pieces")
    runs = {
        name: run(page, seed, ("identity", X))
        for name, seed in zip(page.PRIMARY, SEEDS, strict=True)
    }
    runs["scenes"] = run(page, SEEDS[0], ("identity", X, *OTHERS))
    runs["benchmark"] = run(page, SEEDS[0], ("identity", X, *OTHERS))
    runs["for-task"] = run(page, SEEDS[0], ("identity", *page.LEARNED))
    runs["trials"] = trials(page, out)
    for name in runs:
        (out / name).mkdir()
        (out / name / "results.json").touch()
    (out / "pieces.json").write_text(json.dumps({**dict.fromkeys(runs, 0.5), "yolo-rain-0": 0.25}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study_numbers.load", lambda folder: runs[folder.name])
        patch.setattr("study_numbers.digests", dict)
        made = json.loads(json.dumps(page.gathered(out, {})))
    first = {one: made["runs"][other] for one, other in zip(page.FIRST, page.PRIMARY, strict=True)}
    return {**made, "first": made["primary"], "runs": {**made["runs"], **first}}


def test_the_primary_contrasts_are_those_of_the_plan(page: Any, kept: Any) -> None:
    rows = kept["primary"]["rows"]
    assert [row["name"] for row in rows] == ["P1", "P2", "P3", "P4", "P5"]
    expected = (-0.041, 0.06, 0.09, -0.041, 0.081)
    assert [row["value"] for row in rows] == pytest.approx(expected, abs=1e-9)
    assert [row["repeats"] for row in rows] == [[3, 3], [3, 3], [3, 3], [3, 3], [1, 3]]
    assert [row["verdict"] for row in rows] == ["worse", "better", "better", "worse", "better"]
    for row in rows:
        low, high = row["ci"]
        assert low < row["value"] < high
        assert (low > 0) == (row["value"] > 0)
    assert rows[0]["contrast"] == "derain by dcsfn-light − trained on real-like"
    assert rows[1]["contrast"].startswith("trained on real-like, and derain by dcsfn-light − ")
    assert rows[4]["contrast"] == "trained on real-like and clean images − nothing"
    plan = (DOCS / "study-plan.md").read_text()
    for row in rows:
        assert f"| {row['name']} | " in plan
    text = "\n".join(page.tables(kept)["primary"])
    assert "| P5 | trained on real-like and clean images − nothing | dry | +0.081 |" in text
    assert "40 x 3 x 3" in text
    made = page.tables(kept)
    assert made["first"] == made["primary"]
    for place in (-2, -4):
        came = [line.split("|")[place].strip() for line in made["expected"][2:]]
        assert came == ["as expected", "otherwise", "as expected", "as expected", "otherwise"]


def test_the_headline_holds_every_remedy_against_nothing(page: Any, kept: Any) -> None:
    *made, _, said = page.headline(kept)
    assert said == "n = 40 images under 3 seeds of the rain."
    heading, _, *lines = (line.split(" | ") for line in made)
    column = next(i for i, text in enumerate(heading) if SEEN in text)
    rows = {row[0].strip("| "): row for row in lines}
    assert next(iter(rows)) == "nothing"
    assert (rows["nothing"][1], rows["nothing"][column]) == ("0.500", "0.200")
    for remedy, told in (
        ("derain by dcsfn-light", "0.260, +0.060 \\[+0.0"),
        ("trained on real-like", "0.301, +0.101 \\[+0."),
        ("trained on real-like, and derain by dcsfn-light", "0.361, +0.161 \\[+0."),
    ):
        assert rows[remedy][column].startswith(told)


def test_the_learning_rate_is_that_of_the_best_twin(page: Any, kept: Any) -> None:
    lines = page.tables(kept)["trials"]
    assert [line for line in lines if "chosen" in line] == ["| 0.0003 | 0.5200 | chosen |"]
    assert "streetsim val, n = 40 images" in lines[-1]


def test_each_table_is_of_its_piece_or_says_that_it_is_not_there(page: Any, kept: Any) -> None:
    made = page.tables(kept)
    absent = {name: lines for name, lines in made.items() if lines[0].startswith("Not run yet")}
    elsewhere = {
        "coco",
        "coco-remedies",
        "camvid",
        "carlarain",
        "rain100l",
        "rain100h",
        "real-rain",
        "seeds-mspfn-light",
        "seeds-dcsfn-light",
        "footing",
    }
    assert absent.keys() == {"rates", "apart", "gate"} | elsewhere
    assert absent["rates"] == ["Not run yet: rates."]
    assert all(
        not any(sign.isdigit() for sign in line)
        for (line,) in absent.values()
        if "rain100" not in line
    )
    nothing = page.tables({"took": {}, "runs": {}})
    assert {name for name, lines in nothing.items() if len(lines) > 1} == {"took"}
    assert "primary-1002" in nothing["primary"][0]
    text = page.filled("".join(f"<!-- {n} -->\n<!-- end -->\n" for n in made), made)
    assert text == page.filled(text, made)


def test_trainings_of_one_derainer_lie_apart(page: Any, kept: Any) -> None:
    about = {"task": "detection", "heading": "AP pooled", "unit": "fraction"}
    of = {"mspfn-light-benchmark": 0.1, "mspfn-light-1": 0.12, "mspfn-light-2": 0.14}
    records = [{"rain": "none", "derainer": n, "change": c, **about} for n, c in of.items()]
    run = {"dataset": "streetsim", "split": "study", "n": 40, "failed": 0, "run": "0" * 64}
    seeds = {"seeds-mspfn-light": {**run, "records": records}}
    lines = page.tables({**kept, "runs": {**kept["runs"], **seeds}})["seeds-mspfn-light"]
    assert lines[2] == "| dry | AP pooled | +0.100 | +0.120 | +0.140 | 0.0200 |"


def test_pieces_that_lie_elsewhere_by_now_stay(page: Any, kept: Any, tmp_path: Path) -> None:
    """A later folder brings one piece more, and takes nothing away."""
    one = run(page, SEEDS[0], ("identity", X, *OTHERS))
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "results.json").touch()
    (tmp_path / "pieces.json").write_text(json.dumps({"scenes": 0.75}))
    kept = {**kept, "orders": [*kept["orders"], {"piece": "coco", "tau": 0.5}]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study_numbers.load", lambda _: one)
        patch.setattr("study_numbers.digests", dict)
        both = json.loads(json.dumps(page.gathered(tmp_path, kept)))
        weights = {**kept["runs"]["benchmark"], "weights": {X: "0" * 64}}
        other = {"runs": {"benchmark": weights, "rates": {**weights, "weights": {X: "1" * 64}}}}
        with pytest.raises(SystemExit, match="rates: dcsfn-light has other weights"):
            page.gathered(tmp_path, other)
    assert both == {**kept, "took": {**kept["took"], "scenes": 0.75}}


def test_psnr_orders_these_derainers_the_other_way(page: Any, kept: Any) -> None:
    rows = {row["rain"]: row for row in kept["orders"]}
    assert rows.keys() == {SEEN, HELD_OUT}
    assert {row["derainers"] for row in rows.values()} == {4}
    assert rows[SEEN]["tau"] == pytest.approx(-1)
    table = page.tables(kept)["derainers"]
    assert sum("| dcsfn-light |" in line for line in table) == 3
    assert any("0.260" in line and "+0.060" in line and "23.80" in line for line in table)


def test_each_derainer_of_the_benchmark_stands_against_training_on_rain(
    page: Any, kept: Any
) -> None:
    rows = {row["remedy"]: row["cells"] for row in kept["rivals"]}
    assert rows.keys() == {f"derain by {name}" for name in (X, *OTHERS)}
    found = rows[f"derain by {X}"]
    assert found.keys() == {"none", SEEN, HELD_OUT}
    # A gain of 0.06 against one of 0.1 and 0.001 a training.
    assert found[SEEN]["value"] == pytest.approx(0.06 - 0.101)
    low, high = found[SEEN]["ci"]
    assert low < 0.06 - 0.101 < high < 0
    lines = page.tables(kept)["rivals"]
    assert any(line.startswith(f"| derain by {X} | -0.041") for line in lines)


def test_learning_for_a_detector_is_held_against_its_twin(page: Any, kept: Any) -> None:
    rows = {(row["rain"], row["judge"]): row for row in kept["for_task"]}
    assert {judge for _, judge in rows} == {"base, AP pooled", "PSNR-Y [dB]"}
    found = rows[SEEN, "base, AP pooled"]
    assert [found[name]["value"] for name in ("pixels", "task")] == pytest.approx([0.202, 0.204])
    assert found["difference"] == pytest.approx(0.002)
    low, high = found["ci"]
    assert low < 0.002 < high
    table = page.tables(kept)["for-task"]
    assert any(
        line.startswith("| dry | base, AP pooled | 0.502 | 0.504 | +0.002") for line in table
    )
    of = {"value": 77.94, "n": 40, "n_identical": 11}
    apart = {"rain": "none", "unit": "dB", "judge": "PSNR-Y [dB]", "difference": None, "ci": None}
    unpaired = {**kept, "for_task": [{**apart, "pixels": of, "task": {**of, "n_identical": 6}}]}
    line = page.tables(unpaired)["for-task"][2]
    assert line.endswith("| 77.94 of 29 | 77.94 of 34 | – |")


def test_what_pieces_took_stands_beside_what_was_planned(page: Any, kept: Any) -> None:
    lines = page.tables(kept)["took"]
    assert "| scenes | 0.50 | 0.50 |" in lines
    assert "| coco | 1.30 | – |" in lines
    assert lines[-1].endswith("| 3.75 |")


@pytest.fixture
def found(page: Any) -> Any:
    """What is kept of the study."""
    if not page.KEPT.is_file():
        pytest.skip("the study has not been run")
    return json.loads(page.KEPT.read_text())


def test_tables_are_as_made(page: Any, found: Any) -> None:
    text = page.PAGE.read_text()
    assert text == page.filled(text, page.tables(found)), "run: python benchmarks/study_page.py"


def test_readme_opens_with_the_remedies(page: Any, found: Any) -> None:
    text = page.README.read_text()
    assert text == page.filled(text, {"remedies": page.headline(found)})
    assert text.index("<!-- remedies -->") < text.index("make demo", text.index("## "))


SLICES: dict[str, dict[str, Any]] = {
    "primary-1001": {"dataset": "streetsim", "task": ["detection"]},
    "scenes": {"dataset": "streetsim", "task": ["detection", "semantic"]},
    "benchmark": {"dataset": "streetsim", "task": ["detection", "semantic"]},
    "rates": {"dataset": "streetsim", "task": ["detection"]},
    "coco": {
        "dataset": "coco",
        "attributes": ["coco128-scenes.csv"],
        "where": ["scene=outdoor"],
        "task": ["detection"],
        "model": {"detection": "weights/yolov8n.pt"},
    },
    "coco-remedies": {
        "dataset": "coco",
        "attributes": ["coco128-scenes.csv"],
        "where": ["scene=outdoor"],
        "task": ["instance"],
        "model": {"instance": "weights/yolov8n-seg.pt"},
    },
    "camvid": {"dataset": "camvid", "task": ["semantic"]},
    "carlarain": {
        "dataset": "carla",
        "task": ["detection"],
        "model": {"detection": "weights/yolov8n.pt"},
    },
    "rain100l": {"dataset": "pairs", "task": "none"},
    "rain100h": {"dataset": "pairs", "task": "none"},
    "for-task": {"dataset": "streetsim", "task": ["detection"]},
    "footing": {"dataset": "streetsim", "task": ["detection"]},
    "seeds-mspfn-light": {"dataset": "streetsim", "task": ["detection", "semantic"]},
    "seeds-dcsfn-light": {"dataset": "streetsim", "task": ["detection", "semantic"]},
    "real-rain": {"dataset": "folder", "task": "none", "quality": "niqe"},
}
"""What a piece is, without the networks that we trained; paths are below the data."""
PHOTOGRAPHS = ("coco", "coco-remedies")
RAINS_OF_SLICE = {
    "rates": ["none", "physical:rate_mm_h=50:drops=0"],
    "carlarain": ["none", "given"],
    "rain100l": ["given"],
    "rain100h": ["given"],
    "real-rain": ["none"],
}
"""Where they are not dry images and the rain that was seen."""


def rerun(page: Any, name: str, about: Any, data: Path, workspace: Path, **more: Any) -> Results:
    """One rain and dry images of a piece, without the networks that derain."""
    entry: dict[str, Any] = {**SLICES[name], "split": about["split"], "seed": about["seed"], **more}
    if entry["dataset"] != "streetsim":
        entry["data_root"] = str(data / ("coco128" if name in PHOTOGRAPHS else name))
    entry["model"] = {task: str(data / file) for task, file in entry.pop("model", {}).items()}
    entry |= {"rain": RAINS_OF_SLICE.get(name, ["none", SEEN]), "derainer": ["median"]}
    return harness_run(RunSpec.model_validate({**entry, "workspace": str(workspace)}))


def compared(about: Any, results: Results) -> int:
    """How many of the kept numbers were found again; all that are of the slice."""
    known = {(r.rain, r.derainer, r.task, r.model, r.metric): r for r in results.records}
    count = 0
    for row in about["records"]:
        place = tuple(row[name] for name in ("rain", "derainer", "task", "model", "metric"))
        if place in known and row["value"] is not None:
            near = 0.02 if row["unit"] == "dB" else 0.005
            assert known[place].value == pytest.approx(row["value"], abs=near), place
            assert known[place].n == row["n"]
            count += 1
    return count


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all slices, many of which are of the same scenes, rain and networks."""
    return tmp_path_factory.mktemp("study")


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", SLICES)
def test_a_slice_of_each_table_has_the_kept_numbers(
    page: Any, found: Any, name: str, data: Path, workspace: Path
) -> None:
    """Minutes instead of hours: dry images and one rain, as they are and behind a filter, where the
    piece has it."""
    if name not in found["runs"]:
        pytest.skip(f"{name} has not been run")
    about = found["runs"][name]
    assert compared(about, rerun(page, name, about, data, workspace)) >= 2
