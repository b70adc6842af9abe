"""Checkpoints of the package ultralytics: networks of what they say, with none of their code run.

A checkpoint is a pickle of the network itself. What it says is read as data (`datasets.inert`), the
network is built here of the layers that it names, and is refused where it would not be the one that
was saved.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ultralytics.nn import tasks as ultralytics_tasks
from ultralytics.nn.modules import RTDETRDecoder

from datasets.inert import InertError, Record, modules_of, read, tensors_of
from tasks.models.architecture import checked, class_names_in, shown
from tasks.models.weights import put
from tasks.task import TaskError

NETWORKS = {
    "DetectionModel": "DetectionModel",
    "YOLOv10DetectionModel": "DetectionModel",
    "RTDETRDetectionModel": "RTDETRDetectionModel",
    "SegmentationModel": "SegmentationModel",
    "SemanticSegmentationModel": "SemanticSegmentationModel",
}
"""Networks that are read, by their names in files: what they are called today."""
OTHERS = {
    "PoseModel": "pose",
    "OBBModel": "obb",
    "ClassificationModel": "classify",
    "DepthModel": "depth",
}
"""Networks for tasks that are none here, and ultralytics' words for these."""
OF_WORDS = ("WorldModel", "YOLOEModel", "YOLOESegModel")
"""Networks that find what words describe."""
TAKEN = frozenset({"eps", "max_det"})
"""Numbers of a module that a training may have set, and that decide an output."""
FREE = frozenset(
    {"training", "inplace", "momentum", "type", "np", "names", "yaml", "yaml_file", "args", "nc"}
    | {"end2end", "shape", "shapes", "task", "pt_path", "criterion", "recompute_scale_factor"}
)
"""Attributes that decide no output, or are looked at elsewhere."""
TRIED_PX = 256
"""Side of the image with which ultralytics finds a network's strides."""
MOST_NUMEL_OF_A_LAYER = 2**24
"""What a layer may make of it; the largest network of ultralytics' own makes a tenth."""
MOST_WEIGHTS_SHARE = 1.1
"""Weights of a network by those in its file, which may have been fused."""
_PLAIN = (bool, int, float, str, tuple, list)
_BUILDING = threading.Lock()


def checkpoint_network(file: Path) -> Any:
    """The network that a checkpoint describes, built here and filled with its tensors.

    Nothing in the file is run, and ultralytics never learns its name.

    Raises:
        TaskError: If it is damaged or none of ultralytics, or describes a network that cannot be
            built here just as it was.
    """
    if not file.is_file():
        raise TaskError(f"{file} not found: give a checkpoint with --model TASK=FILE")
    if file.suffix != ".pt":
        raise TaskError(f"{file}: expected an ultralytics checkpoint (.pt)")
    try:
        content = read(file)
        content = content if isinstance(content, dict) else {"model": content}
        ema = content.get("ema")
        saved = content.get("model") if ema is None else ema
        if not isinstance(saved, Record):
            raise TaskError(
                "it is not an ultralytics model: give the file that training wrote (best.pt), of "
                "the network and not of its state_dict() alone"
            )
        _require_known(saved)
        if content.get("modelopt") is not None:
            raise TaskError("it was trained to be quantised: save it without")
        state = tensors_of(saved)
        model = _built(saved, state)
        put(model, state, file)
        _require_same(saved, model)
        model.names = dict(enumerate(class_names_in(saved.attribute("names"), model.yaml["nc"])))
        said = content.get("train_args")
        said = said if isinstance(said, dict) else {}
        model.args = {key: said[key] for key in ("imgsz",) if key in said}
    except (InertError, TaskError, OSError) as error:
        told = str(error)
        raise TaskError(told if told.startswith(file.name) else f"{file}: {told}") from error
    except Exception as error:
        # Values of a file that are not what they should be may end in any kind of exception.
        raise TaskError(f"{file}: damaged ({type(error).__name__}): copy it again") from error
    return model


def _require_known(saved: Record) -> None:
    """Refuse what is none of `NETWORKS`."""
    is_theirs = saved.name.startswith("ultralytics.")
    if is_theirs and saved.kind in OTHERS:
        raise TaskError(
            f"it is a model for '{OTHERS[saved.kind]}', not for detection, instance or semantic: "
            "give one for these"
        )
    if is_theirs and saved.kind in OF_WORDS:
        raise TaskError(
            f"it is a {saved.kind}, whose classes are words: give it these, set_classes([…]), and "
            "export it to ONNX"
        )
    if saved.name.startswith("models."):
        raise TaskError(
            f"it is of YOLOv5's or YOLOv7's own code ({saved.name}), not of ultralytics: export it "
            "there to ONNX (export.py) and give that"
        )
    if not is_theirs or saved.kind not in NETWORKS:
        raise TaskError(
            f"refused, it is not a plain ultralytics checkpoint ({saved.name}): give an "
            "official one, or one of your own training"
        )


