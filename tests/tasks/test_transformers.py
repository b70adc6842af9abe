"""Folders of Hugging Face's transformers, tiny and untrained; needs transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from harness import RunSpec
from harness.plan.networks import network_of
from harness.spec import UsageError
from tasks.models import MODELS
from tasks.task import TaskError

transformers: Any = pytest.importorskip(
    "transformers", reason="transformers is not installed", exc_type=ImportError
)
PHOTO = np.ascontiguousarray(astronaut()[100:180, 100:220])
NAMES = {i: f"class{i}" for i in range(12)}


def of_word(task: str, word: str) -> Any:
    return network_of(task, word, RunSpec(task=(task,)))


def yolos(folder: Path) -> Any:
    """One class for nothing, a softmax."""
    config = transformers.YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 64],
        num_detection_tokens=10,
        id2label=NAMES,
    )
    network = transformers.YolosForObjectDetection(config)
    processor = transformers.YolosImageProcessor(size={"height": 64, "width": 64})
    return saved(folder, network, processor)


def rt_detr(folder: Path) -> Any:
    """A sigmoid per class, boxes of each."""
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[16, 16, 16],
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        d_model=16,
        num_queries=20,
        decoder_layers=1,
        decoder_attention_heads=2,
        encoder_attention_heads=2,
        decoder_in_channels=[16, 16, 16],
        id2label=NAMES,
        num_denoising=0,
    )
    network = transformers.RTDetrForObjectDetection(config)
    processor = transformers.RTDetrImageProcessor(size={"height": 64, "width": 64})
    return saved(folder, network, processor)


def segformer(folder: Path) -> Any:
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=NAMES,
    )
    network = transformers.SegformerForSemanticSegmentation(config)
    processor = transformers.SegformerImageProcessor(size={"height": 64, "width": 64})
    return saved(folder, network, processor)


def saved(folder: Path, network: Any, processor: Any) -> Any:
    network.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return network, processor


@pytest.mark.parametrize("make", [yolos, rt_detr])
def test_boxes_are_those_of_its_own_processor(make: Callable[[Path], Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, processor = make(tmp_path / "net")
    detector = MODELS["transformers"].build(tmp_path / "net", "cpu")
    assert detector.names == list(NAMES.values())
    (ours,) = detector.detect([PHOTO])
    with torch.inference_mode():
        given = processor(images=[PHOTO], return_tensors="pt")
        theirs = processor.post_process_object_detection(
            network(**given), threshold=0.001, target_sizes=[PHOTO.shape[:2]]
        )[0]
    assert len(ours.scores) == len(theirs["scores"]) > 0
    assert np.abs(ours.boxes_xyxy_px - theirs["boxes"].numpy()).max() < 1e-3
    assert np.array_equal(ours.categories, theirs["labels"].numpy())
    (smaller,) = MODELS["transformers"].build(tmp_path / "net", "cpu", imgsz=32).detect([PHOTO])
    assert not np.array_equal(smaller.boxes_xyxy_px, ours.boxes_xyxy_px)


def test_a_size_that_its_processor_would_not_apply_is_refused(tmp_path: Path) -> None:
    yolos(tmp_path / "net")
    file = tmp_path / "net" / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"do_resize": False}))
    with pytest.raises(TaskError, match="net: its processor resizes nothing: leave imgsz out"):
        MODELS["transformers"].build(tmp_path / "net", "cpu", imgsz=32)


def test_label_maps_are_of_the_pictures_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, processor = segformer(tmp_path / "net")
    (ours,) = MODELS["transformers-sem"].build(tmp_path / "net", "cpu").segment([PHOTO])
    with torch.inference_mode():
        given = processor(images=[PHOTO], return_tensors="pt")
        (theirs,) = processor.post_process_semantic_segmentation(
            network(**given), target_sizes=[PHOTO.shape[:2]]
        )
    assert ours.dtype == np.uint8
    assert np.array_equal(ours, theirs.numpy())


def test_a_folder_is_named_by_all_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    yolos(folder)
    word = f"transformers:{folder}"
    before = of_word("detection", word)
    assert before.name == "net"
    assert of_word("detection", word).key == before.key
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(
        json.dumps(processor | {"do_normalize": False})
    )
    assert of_word("detection", word).key != before.key
    word = f"transformers:{folder}"
    with pytest.raises(TaskError, match="holds a YolosForObjectDetection: give it with --model"):
        of_word("semantic", word).build("cpu", [])


def test_no_code_of_a_folder_is_run(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    network, _ = yolos(folder)
    (folder / "model.safetensors").rename(folder / "kept")
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    word = f"transformers:{folder}"
    with pytest.raises(TaskError, match=r"holds no model\.safetensors: weights are read as safete"):
        of_word("detection", word)
    (folder / "kept").rename(folder / "model.safetensors")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"auto_map": {"AutoModelForObjectDetection": "evil.Net", "AutoConfig": "evil.Net"}}
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(TaskError, match="transformers cannot load it"):
        of_word("detection", word).build("cpu", [])
    assert not (tmp_path / "owned").exists()


def test_what_a_folder_lacks_is_told(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    word = f"transformers:{tmp_path / 'net'}"
    with pytest.raises(TaskError, match=r"net lacks config\.json and preprocessor_config\.json"):
        of_word("detection", word)
    word = f"{word}x"
    with pytest.raises(UsageError, match="no such folder"):
        of_word("detection", word)
