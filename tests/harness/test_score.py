"""Folders of restored images, scored without derainers, networks or a ledger."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import finish, start
from skimage.data import astronaut

from datasets.image import encode_png
from harness import run
from harness.cli.main import run_command_line
from harness.scores.restored_images import score_quality, score_restored
from harness.spec import RunSpec, UsageError
from reports.results.results import Results
from tasks import quality

STEMS = ("a", "b", "c")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Restored and clean images, three of each."""
    restored, clean = tmp_path / "mine", tmp_path / "clean"
    rng = np.random.default_rng(0)
    for folder in (restored, clean):
        folder.mkdir()
    for i, stem in enumerate(STEMS):
        image = astronaut()[100 * i : 100 * i + 97, :193]
        worse = np.clip(image + rng.normal(0, 5 + i, image.shape), 0, 255).astype(np.uint8)
        (clean / f"{stem}.png").write_bytes(encode_png(image))
        (restored / f"{stem}.png").write_bytes(encode_png(worse))
    return restored, clean


def test_a_folder_scores_as_its_images(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from datasets.image import decode

    restored, clean = folders
    code, out, err = finish(
        start(
            *("score", "--task", "quality", "--restored", str(restored), "--reference", str(clean)),
            *("--quality", "psnr,ssim_y", "--quality", "niqe", "--protocol", "matlab-y,dcsfn"),
            *("--out", str(tmp_path / "out")),
        )
    )
    assert (code, err) == (0, "")
    assert "dcsfn: RGB, restored image as floats" in " ".join(out.split())
    names = {f.name for f in (tmp_path / "out").iterdir()}
    assert names == {
        *("results.json", "results.csv", "results.md", "results.tex", "report.html"),
        *("images.csv", "draws.npz", "cite.bib", "plots", ".derain-harness"),
    }
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    records = {r["metric"]: r for r in content["records"]}
    metrics = ("psnr_y_db", "psnr_rgb_db", "ssim_y", "psnr_rgb_db@dcsfn", "niqe")
    assert set(records) == set(metrics)
    assert str(tmp_path) not in json.dumps(content)
    images = [
        [decode((folder / f"{s}.png").read_bytes(), s) for s in STEMS]
        for folder in (clean, restored)
    ]
    found = [quality.evidence(a, b, metrics) for a, b in zip(*images, strict=True)]
    for metric, scored in quality.reduce(found, metrics).items():
        record = records[metric]
        assert (record["rain"], record["derainer"], record["n"]) == ("given", "dir:mine", 3)
        assert record["value"] == scored.value


def test_workers_change_nothing(folders: tuple[Path, Path]) -> None:
    one, four = (score_quality(*folders, words=("all",), workers=n) for n in (1, 4))
    assert [repr(r) for r in one.records] == [repr(r) for r in four.records]
    assert one.run == four.run


def test_two_folders_against_one_reference_are_compared_in_pairs(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    restored, clean = folders
    other = tmp_path / "other"
    other.mkdir()
    for stem in STEMS:
        (other / f"{stem}.png").write_bytes((clean / f"{stem}.png").read_bytes())
    first, second = score_quality(restored, clean), score_quality(other, clean)

    def fingerprint(results: Results) -> str:
        return str(results.provenance.data_fingerprint)

    assert fingerprint(first) == fingerprint(second)
    assert first.run != second.run
    assert (first.provenance.groups, second.provenance.groups) == (3, 3)  # as runs say it
    psnr = next(r for r in second.records if r.metric == "psnr_y_db")
    assert (psnr.value, psnr.n_identical) == (None, 3)


def test_folders_that_call_their_images_otherwise_are_compared_in_pairs(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    restored, clean = folders
    found = []
    for mark in ("_A", "_10"):
        other = tmp_path / f"method{mark}"
        other.mkdir()
        for stem in STEMS:
            shutil.copyfile(restored / f"{stem}.png", other / f"{stem}{mark}.png")
        found.append(score_quality(other, clean))
    plain = score_quality(restored, clean)
    for each in found:
        assert each.provenance.data_fingerprint == plain.provenance.data_fingerprint
        assert [r.value for r in each.records] == [r.value for r in plain.records]
        assert each.by_image.samples == plain.by_image.samples


def test_without_a_reference_only_metrics_that_need_none(folders: tuple[Path, Path]) -> None:
    alone = score_quality(folders[0], words=("niqe",))
    both = score_quality(*folders, words=("niqe",))
    assert [r.value for r in alone.records] == [r.value for r in both.records] != [None]
    with pytest.raises(
        UsageError, match="psnr_y_db compares with clean images: give --reference, "
    ):
        score_quality(folders[0])


def test_what_does_not_fit_is_refused_by_name(folders: tuple[Path, Path], tmp_path: Path) -> None:
    restored, clean = folders
    with pytest.raises(UsageError, match=r"--restored .*none: no such folder"):
        score_quality(tmp_path / "none", clean)
    with pytest.raises(UsageError, match="--quality none: there is nothing to score"):
        score_quality(restored, clean, words=("none",))
    (restored / "b.png").write_bytes(encode_png(astronaut()[:50, :60]))
    with pytest.raises(UsageError, match="b: sizes differ: restored 60x50, reference 193x97"):
        score_quality(restored, clean)
    (restored / "b.png").unlink()
    with pytest.raises(UsageError, match=r"b\.png has no partner of that stem in .*mine"):
        score_quality(restored, clean)
    (clean / "b.png").unlink()
    (clean / "c.png").unlink()
    command = ("score", "--restored", str(restored), "--reference", str(clean))
    code, out, err = finish(start(*command))
    assert (code, out) == (2, "")
    assert err.startswith("error: c.png has no partner of that stem in ")
    assert err.count("\n") == 1


def test_a_damaged_image_is_a_failure(folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.png").write_bytes(b"not an image")
    code, out, _ = finish(
        start("score", "--restored", str(folders[0]), "--reference", str(folders[1]))
    )
    assert code == 1
    assert "n = 2 images" in out
    assert "failed: b (decode): b.png: not an image, or damaged" in out


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Two clean images, and five of each under another rain."""
    rng = np.random.default_rng(1)
    for folder in ("rainy_image", "ground_truth"):
        (tmp_path / folder).mkdir()
    for i in (901, 902):
        image = astronaut()[(i - 901) * 90 :][:80, :120]
        (tmp_path / "ground_truth" / f"{i}.png").write_bytes(encode_png(image))
        for j in range(1, 6):
            worse = np.clip(image + rng.normal(0, 9 + j, image.shape), 0, 255).astype(np.uint8)
            (tmp_path / "rainy_image" / f"{i}_{j}.png").write_bytes(encode_png(worse))
    return tmp_path


@pytest.mark.parametrize(
    ("pair", "limit", "n"),
    [
        (None, None, 10),
        (None, 4, 4),
        (r"rainy_image:ground_truth:^(\d+)", 7, 7),
        (r"::\d{3}", None, 10),
        ("*_*:*_*", None, "no image in ground_truth is like"),
        ("x:ground_truth", None, "--restored is rainy_image, not x"),
        ("clean-left", None, "of files that hold both"),
        (r"::\d$", None, "has no partner of that stem in"),
    ],
)
def test_score_pairs_and_limits_as_run_does(
    pair: str | None,
    limit: int | None,
    n: int | str,
    many: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(many)
    words = ("score", "--restored", "rainy_image", "--reference", "ground_truth", "--out", "out")
    more = [*(["--pair", pair] if pair else []), *(["--limit", str(limit)] if limit else [])]
    code = run_command_line([*words, *more])
    err = capsys.readouterr().err
    if isinstance(n, str):
        assert code == 2
        assert n in err
        assert err.count("\n") == 1
        return
    assert (code, err) == (0, "")
    content = json.loads((many / "out" / "results.json").read_text())
    assert {r["n"] for r in content["records"]} == {n}
    spec = {"dataset": "pairs", "data_root": str(many), "task": ("none",), "images": False}
    asked = {**spec, "derainer": ("identity",), "limit": limit, "workspace": str(tmp_path / "w")}
    records = run(RunSpec(**asked)).records  # type: ignore[arg-type]
    rainy = {r.metric: r.value for r in records if r.rain == "given"}
    assert {r["metric"]: r["value"] for r in content["records"]} == pytest.approx(rainy, abs=1e-12)


def test_restored_images_beside_a_data_set_score_as_in_a_run(many: Path, tmp_path: Path) -> None:
    restored = tmp_path / "mine"
    shutil.copytree(many / "rainy_image", restored)
    asked = {"dataset": "pairs", "data_root": str(many), "limit": 6, "images": False}
    spec = RunSpec(**asked, task=("none",), workspace=str(tmp_path / "w"))  # type: ignore[arg-type]
    ran = run(spec.model_copy(update={"derainer": (f"dir:{restored}",)}))
    told = {r.metric: r.value for r in ran.records if r.derainer == "dir:mine"}
    del told["worse/psnr_y_db"]  # than the rainy image, which score is not shown
    found = score_restored(restored, spec)
    assert {r.metric: r.value for r in found.records} == told
    assert {r.n for r in found.records} == {6}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reference", "b", "--split", "val"], "--reference and --split: the clean images"),
        (["--reference", "b", "--dataset", "pairs"], "--reference and --dataset: the clean images"),
        (["--where", "a=b"], "--where belongs to a data set: give --dataset too"),
        (["--pair", "a:b"], "--pair says which clean image is whose"),
        (["--predictions", "p.json"], "--predictions belongs to the other tasks"),
        (["--task", "detection"], "--restored belongs to --task quality: leave it out"),
    ],
)
def test_what_is_not_used_is_refused(
    words: list[str], said: str, many: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["score", "--restored", str(many / "rainy_image"), *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_predictions_refuse_words_of_quality(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", "--task", "detection", "--predictions", "p.json"]
    for flag, value in (("--quality", "psnr"), ("--protocol", "all"), ("--reference", "b")):
        assert run_command_line([*words, flag, value]) == 2
        assert capsys.readouterr().err.startswith(f"error: {flag} belongs to --task quality")


@pytest.mark.data
def test_rainy_input_of_rain100l_on_the_command_line(data: Path, tmp_path: Path) -> None:
    """26.900 dB and 0.8383, by `score` and by `run`."""
    root = data / "rain100l"
    two = ("--restored", str(root / "input"), "--reference", str(root / "target"))
    commands = {
        "score": ("score", *two),
        "run": (
            *("run", "--dataset", "pairs", "--data-root", str(root), "--task", "none"),
            *("--derainer", "identity", "--workspace", str(tmp_path / "runs")),
        ),
    }
    found = []
    for name, words in commands.items():
        code, _, err = finish(start(*words, "--out", str(tmp_path / name)))
        assert (code, err) == (0, "")
        content = json.loads((tmp_path / name / "results.json").read_text())
        found.append({r["metric"]: r["value"] for r in content["records"] if r["rain"] == "given"})
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert round(found[0]["psnr_y_db"], 3) == 26.900
    assert round(found[0]["ssim_y"], 4) == 0.8383
