"""What docs/adding.md promises: by its steps in a checkout, and by a package.

Each toy is added in the places that the page names and nowhere else; then its name stands in every
table, file and page of a run.
"""

from __future__ import annotations

import csv
import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.toys import squares

ROOT = Path(__file__).parent.parent
ROOMS = ("harness", "datasets", "derainers", "tasks", "reports")
TOYS = Path(__file__).parent / "toys"

Step = tuple[str, str, str]
"""A file, the text before which a line goes, the line."""

METRIC = {
    "tasks/quality/brightness.py": "brightness.py",
    "tasks/quality/metrics.py": [
        ("from tasks.quality.fsim import", "from tasks.quality.brightness import brightness\n"),
        (
            '    "fsim": Metric(',
            '    "brightness": Metric(\n'
            '        brightness, "Brightness", unit="score", reference=False, caption="mean"\n'
            "    ),\n",
        ),
    ],
}
RAIN = {
    "datasets/rain/drizzle.py": "drizzle.py",
    "datasets/rain/rows.py": [
        ("from datasets.rain.outdoor import", "from datasets.rain.drizzle import DRIZZLE\n"),
        ('    "outdoor-rain": ', '    "drizzle": DRIZZLE,\n'),
    ],
}
DATASET = {
    "datasets/squares.py": "squares.py",
    "datasets/rows.py": [
        ("from datasets.streetsim import", "from datasets.squares import open_squares\n"),
        ('    "camvid": ', '    "squares": DatasetRow(open_squares),\n'),
    ],
}
DERAINER = {
    "derainers/networks/dimmer.py": "dimmer.py",
    "derainers/builders.py": [
        (
            "def granet(",
            "def dimmer(weights: Path | None) -> Restorer:\n"
            "    from derainers.networks.dimmer import build\n\n"
            "    return build(weights)\n\n\n",
        ),
    ],
    "derainers/rows.py": [
        (
            '    "median": ',
            '    "dimmer": DerainerRow(builders.dimmer, version=1, learned=False),\n',
        ),
    ],
}
NETWORK = {
    "tasks/models/finder.py": "finder.py",
    "tasks/models/rows.py": [
        (
            "_ULTRALYTICS = ",
            "def _finder(file: Path, device: str) -> Any:\n"
            "    from tasks.models.finder import Finder\n\n"
            "    return Finder(file, device)\n\n\n",
        ),
        (
            '    "refinenet": ',
            '    "finder": ModelRow("detection", _finder, {}, ("numpy",), "MIT", "numpy"),\n',
        ),
    ],
}
TASK = {
    "tasks/counting.py": "counting.py",
    "tasks/rows.py": [
        ("from tasks.operating_point import", "from tasks import counting\n"),
        (
            '    "semantic": TaskRow(',
            '    "counting": TaskRow(\n'
            '        measures="how many pixels are bright",\n'
            "        scores=ScoresRow(\n"
            '            title="Counting",\n'
            '            caption="Count error: share of the labelled area.",\n'
            '            primary="count_error",\n'
            "            bound=0.01,\n"
            "        ),\n"
            "        metrics=counting.METRICS,\n"
            "        version=counting.VERSION,\n"
            "        make=lambda labels, build: counting.Counting(build),\n"
            "        names=lambda labels: labels.categories,\n"
            '        labels="boxes",\n'
            "        has_labels=lambda sample: sample.labels is not None,\n"
            "        write=counting.write,\n"
            "        read=counting.read,\n"
            "    ),\n",
        ),
    ],
    "tasks/models/rows.py": [
        (
            "_ULTRALYTICS = ",
            "def _counter(file: Path, device: str) -> Any:\n"
            "    from tasks.counting import Counter\n\n"
            "    return Counter(file, device)\n\n\n",
        ),
        (
            '    "refinenet": ',
            '    "counter": ModelRow("counting", _counter, {}, ("numpy",), "MIT", "numpy"),\n',
        ),
    ],
}
COLUMN = {
    "reports/tables/changes.py": [
        (
            '        "verdict": [',
            '        "toy column": [f"toy {e.row.title}" for e in found],\n',
        )
    ],
}
WALKS: dict[str, tuple[Mapping[str, object], int]] = {
    "metric": (METRIC, 2),
    "rain": (RAIN, 2),
    "data set": (DATASET, 2),
    "derainer": (DERAINER, 3),
    "task network": (NETWORK, 2),
    "task": (TASK, 3),
    "column of a table": (COLUMN, 1),
}
"""Each thing's steps, and the places of the product that they touch; tests, weights and the recipe
of a derainer come on top."""


