"""The detectron2 adapter against detectron2's own predictor; needs detectron2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from datasets import masks
from harness import RunSpec
from harness.plan.networks import network_of
from tasks.models import MODELS
from tasks.task import TaskError

detectron2: Any = pytest.importorskip(
    "detectron2", reason="detectron2 is not installed", exc_type=ImportError
)

CONFIGS = Path(detectron2.__file__).parent / "model_zoo" / "configs"
PHOTO = np.ascontiguousarray(astronaut()[100:220, 100:260])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faster_rcnn_R_50_FPN_3x", "mask_rcnn_R_50_FPN_3x"])
def test_predictions_are_detectron2s_own(name: str, tmp_path: Path) -> None:
    from detectron2.config import get_cfg
    from detectron2.engine.defaults import DefaultPredictor
    from detectron2.modeling import build_model

    row, settings = MODELS[name], get_cfg()
    settings.merge_from_file(str(CONFIGS / row.build.args[0]))  # type: ignore[attr-defined]
    settings.MODEL.DEVICE = "cpu"
    settings.MODEL.WEIGHTS = ""
    torch.manual_seed(0)
    module = build_model(settings)
    # Random weights whose scores pass the threshold.
    module.roi_heads.box_predictor.cls_score.weight.data *= 30
    settings.MODEL.WEIGHTS = str(tmp_path / "weights.pth")
    torch.save({"model": module.state_dict()}, settings.MODEL.WEIGHTS)

    photo = astronaut()
    (ours,) = row.build(Path(settings.MODEL.WEIGHTS), "cpu").detect([photo])
    theirs = DefaultPredictor(settings)(photo[:, :, ::-1])["instances"]
    assert len(ours.scores) == len(theirs) > 0
    assert np.array_equal(ours.boxes_xyxy_px, theirs.pred_boxes.tensor.numpy())
    assert np.array_equal(ours.scores, theirs.scores.numpy())
    assert np.array_equal(ours.categories, theirs.pred_classes.numpy())
    if row.task == "instance":
        drawn = np.stack([masks.decode(mask) for mask in ours.masks])
        assert np.array_equal(drawn, theirs.pred_masks.numpy())


SMALL = """
MODEL:
  RESNETS: {DEPTH: 18, RES2_OUT_CHANNELS: 64}
  FPN: {OUT_CHANNELS: 32}
  ROI_BOX_HEAD: {FC_DIM: 32}
  ROI_HEADS: {NUM_CLASSES: 3, SCORE_THRESH_TEST: 0.0}
  ROI_MASK_HEAD: {CONV_DIM: 32}
  SEM_SEG_HEAD: {NUM_CLASSES: 4, CONVS_DIM: 32}
