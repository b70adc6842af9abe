"""Labelled photographs of real rain: what can be said where there is no clean image."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from datasets.image import decode, encode_png
from harness import RunSpec, load, run
from harness.cli.main import run_command_line
from harness.spec import UsageError
from reports.write import write


def spec(root: Path, tmp_path: Path, where: tuple[str, ...], **fields: object) -> RunSpec:
    return RunSpec.model_validate(
        {
            "dataset": "bdd100k",
            "data_root": str(root),
            "split": "100k/val",
            "where": where,
            "task": ("none",),
            "derainer": ("identity", "median"),
            "quality": ("psnr", "niqe"),
            "workspace": str(tmp_path / "runs"),
            **fields,
        }
    )


def test_real_rain_has_no_clean_row_and_no_full_reference(
    bdd100k_root: Path, tmp_path: Path
) -> None:
    results = run(spec(bdd100k_root, tmp_path, ("weather=rainy",), rain=("given",)))
    assert results.errors == []
    assert {(r.rain, r.derainer) for r in results.records} == {
        ("given", "identity"),
        ("given", "median"),
    }
    for record in results.records:
        assert record.n == 1
        if record.metric == "niqe":
            assert record.value is not None
        else:
            assert record.value is None
            assert record.n_identical == 0
            assert record.why == "real rain: there is no clean image"
    assert "weather=rainy: 1 of 6 images" in results.provenance.data_notes
    write(results, tmp_path / "out")
    assert "Data: weather=rainy: 1 of 6 images" in (tmp_path / "out" / "report.html").read_text()


def test_clean_conditions_leave_bad_weather_out_and_say_so(
    bdd100k_root: Path, tmp_path: Path
) -> None:
    quick = spec(bdd100k_root, tmp_path, (), rain=("none",), derainer=("identity",))
    results = run(quick.model_copy(update={"quality": ("psnr_y_db",)}))
    assert {r.n for r in results.records} == {3}
    notes = results.provenance.data_notes
    assert "left out as unclean by weather: 1 rainy, 1 snowy, 1 foggy" in notes


@pytest.mark.parametrize(
    ("where", "rain", "words"),
    [
        ((), "given", "is not rainy in every image, choose them with --where"),
        (("weather=rainy/clear",), "given", "is not rainy in every image"),
        (("weather=rainy",), "photoshop-heavy", "give --rain given alone"),
        (("weather=rainy/clear",), "photoshop-heavy", "give --rain given alone"),
    ],
)
def test_real_and_made_rain_do_not_mix(
    where: tuple[str, ...], rain: str, words: str, bdd100k_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        run(spec(bdd100k_root, tmp_path, where, rain=(rain,)))


def test_labelled_images_with_rainy_ones_made_elsewhere(coco_root: Path, tmp_path: Path) -> None:
    """As COCO350: the clean set's labels, and a folder of rainy images for some of its images."""
    root = tmp_path / "coco350"
    shutil.copytree(coco_root, root)
    (root / "rainy").mkdir()
    for number in (1, 3):
        name = f"{number:012d}"
        clean = decode((root / "images" / "val2017" / f"{name}.jpg").read_bytes(), name)
        (root / "rainy" / f"{name}.png").write_bytes(encode_png(clean // 2 + 100))
    run_spec = RunSpec.model_validate(
        {
            "dataset": "coco",
            "data_root": str(root),
            "pair": "rainy",
            "task": ("none",),
            "derainer": ("identity",),
            "quality": ("psnr_y_db",),
            "workspace": str(tmp_path / "runs"),
        }
    )
    absolute = run_spec.model_copy(update={"pair": str(root / "rainy")})
    assert absolute.public()["pair"] == "rainy"
    results = run(run_spec)
    assert {(r.rain, r.n) for r in results.records} == {("none", 2), ("given", 2)}
    rainy = results.value("given", "identity", "quality", "psnr_y_db")
    assert rainy is not None
    assert rainy.value is not None
    assert 5 < rainy.value < 20


def exported(coco_root: Path, tmp_path: Path, **attributes: str) -> list[str]:
    """A folder of photographs with labels as a tool exports them, as words of a command line."""
    content = json.loads((coco_root / "annotations" / "instances_val2017.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"images\\{image['file_name']}"
        image.update(attributes)
    (tmp_path / "result.json").write_text(json.dumps(content), "utf-8-sig")
    photos = tmp_path / "photos"
    shutil.copytree(coco_root / "images" / "val2017", photos)
    labels = ["--annotations", str(tmp_path / "result.json")]
    return ["--dataset", "coco", *labels, "--data-root", str(photos)]


@pytest.mark.parametrize("attributes", [{}, {"weather": "undefined"}, {"weather": "rainy"}])
def test_one_command_judges_a_folder_of_real_rain(
    attributes: dict[str, str], coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    words = exported(coco_root, tmp_path, **attributes)
    words += ["--rain", "given", "--derainer", "median", "--quality", "psnr,niqe", "--no-images"]
    words += ["--model", f"detection={detector_file}", "--workspace", str(tmp_path / "runs")]
    assert run_command_line(["run", *words, "--out", str(tmp_path / "out")]) == 0
    results = load(str(tmp_path / "out"))
    cells = {(r.rain, r.derainer) for r in results.records}
    assert cells == {("given", "identity"), ("given", "median")}
    for derainer in ("identity", "median"):
        ap, psnr = (
            results.value("given", derainer, *place)
            for place in (("detection", "ap_pooled"), ("quality", "psnr_y_db"))
        )
        assert ap is not None
        assert ap.value is not None
        assert ap.n == 8
        assert psnr is not None
        assert (psnr.value, psnr.why) == (None, "real rain: there is no clean image")
    said = "8 images are taken for photographs of real rain: --rain given says so"
    assert (said in results.provenance.data_notes) == (attributes.get("weather") != "rainy")


def test_attributes_cut_the_set_up(coco_root: Path, detector_file: Path, tmp_path: Path) -> None:
    photos = coco_root / "images" / "val2017"
    table = tmp_path / "weather.csv"
    rows = [f"{f.name},{('light', 'heavy')[i % 2]}" for i, f in enumerate(sorted(photos.iterdir()))]
    table.write_text("\n".join(["image,strength", *rows]))
    base = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        attributes=(str(table), r"0(?P<number>[1-4])\."),
        where=("number=1/2/3",),
        rain=("given",),
        model={"detection": (str(detector_file),)},
        derainer=("identity",),
        quality=("niqe",),
        workspace=str(tmp_path / "runs"),
    )
    results = run(base)
    assert {r.n for r in results.records if "strength=" not in r.metric} == {3, 1}
    named = {results.metrics[r.metric].label for r in results.records}
    assert named >= {"strength=heavy", "strength=light", "number=1"}
    assert base.public()["attributes"] == ["weather.csv", r"0(?P<number>[1-4])\."]


def test_real_rain_gets_no_rain_on_top(
    bdd100k_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset", "bdd100k", "--data-root", str(bdd100k_root), "--split", "100k/val"]
    out = tmp_path / "copy"
    where = ["--where", "weather=rainy/clear"]
    assert run_command_line(["synth", *words, *where, "--out", str(out)]) == 2
    assert "photographs of real rain get no rain on top" in capsys.readouterr().err
    assert not out.exists()
    night = ["--where", "weather=overcast,timeofday=night", "--rain", "rain100l"]
    assert run_command_line(["synth", *words, *night, "--out", str(out)]) == 0
    written = [f.stem for f in (out / "images" / "100k" / "val").iterdir()]
    assert written == ["eeeeeeee-00000001"]
