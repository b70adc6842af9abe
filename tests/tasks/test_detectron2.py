"""The detectron2 adapter against detectron2's own predictor; needs detectron2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from datasets import masks
from tasks.models import MODELS

detectron2: Any = pytest.importorskip(
    "detectron2", reason="detectron2 is not installed", exc_type=ImportError
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faster_rcnn_R_50_FPN_3x", "mask_rcnn_R_50_FPN_3x"])
def test_predictions_are_detectron2s_own(name: str, tmp_path: Path) -> None:
    from detectron2.config import get_cfg
    from detectron2.engine.defaults import DefaultPredictor
    from detectron2.modeling import build_model

    row, settings = MODELS[name], get_cfg()
    configs = Path(detectron2.__file__).parent / "model_zoo" / "configs"
    settings.merge_from_file(str(configs / row.build.args[0]))  # type: ignore[attr-defined]
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