def _built(saved: Record, state: Mapping[str, torch.Tensor]) -> Any:
    """A network of a saved one's architecture, with weights at random."""
    architecture = checked(saved.attribute("yaml"))
    # Layers set attributes of classes while they are built, and draw weights at random.
    with _BUILDING, torch.random.fork_rng(devices=()):
        try:
            _require_size(architecture, sum(value.numel() for value in state.values()))
            network = getattr(ultralytics_tasks, NETWORKS[saved.kind])
            model = network(architecture, ch=3, verbose=False)
            if not any(".bn." in name for name in state):
                model.fuse(verbose=False)
            return model
        except TaskError:
            raise
        except Exception as error:
            # A layer that does not fit the one before ends in any kind of exception.
            why = " ".join(str(error).split())[:120]
            raise TaskError(f"its architecture cannot be built ({why}): train it again") from error


def _require_size(architecture: Mapping[str, Any], held: int) -> None:
    """Refuse an architecture that needs more memory than a network of so many weights does."""

    def look(_: torch.nn.Module, __: Any, output: Any) -> None:
        made = [output] if isinstance(output, torch.Tensor) else output
        if sum(each.numel() for each in made) > MOST_NUMEL_OF_A_LAYER:
            raise TaskError("its architecture makes an image larger than any network does")

    with torch.device("meta"), torch.inference_mode():  # shapes alone, without memory
        shell = ultralytics_tasks.BaseModel()
        shell.model, shell.save = ultralytics_tasks.parse_model(
            copy.deepcopy(dict(architecture)), ch=3, verbose=False
        )
        if sum(value.numel() for value in shell.state_dict().values()) > MOST_WEIGHTS_SHARE * held:
            raise TaskError("its architecture needs more weights than it holds")
        for module in shell.model:  # not those inside, of which an activation may be anybody's
            module.register_forward_hook(look)
        shell.model = shell.model[:-1].eval()  # the head asks for values, which are not there
        shell.predict(torch.zeros(1, 3, TRIED_PX, TRIED_PX))


def _require_same(saved: Record, model: torch.nn.Module) -> None:
    """Refuse a network that differs from what was saved in anything that decides an output.

    The few numbers that a training may set are taken over.
    """
    whole = model.named_modules(remove_duplicate=False)  # layers may share an activation
    built = {f"{name}." if name else "": module for name, module in whole}
    for place, record in modules_of(saved):
        module = built.get(place)
        if module is None or type(module).__name__ not in (record.kind, NETWORKS.get(record.kind)):
            raise TaskError(f"its {place or 'network'} ({record.name}) is not in its architecture")
        for name, value in record.state.items():
            if name.startswith("_") or name in FREE or not isinstance(value, _PLAIN):
                continue
            own = getattr(module, name, value)
            if name in TAKEN and type(value) is type(own):
                setattr(module, name, value)
            elif isinstance(own, _PLAIN) and own != value:
                raise TaskError(
                    f"its {place}{name} is {shown(value)}, its architecture makes it {shown(own)}"
                )
        # Which of its two heads answers; files of older versions leave it out.
        if "_end2end" in vars(module):
            module._end2end = record.state.get("_end2end") is True
        if isinstance(module, RTDETRDecoder) and record.state.get("shapes"):
            _take_anchors(record.state, module)


def _take_anchors(state: Mapping[str, Any], head: RTDETRDecoder) -> None:
    """Give RT-DETR the anchors it was saved with, which it uses at the size of its training.

    Files hold them in half precision: those made anew would find other boxes.
    """
    held: list[Any] = [state.get(name) for name in ("shapes", "anchors", "valid_mask")]
    shapes, anchors, valid = held
    try:
        sizes = [[int(side) for side in shape] for shape in shapes]
        count = sum(height * width for height, width in sizes)
        fits = anchors.shape == (1, count, 4) and valid.shape == (1, count, 1)
    except (AttributeError, TypeError, ValueError) as error:
        raise TaskError("its anchors are none: train it again") from error
    if not fits or len(sizes) != head.nl or valid.dtype != torch.bool:
        raise TaskError("its anchors are not those of its sizes: train it again")
    head.shapes, head.anchors, head.valid_mask = sizes, anchors.float(), valid
