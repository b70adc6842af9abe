"""Numbers over seeds and trainings: means, spreads, and intervals over images and repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from reports.findings.effects import effects
from reports.findings.over_repeats import over_levels
from reports.findings.over_seeds import averaged
from reports.findings.repeats import reliabilities, repeats
from reports.findings.robustness import with_robustness
from reports.pages.run import page
from reports.pages.runs import write_board
from reports.plots.plots import plots
from reports.results.cell import Cell, Condition
from reports.results.intervals import level_interval
from reports.results.metrics import MetricRow, TaskRow
from reports.results.provenance import Provenance
from reports.results.record import Correlation
from reports.results.results import ByImage, Results
from reports.tables import predictors
from reports.tables.markdown import parts
from reports.tables.repeats import table
from reports.tables.summary import summary
from tasks.operating_point import F1
from tests.reports.made import COCO, record, rowed
from tests.reports.test_names import run_of

VALUES = (0.40, 0.42, 0.47)


def found(
    seed: int = 0,
    trainings: tuple[float, ...] = VALUES,
    data: str = "same",
    ci: tuple[float, float] | None = (0.0, 1.0),
) -> Results:
    """A run of several trainings of GraNet."""
    shared = np.random.default_rng(5).normal(0, 0.01, 2000)
    records, draws = [], {}
    for i, value in enumerate(trainings):
        digest = f"{i}" * 64
        one = record(
            rain="heavy",
            derainer=f"granet@{digest[:8]}",
            weights=digest,
            task="detection",
            model="yolo",
            metric="ap_pooled",
            value=value + seed / 100,
            n=100,
            unit="fraction",
        )
        one = replace(one, seed=seed, ci=ci)
        records.append(one)
        draws[one.cell] = (value + seed / 100 + shared).astype(np.float32)
    provenance = Provenance(groups=100, data_fingerprint=data)
    return rowed(Results(f"{seed}" * 64, {}, provenance, [], [], records, draws))


def resampled_anew(run: Results) -> Results:
    """The same numbers, with draws of another version: on no set that the others have."""
    versions = {"ap_pooled": 1, "resamples": 2}
    return replace(run, provenance=replace(run.provenance, metric_versions=versions))


def test_numbers_on_other_resampled_sets_have_a_mean_without_an_interval() -> None:
    (one,) = repeats([found(), found(seed=1)])
    assert one.ci is not None
    (other,) = repeats([found(), resampled_anew(found(seed=1))])
    assert (other.mean, other.ci, other.both_ci) == (one.mean, None, None)


def test_trainings_of_one_derainer_are_one_row_with_both_spreads() -> None:
    (one,) = repeats([found()])
    assert (one.seeds, one.trainings, one.place.derainer) == (1, 3, "granet")
    assert one.mean == pytest.approx(0.43)
    assert one.over_seeds is None
    assert one.over_trainings == pytest.approx(np.std(VALUES, ddof=1))
    assert one.ci == pytest.approx((0.43 - 0.0199, 0.43 + 0.0199), abs=0.002)
    assert one.ci is not None
    # Their error is 0.0361/√3, of which t(2) at 2.5 % is 4.303.
    assert one.both_ci == pytest.approx((0.43 - 0.0918, 0.43 + 0.0918), abs=0.006)
    assert next(p for p in parts(found()) if p.anchor == "repeats").rows[0][5:10] == [
        "1",
        "3",
        "0.430",
        "–",
        "0.0361",
    ]
    assert repeats([found(trainings=(0.4,))]) == []


def test_a_mean_is_marked_by_what_each_of_its_numbers_was_trained_on() -> None:
    run = found()
    seen = (("rain",), ("images", "task-images"), None)
    records = [replace(r, seen=s) for r, s in zip(run.records, seen, strict=True)]
    headings, (row,), notes = table([replace(run, records=records)])
    assert row[headings.index("mean")] == "0.430†‡?"
    assert [note[0] for note in notes[1:]] == ["†", "†", "‡", "?"]


def test_trainings_take_a_share_no_further_than_its_bounds() -> None:
    (one,) = repeats([found(trainings=(0.02, 0.04, 0.11))])
    assert one.both_ci is not None
    assert one.both_ci[0] == 0.0
    (most,) = repeats([found(trainings=(0.90, 0.97, 0.98))])
    assert most.both_ci is not None
    assert most.both_ci[1] == 1.0


def test_a_mean_of_levels_without_intervals_has_none() -> None:
    (one,) = repeats([found(ci=None)])
    assert (one.ci, one.both_ci) == (None, None)
    run = found()
    low = {cell: drawn - np.float32(0.03) for cell, drawn in run.draws.items()}
    (one,) = repeats([replace(run, draws=low)])  # three deviations below the mean
    assert (one.ci, one.both_ci) == (None, None)


def test_the_packages_weights_are_no_training_of_a_file() -> None:
    run = found()
    own = replace(run.records[0], derainer="granet", weights="f" * 64, value=0.6)
    both = replace(run, records=[own, *run.records])
    (one,) = repeats([both])
    assert (one.place.derainer, one.trainings) == ("granet@…", 3)
    assert one.mean == pytest.approx(0.43)


def test_both_together_vary_as_images_and_repeats_do() -> None:
    """By hand: 0.01² of the images, and a third of the repeats' variance."""
    rng = np.random.default_rng(6)
    draws = np.array(VALUES)[:, None] + rng.normal(0, 0.01, 50_000)
    wanted = 0.01**2 + np.var(VALUES, ddof=1) / 3
    assert over_levels(draws).var() == pytest.approx(wanted, rel=0.03)
    assert over_levels(draws).mean() == pytest.approx(0.43, abs=0.001)


