"""What a checkpoint says of its network: known layers and numbers, or one line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.models.architecture import ACTIVATION, checked, class_names_in, image_px_in, multiples
from tasks.models.ultralytics_checkpoint import checkpoint_network
from tasks.task import TaskError

SMALL: dict[str, Any] = {
    "nc": 2,
    "channels": 3,
    "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [16, 3, 2]]],
    "head": [[[1], 1, "Detect", ["nc"]]],
}


def test_every_architecture_of_boxes_and_masks_is_known() -> None:
    from ultralytics import cfg
    from ultralytics.nn.tasks import yaml_model_load

    files = sorted((Path(cfg.__file__).parent / "models").rglob("*.yaml"))
    other = ("-cls", "-pose", "-obb", "-world", "yoloe", "-depth")
    names = [f.name for f in files if not any(word in f.name for word in other)]
    assert len(names) > 30
    for name in names:
        told = yaml_model_load(name)
        described = checked(told)
        assert described["backbone"] == told["backbone"], name
        assert described["head"] == told["head"], name


def changed(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALL), **keys}


def with_layer(*layer: Any) -> dict[str, Any]:
    return changed(backbone=[[-1, 1, "Conv", [8, 3, 2]], list(layer)])


DEEP: list[Any] = []
DEEP.append(DEEP)

FOREIGN: dict[str, Any] = {
    "a list that holds itself": changed(backbone=DEEP),
    "a layer that holds itself": with_layer(-1, 1, "Conv", DEEP),
    "a number of many digits": with_layer(-1, 1, "Conv", [10**5000]),
    "a tensor": changed(activation=torch.zeros(3)),
    "a name of a class without end": changed(nc=2, scales=torch.zeros(3), head=[DEEP]),
    "no dict": [],
    "code for an activation": changed(activation="__import__('os').system('touch owned')"),
    "code behind an activation": changed(activation="nn.SiLU() or print()"),
    "an unknown layer": with_layer(-1, 1, "TorchVision", [8, "resnet18", "DEFAULT"]),
    "a name of ultralytics that is no layer": with_layer(-1, 1, "torch_safe_load", ["a.pt"]),
    "a name of torch that is none": with_layer(-1, 1, "nn.Module.load_state_dict", []),
    "a word": with_layer(-1, 1, "Conv", [8, "d"]),
    "a huge number": with_layer(-1, 1, "Conv", [10**9, 3, 2]),
    "infinity": with_layer(-1, 1, "Conv", [float("inf"), 3, 2]),
    "endless repeats": with_layer(-1, 10**9, "Conv", [8]),
    "many layers": changed(backbone=[[-1, 1, "Conv", [8]]] * 1000),
    "too short a row": with_layer(-1, 1, "Conv"),
    "no list": changed(head={"a": 1}),
    "no classes": changed(nc=None),
    "truth for a number": changed(nc=True),
    "another number of channels": changed(channels=4),
    "a scale that is not there": changed(scales={"n": [1, 1, 64]}, scale="x"),
    "scales of words": changed(scales={"n": ["a", "b", "c"]}, scale="n"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_architecture_is_one_line(case: str) -> None:
    with pytest.raises(TaskError) as caught:
        checked(FOREIGN[case])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_activations_are_calls_of_known_classes_alone() -> None:
    for word in ("nn.SiLU()", "torch.nn.ReLU()", "nn.LeakyReLU(0.1)"):
        assert ACTIVATION.fullmatch(word)
    for word in ("nn.SiLU", "nn.SiLU()()", "nn.Module()", "nn.LeakyReLU(__import__)", "nn.SiLU(1)"):
        assert not ACTIVATION.fullmatch(word)


def test_class_names_are_one_for_each() -> None:
    assert class_names_in({1: "b", 0: "a"}, 2) == ["a", "b"]
    assert class_names_in(["a", "b"], 2) == ["a", "b"]
    for names in (
        {0: "a"},
        {0: "a", 2: "b"},
        {"0": "a", "1": "b"},
        None,
        {0: "a", None: "b"},
        7,
        DEEP,
    ):
        with pytest.raises(TaskError, match="2 classes"):
            class_names_in(names, 2)
    with pytest.raises(TaskError, match="a name of its classes is no text"):
        class_names_in({0: "a", 1: DEEP}, 2)


@pytest.mark.parametrize("imgsz", [1, 31, 32, 33, 320, 641, 1280, [480], [300, 640], (8192, 5)])
@pytest.mark.parametrize("stride", [32, 64])
def test_sizes_are_rounded_as_ultralytics_does(imgsz: Any, stride: int) -> None:
    from ultralytics.utils.checks import check_imgsz

    size_px = multiples(image_px_in({"imgsz": imgsz}), stride)
    assert list(size_px) == check_imgsz(imgsz, stride, min_dim=2)


def test_a_training_without_a_size_is_of_the_usual_one() -> None:
    for told in (None, {}, {"epochs": 3}):
        assert image_px_in(told) == (640, 640)


@pytest.mark.parametrize("imgsz", [0, -32, 8193, 640.0, True, "640", None, [], [1, 2, 3], DEEP])
def test_what_is_no_size_is_refused(imgsz: Any) -> None:
    with pytest.raises(TaskError, match=r"its imgsz is .*, expected 1 to 8192 px") as caught:
        image_px_in({"imgsz": imgsz})
    assert len(str(caught.value)) < 120


def saved(file: Path, change: Any) -> Path:
    """A small detector whose file was changed after it was built."""
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel(copy.deepcopy(SMALL), ch=3, verbose=False)
    change(model)
    torch.save({"model": model}, file)
    return file


def set_yaml(**keys: Any) -> Any:
    return lambda model: model.yaml.update(keys)


def append_layer(*layer: Any) -> Any:
    """The head after another layer, in words alone."""
    return set_yaml(backbone=[*SMALL["backbone"], list(layer)], head=[[[2], 1, "Detect", ["nc"]]])


def set_stride(model: Any) -> None:
    model.model[0].conv.stride = (1, 1)


def other_activation(model: Any) -> None:
    model.model[1].act = torch.nn.ReLU()


OTHERS = {
    "other layers": (set_yaml(backbone=[[-1, 1, "Conv", [8, 3, 2]]] * 2), "has shape"),
    "more weights than it holds": (append_layer(-1, 1, "Conv", [60_000, 3]), "more weights"),
    "an image of billions": (append_layer(-1, 1, "nn.Upsample", [None, 60_000]), "an image larger"),
    "layers that do not fit": (set_yaml(head=[[[7], 1, "Detect", ["nc"]]]), "cannot be built"),
    "an attribute of its own": (set_stride, r"model\.0\.conv\.stride is 1, 1,"),
    "a part of its own": (other_activation, r"model\.1\.act\. .* is not in its architecture"),
    "names for other classes": (lambda model: model.names.clear(), "2 classes, 0 names"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_network_that_cannot_be_built_as_it_was_is_refused(case: str, tmp_path: Path) -> None:
    change, says = OTHERS[case]
    with pytest.raises(TaskError, match=rf"a\.pt.*{says}") as caught:
        checkpoint_network(saved(tmp_path / "a.pt", change))
    assert "\n" not in str(caught.value)


def test_building_draws_nothing_from_the_process(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.pt", lambda model: None)
    state = torch.random.get_rng_state()
    checkpoint_network(file)
    assert torch.equal(torch.random.get_rng_state(), state)