def add(checkout: Path, steps: Mapping[str, object]) -> None:
    """Do as the page says."""
    for name, what in steps.items():
        file = checkout / name
        if isinstance(what, str):
            text = (TOYS / what).read_text()
            if name.startswith("tasks/counting"):  # its row stands in the table
                text = text.partition("\n\n\nCOUNTING = ")[0].rstrip() + "\n"
                text = re.sub(r"from tasks\.(models\.)?rows import .*\n", "", text)
            if name.endswith(("dimmer.py", "finder.py")):
                text = re.sub(r"\n\n[A-Z]+ = .*\n$", "\n", text)
                text = re.sub(r"from \S+\.rows import .*\n", "", text)
            assert not file.exists()
            file.write_text(text)
            continue
        assert isinstance(what, list)
        text = file.read_text()
        for before, line in what:
            assert text.count(before) >= 1, (name, before)
            place = text.index(before)
            text = text[:place] + line + text[place:]
        file.write_text(text)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with every toy in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for steps, _ in WALKS.values():
        add(folder, steps)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which a package with every toy was installed."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    shutil.copytree(TOYS, source / "derain_toys", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "derain_toys" / "rows.py").write_text(
        "from datasets.rows import DatasetRow\n"
        "from tasks.quality.metrics import Metric\n"
        "from derain_toys.brightness import brightness\n"
        "from derain_toys.squares import open_squares\n"
        'BRIGHTNESS = Metric(brightness, "Brightness", unit="score", reference=False, '
        'caption="mean")\n'
        "SQUARES = DatasetRow(open_squares)\n"
    )
    points = {
        "metrics": "brightness = 'derain_toys.rows:BRIGHTNESS'",
        "rains": "drizzle = 'derain_toys.drizzle:DRIZZLE'",
        "datasets": "squares = 'derain_toys.rows:SQUARES'",
        "derainers": "dimmer = 'derain_toys.dimmer:DIMMER'",
        "models": "finder = 'derain_toys.finder:FINDER'\ncounter = 'derain_toys.counting:COUNTER'",
        "tasks": "counting = 'derain_toys.counting:COUNTING'",
    }
    groups = "".join(
        f"[project.entry-points.'derain_harness.{room}']\n{lines}\n"
        for room, lines in points.items()
    )
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "derain-toys"\nversion = "1.0"\n{groups}'
        '[tool.setuptools]\npackages = ["derain_toys"]\n'
    )
    words = ["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(site), str(source)], check=True
    )
    return site


FEW_PLOTS = """
import sys
from harness.__main__ import main
if sys.argv[1] == "run":
    import reports.plots.plots as drawn
    plots = drawn.plots
    drawn.plots = lambda results: plots(results)[:2]
sys.exit(main())
"""
"""The harness, but for most plots of a run, which are most of its time."""