def test_seeds_of_several_runs_are_one_row(tmp_path: Path) -> None:
    runs = [found(seed, (0.4,)) for seed in (0, 1, 2)]
    (one,) = repeats(runs)
    assert (one.seeds, one.trainings) == (3, 1)
    assert one.mean == pytest.approx(0.41)
    assert one.over_seeds == pytest.approx(0.01)
    assert one.over_trainings is None
    drawn = [run.draws[run.records[0].cell].astype(np.float64) for run in runs]
    assert one.both_ci == level_interval(over_levels(np.stack(drawn)), one.mean, 100)
    write_board(runs, tmp_path)
    assert "| 3 | 1 | 0.410 | 0.0100 | – |" in (tmp_path / "repeats.md").read_text()
    assert repeats([runs[0], found(1, (0.4,), data="other")]) == []
    assert table([runs[0]])[1] == []


def test_seeds_and_trainings_are_one_row_with_both_spreads() -> None:
    (one,) = repeats([found(seed) for seed in (0, 1, 2)])
    assert (one.seeds, one.trainings) == (3, 3)
    assert one.mean == pytest.approx(0.44)
    assert one.over_seeds == pytest.approx(0.01)
    assert one.over_trainings == pytest.approx(np.std(VALUES, ddof=1))
    assert one.both_ci is not None
    assert one.ci is not None
    assert one.both_ci[0] < one.ci[0] - 0.015
    # Of a training under one seed only, the seed that all trainings share tells.
    (part,) = repeats([found(0), found(1, VALUES[:2]), found(2, VALUES[:2])])
    assert (part.seeds, part.trainings) == (1, 3)
    assert part.mean == pytest.approx(0.43)


def scored(seed: int, noise: float, units: int = 60) -> Results:
    """Scores of 60 images under five derainers: what is true of each, and what the rain adds."""
    true = np.random.default_rng(1).normal(size=(5, 60))
    made = true + noise * np.random.default_rng(2 + seed).normal(size=(5, 60))
    samples = tuple(f"{i}" for i in range(60))
    by_image = ByImage(
        samples,
        tuple(f"{i % units}" for i in range(60)),
        {
            Cell(Condition(COCO, "heavy", seed, name), "detection", "yolo", F1): row
            for name, row in zip("abcde", made.astype(np.float32), strict=True)
        },
    )
    about = {F1: MetricRow("F1", "fraction", 3, True)}
    tasks = {"detection": TaskRow("Detection", "", F1, "boxes", None)}
    return Results("0", {}, Provenance(), [], [], [], {}, about, tasks, by_image=by_image)


def test_scores_under_another_seed_tell_how_far_one_repeats(tmp_path: Path) -> None:
    a, b = scored(0, 0.5), scored(1, 0.5)
    (one,) = reliabilities([a, b])
    of = [list(run.by_image.values.values()) for run in (a, b)]
    by_hand = [
        spearmanr([row[i] for row in of[0]], [row[i] for row in of[1]]).statistic for i in range(60)
    ]
    assert one.value == pytest.approx(np.mean(by_hand))
    assert (one.seeds, one.among, one.images) == (2, 5, 60)
    assert one.ci is not None
    half = 2.0 * np.std(by_hand, ddof=1) / np.sqrt(60)
    assert one.ci == pytest.approx((one.value - half, one.value + half), abs=0.02)
    (same,) = reliabilities([scored(0, 0), scored(1, 0), scored(2, 0)])
    assert same.value == pytest.approx(1)
    assert same.ci == pytest.approx((1, 1))
    assert same.seeds == 3
    write_board([a, b], tmp_path)
    assert f"{one.value:.3f}" in (tmp_path / "reliability.md").read_text()


def test_seeds_of_other_images_tell_nothing_and_few_groups_no_interval() -> None:
    assert reliabilities([scored(0, 0.5)]) == []
    assert reliabilities([scored(0, 0.5), scored(1, 0.5, units=30)]) == []
    (few,) = reliabilities([scored(0, 0.5, units=19), scored(1, 0.5, units=19)])
    assert few.ci is None