INPUT: {MIN_SIZE_TEST: 96, MAX_SIZE_TEST: 160, FORMAT: %s}
DATASETS: {TEST: [my_set], TRAIN: [my_set]}
"""
BASES = {
    "detection": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml",
    "instance": "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml",
    "semantic": "Misc/semantic_R_50_FPN_1x.yaml",
    "panoptic": "COCO-PanopticSegmentation/panoptic_fpn_R_50_1x.yaml",
}


def own(folder: Path, kind: str, order: str = "BGR") -> tuple[Path, Path, Any]:
    """A small configuration of one's own, random weights, and detectron2's predictor of them."""
    from detectron2.config import get_cfg
    from detectron2.engine.defaults import DefaultPredictor
    from detectron2.modeling import build_model

    base = CONFIGS / BASES[kind]
    config, file = folder / f"{kind}.yaml", folder / f"{kind}.pth"
    config.write_text(f"_BASE_: {base}\n{SMALL % order}")
    settings = get_cfg()
    settings.merge_from_file(str(config))
    settings.MODEL.DEVICE, settings.MODEL.WEIGHTS = "cpu", ""
    torch.manual_seed(0)
    torch.save({"model": build_model(settings).state_dict()}, file)
    settings.MODEL.WEIGHTS = str(file)
    return config, file, DefaultPredictor(settings)


def given(task: str, config: Path, file: Path, more: str = "") -> Any:
    word = f"detectron2@{config}@{file}{more}"
    return network_of(task, word, RunSpec(task=(task,)))


@pytest.mark.parametrize(("task", "order"), [("detection", "RGB"), ("instance", "BGR")])
def test_an_own_configuration_gives_detectron2s_own(task: str, order: str, tmp_path: Path) -> None:
    config, file, predictor = own(tmp_path, task, order)
    (tmp_path / f"{task}.pth.json").write_text(json.dumps({"classes": ["a", "b", "c"]}))
    network = given(task, config, file)
    detector = network.build("cpu", [])
    assert detector.names == ["a", "b", "c"]
    (ours,) = detector.detect([PHOTO])
    theirs = predictor(PHOTO[:, :, ::-1])["instances"]
    assert len(ours.scores) == len(theirs) > 0
    assert np.array_equal(ours.boxes_xyxy_px, theirs.pred_boxes.tensor.numpy())
    assert np.array_equal(ours.categories, theirs.pred_classes.numpy())
    if task == "instance":
        drawn = np.stack([masks.decode(mask) for mask in ours.masks])
        assert np.array_equal(drawn, theirs.pred_masks.numpy())
    (larger,) = given(task, config, file, ",imgsz=128").build("cpu", []).detect([PHOTO])
    assert not np.array_equal(larger.boxes_xyxy_px, ours.boxes_xyxy_px)


@pytest.mark.parametrize("kind", ["semantic", "panoptic"])
def test_a_semantic_head_gives_detectron2s_own(kind: str, tmp_path: Path) -> None:
    config, file, predictor = own(tmp_path, kind)
    card = tmp_path / f"{kind}.pth.json"
    card.write_text(json.dumps({"classes": ["road", "sky", "tree", "car"]}))
    segmenter = given("semantic", config, file).build("cpu", [])
    assert segmenter.names == ["road", "sky", "tree", "car"]
    (ours,) = segmenter.segment([PHOTO])
    theirs = predictor(PHOTO[:, :, ::-1])["sem_seg"].argmax(0)
    assert np.array_equal(ours, theirs.numpy())
    if kind == "semantic":
        with pytest.raises(TaskError, match="finds no objects: give it with --model semantic="):
            given("detection", config, file).build("cpu", [])


def test_classes_are_the_cards_or_the_data_sets(tmp_path: Path) -> None:
    from detectron2.data import MetadataCatalog

    config, file, _ = own(tmp_path, "detection")
    says = r"detection\.yaml has 3 classes, their names are not known: name them in detection\.pth"
    with pytest.raises(TaskError, match=says):
        given("detection", config, file).build("cpu", [])
    MetadataCatalog.get("my_set").thing_classes = ["x", "y", "z"]
    try:
        assert given("detection", config, file).build("cpu", []).names == ["x", "y", "z"]
        (tmp_path / "detection.pth.json").write_text('{"classes": ["z", "y", "x"]}')
        changed = given("detection", config, file)
        assert changed.build("cpu", []).names == ["z", "y", "x"]
    finally:
        MetadataCatalog.pop("my_set")
    (tmp_path / "detection.pth.json").write_text('{"classes": ["z"]}')
    with pytest.raises(TaskError, match="has 3 classes, 1 names are known"):
        given("detection", config, file).build("cpu", [])
    assert given("detection", config, file).key != changed.key


BOMB = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'y'] * 9)}]\n" for n in range(10))
BOMB += "_BASE_: [*x9]\n"


def test_a_configuration_is_named_by_all_its_files_and_runs_no_code(tmp_path: Path) -> None:
    config, file, _ = own(tmp_path, "detection")
    before = given("detection", config, file).key
    (tmp_path / "base.yaml").write_text(config.read_text())
    config.write_text("_BASE_: base.yaml\n")
    between = given("detection", config, file).key
    (tmp_path / "base.yaml").write_text(config.read_text().replace("base", "last"))
    (tmp_path / "last.yaml").write_text("MODEL: {DEVICE: cpu}\n")
    assert (
        len({json.dumps(k) for k in (before, between, given("detection", config, file).key)}) == 3
    )
    for text, says in (
        ("x: !!python/object/apply:os.system ['touch owned']\n", "no plain YAML"),
        ("_BASE_: https://example.com/a.yaml\n", "_BASE_ must name a file beside it"),
        (BOMB, "_BASE_ must name a file beside it, not a list"),
        ("_BASE_: none.yaml\n", r"none\.yaml: no such configuration"),
        ("- a\n", "no configuration of detectron2"),
    ):
        config.write_text(text)
        with pytest.raises(TaskError, match=says):
            given("detection", config, file)
    assert not Path("owned").exists()
    (tmp_path / "Base-RetinaNet.yaml").write_bytes((CONFIGS / "Base-RetinaNet.yaml").read_bytes())
    config.write_text("_BASE_: Base-RetinaNet.yaml\n")
    given("detection", config, file)  # it holds an expression, and is detectron2's own
    with (tmp_path / "Base-RetinaNet.yaml").open("a") as changed:
        changed.write("# mine\n")
    with pytest.raises(TaskError, match="or detectron2's own, unchanged"):
        given("detection", config, file)
    config.write_text("MODEL: {NO_SUCH_KEY: 1}\n")
    with pytest.raises(TaskError, match="detectron2 cannot build it"):
        given("detection", config, file).build("cpu", [])
