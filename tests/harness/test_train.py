"""The verb that trains task networks."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clock import stopped
from safetensors.torch import load_file

import harness
from datasets.camvid import CLASSES
from datasets.image import NDArrayByte, NDArrayFloat, encode_png, round_to_bytes
from datasets.label_png import encode_labels
from datasets.rain import RAINS, generator
from datasets.sample import DatasetError
from derainers import DERAINERS
from derainers.restorer import Filter
from harness.cli.main import run_command_line
from harness.plan.data import dataset_row, open_dataset, open_splits
from harness.plan.keys import file_sha256
from harness.runs import engine
from harness.spec import RunSpec, UsageError
from harness.training.curve import LossCurve
from harness.training.folder import begun_with
from harness.training.network import validated_on
from harness.training.weather import weather_of
from reports.layouts.layouts import laid_out
from reports.results.results import Results
from tasks.training.refinenet import Recipe


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """A miniature of CamVid: sky above road."""
    root = tmp_path / "camvid"
    for split, count in (("train", 8), ("val", 2), ("test", 2)):
        (root / split).mkdir(parents=True)
        (root / f"{split}annot").mkdir()
        for i in range(count):
            labels = np.zeros((32, 40), np.uint8)
            labels[16 + i % 4 :] = CLASSES.index("road")
            image = np.repeat(np.where(labels == 0, 200, 60)[:, :, None], 3, 2).astype(np.uint8)
            (root / split / f"0001TP_{i:03}.png").write_bytes(encode_png(image))
            (root / f"{split}annot" / f"0001TP_{i:03}.png").write_bytes(encode_labels(labels))
    return root


@pytest.fixture(autouse=True)
def _small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops as small as the miniature's images, instead of grey borders around them."""
    monkeypatch.setattr("tasks.training.refinenet.Recipe", partial(Recipe, crop_px=32))