def test_runs_of_several_seeds_are_one_run_of_their_means() -> None:
    runs = [found(seed, (0.4,)) for seed in (0, 1, 2)]
    for i, run in enumerate(runs):
        records = [replace(run.records[0], ci=(0.3, 0.5))]
        runs[i] = replace(run, spec={"seed": i}, records=records)
    mean = averaged(runs)
    assert mean is not None
    (one,) = mean.records
    assert one.value == pytest.approx(0.41)
    assert one.ci == pytest.approx((0.41 - 0.0199, 0.41 + 0.0199), abs=0.002)
    assert mean.spread_over_seeds[one.cell] == pytest.approx(0.01)
    headings, (row,), _ = summary(mean)
    assert row[headings.index("spread over seeds")] == "0.0100"
    assert "spread over seeds" not in summary(runs[0])[0]
    assert mean.spec["seeds"] == 3
    lacks = replace(runs[1], records=[replace(runs[1].records[0], value=None)], draws={})
    part = averaged([runs[0], lacks, runs[2]])
    assert part is not None
    assert (part.records[0].value, part.spread_over_seeds, part.draws) == (None, {}, {})
    other = replace(runs[1], provenance=Provenance(groups=100, data_fingerprint="other"))
    assert averaged([runs[0], other]) is None
    redrawn = averaged([resampled_anew(runs[0]), *runs[1:]])
    assert redrawn is not None
    assert (redrawn.records[0].value, redrawn.records[0].ci) == (one.value, None)


def test_shares_of_images_are_means_over_seeds_too() -> None:
    """Of one image in four, two and one, where the images' means would give another share."""
    after = ([0.0, 0.6, 0.6, 0.6], [0.0, 0.0, 0.6, 0.6], [0.9, 0.0, 0.6, 0.6])
    runs = []
    for seed, scores in enumerate(after):
        rainy, derained = (
            record(
                **{"rain": "heavy", "derainer": name, "task": "detection", "model": "yolo"},
                **{"metric": "ap_pooled", "value": 0.5, "n": 4, "unit": "fraction", "seed": seed},
            )
            for name in ("identity", "b")
        )
        values = {
            r.cell.of(F1): np.array(of, np.float32)
            for r, of in ((rainy, [0.5] * 4), (derained, scores))
        }
        made = Results("0", {"seed": seed}, Provenance(), [], [], [rainy, derained], {})
        runs.append(
            with_robustness(rowed(made, by_image=ByImage(tuple("uvwx"), tuple("uvwx"), values)))
        )
    assert [e.lower for run in runs for e in effects(run)] == [0.25, 0.5, 0.25]
    mean = averaged(runs)
    assert mean is not None
    (effect,) = effects(mean)
    assert effect.lower == pytest.approx(1 / 3)
    (told,) = (r for r in mean.records if r.metric == "worse/ap_pooled")
    assert told.value == effect.lower
    assert "a share of the means" in mean.provenance.data_notes[-1]


def of_seed(run: Results, seed: int) -> Results:
    """The same run under another seed of the rain."""

    def at(cell: Cell) -> Cell:
        return replace(cell, condition=replace(cell.condition, seed=seed))

    return replace(
        run,
        spec={"dataset": "coco", "seed": seed},
        records=[replace(r, seed=seed) for r in run.records],
        draws={at(cell): drawn for cell, drawn in run.draws.items()},
        by_image=replace(
            run.by_image, values={at(cell): of for cell, of in run.by_image.values.items()}
        ),
    )


def test_a_page_of_means_says_so() -> None:
    runs = [of_seed(run_of(("b", None)), seed) for seed in (3, 4, 5)]
    mean = averaged(runs)
    assert mean is not None
    shown = page(mean, [])
    assert "<title>Derain harness · Means over runs of seeds 3 to 5</title>" in shown
    assert "Run ffff" not in shown
    assert "results.csv" not in shown
    assert "results.csv" in page(runs[0], [])
    (box,) = (plot for plot in plots(mean) if plot.name == "images-detection")
    assert "mean over the seeds" in box.says
    (box,) = (plot for plot in plots(runs[0]) if plot.name == "images-detection")
    assert "seeds" not in box.says


def test_scores_under_another_seed_stand_beside_what_quality_tells() -> None:
    told = Correlation("heavy", None, "detection", F1, "ssim_y", 0.1, (0.0, 0.2), 60, "yolo", 5)
    about = MetricRow("SSIM-Y", "fraction", 3, True)
    runs = [
        replace(
            run,
            spec={"seed": i},
            correlations=[replace(told, value=0.1 + 0.2 * i, ci=(0.2 * i, 0.2 + 0.2 * i))],
            metrics={**run.metrics, "ssim_y": about},
        )
        for i, run in enumerate((scored(0, 0.5), scored(1, 0.5)))
    ]
    mean = averaged(runs)
    assert mean is not None
    (one,) = mean.correlations
    assert one.value == pytest.approx(0.2)
    assert one.ci == pytest.approx((0.1, 0.3))
    assert one.other_seed == reliabilities(runs)[0].value
    headings, rows, notes = predictors.table(mean)
    assert rows[0][headings.index("another seed")].startswith(f"{one.other_seed:+.2f} [")
    assert any(note.startswith("Another seed: ") for note in notes)
    assert "another seed" not in predictors.table(runs[0])[0]
