"""What changes under a run is an error of that run, never stored under the old name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from test_run import text_of

from datasets.camvid import open_camvid
from datasets.image import NDArrayByte, NDArrayFloat, encode_png
from datasets.pairs import open_pairs
from datasets.sample import Dataset, DatasetError, Sample
from derainers import DERAINERS, DerainerError
from harness import RunSpec, run
from harness.machine.device import Placement
from harness.plan.derainers import derainer_plan
from harness.plan.plan import make_plan
from harness.plan.unit_keys import Entry
from harness.spec import UsageError


@dataclass
class Meddler:
    """Does nothing to images, and replaces the file of one under the run."""

    victim: Path
    other: bytes

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        if sample_id != "trial":
            self.victim.write_bytes(self.other)
        return image.astype(np.float32) / np.float32(255)


def test_an_image_that_changes_under_a_run_is_an_error(coco_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(coco_root / "images" / "val2017", tmp_path / "photos"))
    names = sorted(file.name for file in root.iterdir())
    victim = root / names[-1]
    other = (root / names[0]).read_bytes()
    spec = RunSpec(
        dataset="folder",
        data_root=str(root),
        derainer=("identity",),
        rain=("photoshop-heavy",),
        task=("none",),
        workers=1,
        images=False,
        workspace=str(tmp_path / "w"),
    )
    found = run(spec, {"meddler": Meddler(victim, other)})
    (error,) = found.errors
    assert (error.sample, error.stage) == (victim.name, "decode")
    assert error.message.startswith(f"{victim.name} changed under the run: ")
    assert {r.n for r in found.records if r.task == "quality"} == {len(names) - 1}
    again = run(spec)
    fresh = run(spec.model_copy(update={"workspace": str(tmp_path / "fresh")}))
    assert again.errors == []
    assert text_of(again) == text_of(fresh)


def changed(file: Path) -> None:
    file.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))


def of_camvid(sample: Sample) -> Path | None:
    return sample.label_map_path


@pytest.mark.parametrize(
    ("file_of", "read"),
    [(lambda s: s.path, Sample.image), (of_camvid, Sample.label_map)],
    ids=["image", "label map"],
)
def test_files_give_the_bytes_that_were_named(
    camvid_root: Path, file_of: Callable[[Sample], Path], read: Callable[[Sample], NDArrayByte]
) -> None:
    before = open_camvid(camvid_root, "test").samples[0]
    sample = Entry.of(before).sample
    assert np.array_equal(read(sample), read(before))
    changed(file_of(sample))
    with pytest.raises(DatasetError, match=r"\.png changed under the run"):
        read(sample)


def pair_in(home: Path) -> Dataset:
    """A set of one rainy image and its clean one."""
    for folder in ("input", "target"):
        (home / folder).mkdir()
        (home / folder / "a.png").write_bytes(encode_png(np.ones((8, 8, 3), np.uint8)))
    return open_pairs(home, None)


def test_rainy_files_and_depth_give_the_bytes_that_were_named(tmp_path: Path) -> None:
    entry = Entry.of(pair_in(tmp_path).samples[0])
    assert entry.sample.given_rain().max() == 1
    changed(tmp_path / "input" / "a.png")
    assert entry.sample.image().max() == 1
    with pytest.raises(DatasetError, match=r"a\.png changed under the run"):
        entry.sample.given_rain()
    (tmp_path / "depth").write_bytes(b"some")
    deep = Entry.of(Sample("a", tmp_path / "target" / "a.png", "a", depth_path=tmp_path / "depth"))
    (tmp_path / "depth").write_bytes(b"other")
    with pytest.raises(DatasetError, match="depth changed under the run"):
        deep.sample.depth_m()


@pytest.mark.parametrize("form", ["{}", "half:{}", "median+{}"])
def test_weights_that_change_before_they_are_loaded_are_refused(form: str, tmp_path: Path) -> None:
    weights, other = DERAINERS["granet"].weights, DERAINERS["granet-rain100l"].weights
    assert weights is not None
    assert other is not None
    file = Path(shutil.copy(weights, tmp_path / "granet.safetensors"))
    dataset = pair_in(tmp_path)
    plan = derainer_plan(form.format(f"granet@{file}"), {}, dataset)
    shutil.copy(other, file)
    with pytest.raises(UsageError, match=r"granet\.safetensors changed under the run"):
        plan.load(Placement("cpu"))
    assert derainer_plan(form.format(f"granet@{file}"), {}, dataset).key != plan.key


def test_weights_that_change_while_a_factory_reads_them_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "gain.txt"
    weights.write_text("0.5")
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def build(weights):\n"
        "    network = nn.Identity()\n"
        "    network.gain = float(weights.read_text())\n"
        "    weights.write_text('0.25')\n"
        "    return network\n"
    )
    with pytest.raises(UsageError, match=r"gain\.txt changed under the run"):
        derainer_plan(f"{tmp_path}/mine.py:build@{weights}", {}, pair_in(tmp_path))


def test_restored_images_that_change_are_refused(tmp_path: Path) -> None:
    dataset = pair_in(tmp_path)
    made = tmp_path / "made"
    made.mkdir()
    (made / "a.png").write_bytes(encode_png(np.ones((8, 8, 3), np.uint8)))
    restorer = derainer_plan(f"dir:{made}", {}, dataset).load(Placement("cpu"))
    image = dataset.samples[0].image()
    restorer.restore(image, "a")
    changed(made / "a.png")
    with pytest.raises(DerainerError, match=r"a\.png changed under the run"):
        restorer.restore(image, "a")


def test_a_task_network_that_changes_is_refused(
    coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(detector_file, tmp_path / "net.pt"))
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        model={"detection": (str(file),)},
        workspace=str(tmp_path / "w"),
    )
    (task,) = make_plan(spec, {}).tasks
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(UsageError, match=r"net\.pt changed under the run"):
        task.task.load()