def test_one_command_trains_and_another_runs_what_it_made(camvid: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = ["--dataset", "camvid", "--data-root", str(camvid)]
    words = ["train", "refinenet", *data, "--out", str(out), "--epochs", "2"]
    assert run_command_line([*words, "--max-minutes", "0"]) == 0
    assert [row["epoch"] for row in csv.DictReader((out / "curve.csv").open())] == ["1"]
    assert run_command_line(words) == 0
    assert [row["epoch"] for row in csv.DictReader((out / "curve.csv").open())] == ["1", "2"]
    weights = out / "refinenet-camvid.safetensors"
    card = json.loads((out / "refinenet-camvid.safetensors.json").read_text())
    assert card["sha256"] == file_sha256(weights)
    assert card["classes"] == list(CLASSES)
    assert card["epochs_done"] == 2
    assert card["trained_on"]["images"] == 8
    assert "not commercial" in card["trained_on"]["terms"]
    assert card["validated_on"]["images"] == 2

    shown = tmp_path / "shown"
    where = ["--workspace", str(tmp_path / "runs"), "--out", str(shown)]
    seen = [*data, "--split", "train", "--rain", "none", "--derainer", "identity", *where]
    model = f"semantic=refinenet@{weights}"
    assert run_command_line(["run", *seen, "--task", "semantic", "--model", model]) == 0
    records = json.loads((shown / "results.json").read_text())["records"]
    assert {r["n"] for r in records if r["metric"] == "miou"} == {8}
    assert [r["seen"] for r in records if r["metric"] == "miou"] == [["task-images"]]


@pytest.mark.parametrize(("image_s", "is_validated"), [(1, True), (25, False)])
def test_minutes_bound_the_validation_too(
    image_s: float,
    is_validated: bool,
    camvid: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 60 s, 6 are the validation's: no epoch of 20 s begins after 40, which leaves 20."""
    modules = (f"harness.training.{name}" for name in ("network", "curve", "moment"))
    clock, add, run = stopped(monkeypatch, *modules), LossCurve.add, engine.run

    def an_epoch_later(self: LossCurve, epoch: int, loss: float) -> float:
        clock.now_s += 20
        return add(self, epoch, loss)

    def slowly(judged: RunSpec, progress: engine.Progress) -> Results:
        def an_image_later(label: str, done: int, images: int) -> None:
            clock.now_s += image_s
            progress(label, done, images)

        return run(judged, progress=an_image_later)

    monkeypatch.setattr(LossCurve, "add", an_epoch_later)
    monkeypatch.setattr(engine, "run", slowly)
    out = tmp_path / "out"
    words = ["train", "refinenet", "--dataset", "camvid", "--data-root", str(camvid)]
    assert run_command_line([*words, "--out", str(out), "--max-minutes", "1"]) == 0
    rows = list(csv.DictReader((out / "curve.csv").open()))
    assert [(row["epoch"], row["elapsed_s"]) for row in rows] == [("1", "20.0"), ("2", "20.0")]
    card = json.loads((out / "refinenet-camvid.safetensors.json").read_text())
    assert card["epochs_done"] == 2
    assert (card["validated_on"] is not None) == is_validated


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--split", "val", "--limit", "4"], "it learned from 4 of the 4 images of val"),
        (["--split", "train+val"], "it learned from 4 of the 4 images of val"),
        (["--split", "train", "--where", "part=b"], None),
        (
            ["--split", "train", "--where", "part=a"],
            "--where part=a: unknown value 'a': known are b",
        ),
    ],
)
def test_no_scores_are_of_images_that_it_learned_from(
    more: list[str],
    said: str | None,
    camvid: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for kind in ("val", "valannot"):
        for i in (8, 9):
            shutil.copy(camvid / kind / "0001TP_000.png", camvid / kind / f"0001TP_{i:03}.png")
    for file in camvid.glob("train*/0001TP_00[0-3].png"):
        file.rename(file.with_name(f"a{file.name}"))
    out, data = tmp_path / "out", ["--dataset", "camvid", "--data-root", str(camvid)]
    attributes = ["--attributes", str(tmp_path / "parts.csv")] if "--where" in more else []
    if attributes:
        rows = [f"{f.name},{'a' if f.name[0] == 'a' else 'b'}" for f in camvid.glob("*/*.png")]
        (tmp_path / "parts.csv").write_text("\n".join(["name,part", *dict.fromkeys(rows)]))
    words = ["train", "refinenet", *data, *more, *attributes, "--out", str(out), "--epochs", "1"]
    assert run_command_line(words) == 0
    card = json.loads((out / "refinenet-camvid.safetensors.json").read_text())
    told = [x for x in capsys.readouterr().out.splitlines() if "not validated" in x]
    if said is None:
        assert card["validated_on"]["split"] == "val"
        assert card["validated_on"]["images"] == 4
        assert told == []
    else:
        assert card["validated_on"] is None
        assert len(told) == 1
        assert told[0].startswith(f"refinenet: not validated: {said}")


def learned_from(**fields: Any) -> RunSpec:
    spec = RunSpec(**fields)
    return validated_on(spec, open_splits(spec))


def test_sets_name_the_part_that_networks_are_validated_on(
    coco_root: Path, bdd100k_root: Path, tmp_path: Path
) -> None:
    coco = Path(shutil.copytree(coco_root, tmp_path / "copy"))
    train = json.loads((coco / "annotations" / "instances_val2017.json").read_text())
    (coco / "images" / "train2017").mkdir()
    for entry in train["images"]:
        shutil.copy(coco / "images" / "val2017" / entry["file_name"], coco / "images" / "train2017")
    file = coco / "annotations" / "instances_train2017.json"
    file.write_text(json.dumps(train))
    told = {"dataset": "coco", "data_root": str(coco)}
    assert learned_from(**told, split="train2017").split == "val2017"
    with pytest.raises(UsageError, match="it learned from 8 of the 8 images of val2017"):
        learned_from(**told, split="train2017+val2017")
    with pytest.raises(UsageError, match=r"8 of the 8 images of .*instances_train2017\.json"):
        learned_from(data_root=str(coco / "images" / "train2017"), annotations=str(file))
    (coco / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(DatasetError, match=r"instances_val2017\.json not found"):
        learned_from(**told, split="train2017")
    bdd = Path(shutil.copytree(bdd100k_root, tmp_path / "bdd"))
    shutil.copytree(bdd / "images" / "10k" / "val", bdd / "images" / "10k" / "train")
    spec = RunSpec(dataset="bdd100k", data_root=str(bdd))
    learned = open_splits(spec.model_copy(update={"split": dataset_row(spec).training_split}))
    assert validated_on(spec, learned).split == "10k/val"


def test_a_training_begins_with_the_weights_of_another(camvid: Path, tmp_path: Path) -> None:
    words = ["train", "refinenet", "--dataset", "camvid", "--data-root", str(camvid)]
    words += ["--epochs", "1", "--out"]
    assert run_command_line([*words, str(tmp_path / "first")]) == 0
    first = tmp_path / "first" / "refinenet-camvid.safetensors"
    second = tmp_path / "second"
    slow = ["--from", str(first), "--learning-rate", "0.0001"]
    assert run_command_line([*words, str(second), *slow]) == 0
    card = json.loads((second / "refinenet-camvid.safetensors.json").read_text())
    earlier = json.loads(first.with_name(first.name + ".json").read_text())
    expected = {"sha256": file_sha256(first), "hours": earlier["hours"], "steps": 2}
    assert card["begun_with"] == expected
    assert (earlier["recipe"]["learning_rate"], card["recipe"]["learning_rate"]) == (1e-3, 1e-4)
    assert card["trained_on"]["before"] == earlier["trained_on"]
    a, b = (load_file(f / first.name) for f in (first.parent, second))
    changes = {k: float((a[k].float() - b[k].float()).abs().max()) for k in a if "weight" in k}
    assert max(changes.values()) < 0.1, "weights at random would differ by more"
    assert any(changes.values())


def test_rains_take_turns_and_are_no_run_s(camvid: Path) -> None:
    spec = RunSpec(dataset="camvid", data_root=str(camvid), split="train", seed=3)
    dataset = open_dataset(spec)
    rain, samples = RAINS["photoshop-light"], dataset.samples
    weather = weather_of(
        spec.model_copy(update={"rain": ("photoshop-light", "none")}), None, dataset
    )
    view = weather.view(samples, spec)
    assert view is not None
    wet = np.zeros((2, len(samples)), bool)
    for epoch in (0, 1):
        for place, sample in enumerate(samples):
            clean = sample.image()
            shown = view(sample, clean, epoch)
            assert np.array_equal(shown, view(sample, clean, epoch))
            wet[epoch, place] = not np.array_equal(shown, clean)
            of_a_run = rain.render(clean, generator(3, rain, sample.id)).image
            assert not np.array_equal(shown, of_a_run)
    assert wet.sum(1).tolist() == [4, 4]
    assert (wet[0] ^ wet[1]).all()
    later = view(samples[0], samples[0].image(), 2), view(samples[0], samples[0].image(), 0)
    assert np.array_equal(*later) == (not wet[0, 0]), "each epoch has another rain"

    dry = weather_of(spec.model_copy(update={"rain": ("none",)}), None, dataset)
    assert dry.view([], spec) is None


def test_an_image_that_comes_again_is_derained_once(
    camvid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "kept"
    spec = RunSpec(dataset="camvid", data_root=str(camvid), split="train")
    spec = spec.model_copy(update={"workspace": str(workspace)})
    dataset = open_dataset(spec)
    samples, calls = dataset.samples, 0
    restore = Filter.restore

    def counted(self: Filter, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        nonlocal calls
        calls += 1
        return restore(self, image, sample_id)

    monkeypatch.setattr(Filter, "restore", counted)

    def shown(word: str = "median", epoch: int = 0, **also: Any) -> NDArrayByte:
        said = spec.model_copy(update=also)
        view = weather_of(said, word, dataset).view(samples, said)
        assert view is not None
        return view(samples[0], samples[0].image(), epoch)

    expected = round_to_bytes(DERAINERS["median"].build(None).restore(samples[0].image(), "x"))
    calls = 0
    assert np.array_equal(shown(), expected)
    assert np.array_equal(shown(epoch=1), expected), "another epoch"
    assert calls == 1
    for file in workspace.rglob("*.png"):
        file.write_bytes(file.read_bytes()[:-40])
    assert np.array_equal(shown(), expected), "a damaged file is no image"
    shown(cache_gb=0.0)
    assert (calls, list(workspace.rglob("*.png"))) == (3, []), "no room"
    wet: Any = {"rain": ("photoshop-light",)}
    assert not np.array_equal(shown(**wet), shown(epoch=1, **wet))
    shown("bilateral", **wet)
    assert calls == 6, "other rain, or another derainer, is no image that came before"


def test_a_network_that_saw_the_rain_is_marked_and_its_twin_is_known(
    camvid: Path, tmp_path: Path
) -> None:
    shutil.rmtree(camvid / "val")
    data = ["--dataset", "camvid", "--data-root", str(camvid)]
    words = ["train", "refinenet", *data, "--epochs", "1", "--seed", "1"]
    by_median = ["--derained", "median", "--workspace", str(tmp_path / "kept")]
    for name, rain in (
        ("wet", ["--rain", "photoshop-heavy,none"]),
        ("derained", ["--rain", "photoshop-heavy", *by_median]),
        ("dry", ["--rain", "none"]),
    ):
        assert run_command_line([*words, *rain, "--out", str(tmp_path / name)]) == 0
    files = {
        name: tmp_path / name / "refinenet-camvid.safetensors"
        for name in ("wet", "derained", "dry")
    }
    cards = {n: json.loads((f.parent / (f.name + ".json")).read_text()) for n, f in files.items()}
    assert {card["steps_done"] for card in cards.values()} == {2}
    seen = {n: card["trained_on"] for n, card in cards.items()}
    assert {n: told["rain_families"] for n, told in seen.items()} == {
        "wet": ["photoshop"],
        "derained": ["photoshop"],
        "dry": [],
    }
    assert list(seen["wet"]["rain_digests"]) == ["photoshop-heavy", "none"]
    assert seen["derained"]["derained"] == {"by": "median", "weights": None}

    spec = RunSpec(
        dataset="camvid",
        data_root=str(camvid),
        split="test",
        rain=("photoshop-light", "rain100l", "none"),
        derainer=("median",),
        task=("semantic",),
        model={"semantic": tuple(f"refinenet@{file}" for file in files.values())},
        quality=("none",),
        workspace=str(tmp_path / "runs"),
    )
    results = harness.run(spec)
    trained = results.provenance.trainings["semantic"]
    names = {n: f"refinenet@{file_sha256(f)[:8]}" for n, f in files.items()}
    marks = {
        (r.model, r.rain): r.seen
        for r in results.records
        if r.metric == "miou" and r.derainer == "identity"
    }
    for name, model in names.items():
        wet = () if name == "dry" else ("task-rain",)
        assert marks[model, "photoshop-light"] == wet
        assert marks[model, "rain100l"] == marks[model, "none"] == ()
    assert trained[names["wet"]].rains == ("photoshop-heavy", "none")
    assert trained[names["derained"]].derained_by == "median"
    assert trained[names["dry"]].rains == ("none",)
    assert len({told.footing for told in trained.values()}) == 1
    assert {told.seed for told in trained.values()} == {1}

    text = laid_out("remedies", [results])["remedies.md"]
    table = text.split("against")[0]
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if "|" in line]
    trained_wet = "trained on photoshop-heavy"
    assert rows[2:] == [
        "nothing",
        "derain by median",
        f"{trained_wet} and clean images",
        f"{trained_wet}, all derained by median",
        f"{trained_wet} and clean images, and derain by median",
    ]
    assert "Without a twin" not in text


def test_a_training_goes_on_under_its_own_rain_alone(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--dataset", "camvid", "--data-root", str(camvid), "--out", str(tmp_path / "out")]
    words = ["train", "refinenet", *data, "--epochs", "1", "--max-minutes", "0"]
    assert run_command_line([*words, "--rain", "rain100l"]) == 0
    for rain, said in (
        (["--rain", "rain100h"], "holds another training"),
        ([], "holds another training"),
        (["--rain", "given"], "leave --rain out"),
        (["--rain", "rain100l", "--derained", "identity"], "it changes nothing"),
        (["--rain", "rain100l", "--derained", "nothing"], "unknown derainer"),
        (["--workspace", "kept"], "--workspace is for images of --derained"),
    ):
        assert run_command_line([*words, *rain]) == 2
        assert said in capsys.readouterr().err


def test_what_a_card_does_not_tell_is_left_open(tmp_path: Path) -> None:
    file, card = tmp_path / "x.safetensors", tmp_path / "x.json"
    file.write_bytes(b"weights")
    card.write_text('{"hours": "two", "steps_done": 5, "begun_with": "mine"}')
    begun = begun_with(file, card)["begun_with"]
    assert begun == {"sha256": file_sha256(file), "hours": None, "steps": 5}


def test_what_cannot_be_trained_is_one_line(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--dataset", "camvid", "--data-root", str(camvid), "--out", str(tmp_path / "out")]
    for words, said in (
        (["train", "refinet", *data], "did you mean refinenet?"),
        (["train", "refinenet", *data, "--epochs", "0"], "--epochs 0: at least 1"),
        (["train", "refinenet", *data, "--dtype", "fp16"], "fp32 or bf16"),
        (["train", "refinenet", *data, "--learning-rate", "nan"], "--learning-rate nan: above 0"),
        (["train", "refinenet", *data, "--from", "absent"], "--from absent: no such file"),
        (
            ["train", "refinenet", *data, "--limit", "3"],
            "needs label maps of all and at least 4 images",
        ),
        (["train", "refinenet", *data[:-2], "--out", str(tmp_path)], "holds another training"),
    ):
        (tmp_path / "training.json").write_text("{}")
        assert run_command_line(words) == 2
        assert said in capsys.readouterr().err


def test_distances_of_another_size_end_a_training_in_one_line(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "far").mkdir()
    for file in camvid.glob("train/*.png"):
        np.save(tmp_path / "far" / f"{file.stem}.npy", np.full((30, 40), 9, np.float32))
    data = ["--dataset", "camvid", "--data-root", str(camvid), "--depth", str(tmp_path / "far")]
    words = ["train", "refinenet", *data, "--rain", "physical", "--out", str(tmp_path / "out")]
    assert run_command_line(words) == 2
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "error:" in line)
    assert said.startswith("error: image ")
    assert said.endswith("depth is (30, 40): must be (32, 40) as the image is")