def evaluated(home: Path, folders: list[Path], *words: str) -> subprocess.CompletedProcess[str]:
    """A run of the harness with these folders among the packages."""
    path = os.pathsep.join(map(str, folders))
    return subprocess.run(
        [sys.executable, "-c", FEW_PLOTS, *words],
        cwd=home,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def run_of_toys(home: Path, folders: list[Path]) -> Path:
    """A run in which every toy takes part."""
    home.mkdir(exist_ok=True)
    data, level = squares.make(home / "data"), home / "level.txt"
    level.write_text("150")
    done = evaluated(
        home,
        folders,
        *("run", "--dataset", "squares", "--data-root", str(data), "--split", "all"),
        *("--rain", "drizzle:every=3", "--derainer", "dimmer,median", "--out", "out"),
        *("--task", "detection,counting", "--quality", "psnr_y_db,brightness"),
        *("--model", f"detection=finder@{level}", "--model", f"counting=counter@{level}"),
    )
    assert done.returncode == 0, done.stderr
    return home / "out"


def written(out: Path) -> dict[str, str]:
    """The files that a reader looks at, as text."""
    texts = {
        name: (out / name).read_text() for name in ("results.md", "results.tex", "results.csv")
    }
    page = html.unescape(re.sub(r"<[^>]+>", " ", (out / "report.html").read_text()))
    return texts | {"report.html": page}


SHOWN = {
    "metric": ("Brightness", "brightness"),
    "rain": ("drizzle:every=3",) * 2,
    "data set": ("squares all", "squares"),
    "derainer": ("dimmer",) * 2,
    "task network": ("finder", "finder"),
    "task": ("count error", "count_error"),
}
"""How each toy stands in tables, and in the CSV."""


@pytest.fixture(scope="module")
def by_steps(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of_toys(tmp_path_factory.mktemp("steps"), [checkout])


@pytest.fixture(scope="module")
def by_package(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of_toys(tmp_path_factory.mktemp("package"), [ROOT, package])


@pytest.mark.parametrize("toy", SHOWN)
@pytest.mark.parametrize("way", ["by_steps", "by_package"])
def test_what_was_added_stands_everywhere(
    toy: str, way: str, request: pytest.FixtureRequest
) -> None:
    texts = written(request.getfixturevalue(way))
    title, word = SHOWN[toy]
    for name, text in texts.items():
        shown = word if name == "results.csv" else title
        assert shown in text.replace("\\_", "_"), f"{toy} is not in {name}"


def test_a_toy_task_is_judged_as_ours_are(by_steps: Path) -> None:
    text = (by_steps / "results.md").read_text()
    assert "**Counting under drizzle:every=3: " in text
    rows = list(csv.DictReader((by_steps / "results.csv").open()))
    error = {r["derainer"]: r for r in rows if r["metric"] == "count_error" and r["rain"] != "none"}
    assert set(error) == {"identity", "dimmer", "median"}
    assert error["median"]["change_low"] != ""
    robust = {r["metric"] for r in rows if r["task"] == "robustness"}
    assert {"worse/count_error", "worse/psnr_y_db"} <= robust


def test_a_toy_column_stands_in_the_table_of_verdicts(by_steps: Path) -> None:
    assert "| toy column |" in (by_steps / "results.md").read_text()


def test_both_ways_give_the_same_numbers(by_steps: Path, by_package: Path) -> None:
    rows = [list(csv.reader((out / "results.csv").open())) for out in (by_steps, by_package)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("thing", WALKS)
def test_so_few_places_are_touched(thing: str, tmp_path: Path) -> None:
    steps, places = WALKS[thing]
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("*.safetensors")
        )
    before = {f: f.read_bytes() for f in tmp_path.rglob("*.py")}
    add(tmp_path, steps)
    after = {f: f.read_bytes() for f in tmp_path.rglob("*.py")}
    assert sum(before.get(f) != data for f, data in after.items()) == places


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dimmer =", "granet =", "'granet' in derainers is left out: the name is taken"),
        (
            "derain_toys.dimmer:DIMMER",
            "derain_toys.no:ROW",
            "'dimmer' in derainers cannot be loaded, ModuleNotFoundError: No module named "
            "'derain_toys.no'",
        ),
        (
            "derain_toys.dimmer:DIMMER",
            "derain_toys.dimmer:Dimmer",
            "'dimmer' in derainers is left out: it is a type, expected DerainerRow",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_with_its_package_named(
    old: str, new: str, said: str, package: Path, tmp_path: Path
) -> None:
    info = next(package.glob("derain_toys-*.dist-info"))
    shutil.copytree(package, tmp_path / "site")
    points = tmp_path / "site" / info.name / "entry_points.txt"
    points.write_text(points.read_text().replace(old, new))
    done = evaluated(tmp_path, [ROOT, tmp_path / "site"], "list", "derainers")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [f"derain-toys 1.0: {said}"]
    assert "dimmer" not in done.stdout.split()
    assert done.stdout.split().count("granet") == 1
