"""What a run is: one frozen, strict description, as JSON in and out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

DEFAULT_RAIN = "real-like"
"""The rain of a run that names none: its streaks are near real rain's, see ``docs/rain.md``."""


class UsageError(ValueError):
    """A user's mistake: one line that says what is wrong, what is known and what to do."""


def _tuple(value: Any) -> Any:
    """A single word or a list, where several are allowed."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _with_text(value: Any) -> Any:
    """Paths, as Python has them, as text, in lists and by task too."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_with_text, value))
    return {k: _with_text(v) for k, v in value.items()} if isinstance(value, dict) else value


def _networks(value: Any) -> Any:
    """Words of networks by task."""
    return (
        {task: _tuple(words) for task, words in value.items()} if isinstance(value, dict) else value
    )


Words = Annotated[tuple[str, ...], BeforeValidator(_tuple), Field(min_length=1)]


class RunSpec(BaseModel):
    """Conditions x tasks on one data set; every field is a flag of ``run``."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )

    dataset: str | None = Field(
        default=None,
        description="data set, one of list datasets: streetsim (the default without --data-root), "
        "coco, bdd100k and more",
    )
    data_root: str | None = Field(
        default=None,
        description="where the data set lies; streetsim is rendered there, by default into a cache",
    )
    split: str | None = Field(default=None, description="part of the data set, e.g. val2017")
    annotations: str | None = Field(
        default=None,
        description="the label file, wherever it lies, with --data-root as the folder of the "
        "images: any COCO JSON (dataset coco), a data.yaml (yolo), which need no --dataset",
    )
    pair: str | None = Field(
        default=None,
        description="how pairs are found: folders RAINY:CLEAN, RAINY:CLEAN:REGEX where stems whose "
        "matches are equal belong together, or clean-left, clean-right for both in one file; of a "
        "labelled set the folder of its rainy images",
    )
    where: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = Field(
        default=(),
        description="only images whose attributes are so, KEY=VALUE with slashes between "
        "alternatives: weather=clear/overcast; images in bad weather are left out unless weather "
        "is asked for",
    )
    attributes: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = Field(
        default=(),
        description="what is known of the images, for --where and as slices: FILE.csv, whose first "
        "column names them, or a regex with named groups that is searched in their paths below "
        "--data-root, (?P<weather>rain|sun)",
    )
    depth: str | None = Field(
        default=None,
        description="DIR with a file of distances for each image, for rains that know distance: "
        "PNG, NPY or NPZ in metres, or DIR:per_m=N where N of their units make a metre",
    )
    rain: Words | None = Field(
        default=None,
        description="rains, each NAME or NAME:KEY=VALUE with slashes for a sweep, "
        "physical:rate_mm_h=1/5/25; 'none' among them derains clean images too, 'given' is the "
        f"data set's own (default: {DEFAULT_RAIN}, or given for pairs)",
    )
    derainer: Words = Field(
        default=("identity", "median", "granet", "mspfn-light"),
        description="derainers, each NAME or NAME@WEIGHTS, or one of yours: FILE.py:FACTORY, "
        "FILE.onnx, spandrel:FILE, torchscript:FILE, dir:FOLDER; NAME@{A,B,C} are three trainings; "
        "ROW=WORD calls it ROW, "
        ",channels=bgr and the like behind it say how it is fed",
    )
    intermediate: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = Field(
        default=(),
        description="outputs inside a derainer to score too, of granet: coarse, mask",
    )
    task: Words = Field(
        default=("detection",),
        description="tasks: detection, instance, semantic (list tasks), or none for quality alone; "
        "where none is named those of --model, else detection",
    )
    model: Annotated[dict[str, Words], BeforeValidator(_networks)] = Field(
        default_factory=dict,
        description="network of a task: TASK=FILE, TASK=NAME@FILE with a name of list models, "
        "FILE.py:FACTORY[@WEIGHTS], torchscript:FILE or transformers:FOLDER; ,imgsz=N sets its "
        "size; repeated for several networks of a task",
    )
    model_dir: str | None = Field(
        default=None, description="folder in which networks are found by name"
    )
    quality: Words = Field(
        default=("psnr", "ssim", "niqe"),
        description="image quality metrics or families, see list metrics, or pyiqa:NAME",
    )
    protocol: Words = Field(
        default=("matlab-y",),
        description="protocols of PSNR and SSIM, or all; a border is cut by NAME:border_px=N",
    )
    limit: int | None = Field(
        default=None, ge=1, description="only the N images with the smallest sha256(id)"
    )
    shard: str | None = Field(
        default=None,
        pattern=r"^(0|[1-9]\d{0,5})/[1-9]\d{0,5}$",
        description="I/N: only part I of N of the images, 0/4 to 3/4, each with a --workspace of "
        "its own; gather puts the workspaces together",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of the rain")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto = cuda, else cpu"
    )
    dtype: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32", description="number format of derainers"
    )
    tile_px: int | None = Field(
        default=None,
        ge=192,
        multiple_of=32,
        description="derain in overlapping tiles of N px; default: whole images, and tiles where "
        "memory runs out",
    )
    workers: int | None = Field(
        default=None, ge=1, description="images at a time; default: one per core"
    )
    engine: Literal["local", "ray"] = Field(
        default="local", description="ray: the same images, computed by workers on a Ray cluster"
    )
    address: str | None = Field(
        default=None,
        pattern=r"^(auto|[A-Za-z0-9.-]+:\d{1,5})$",
        description="of the Ray cluster, auto or HOST:PORT; default: one is started here, for this "
        "machine alone",
    )
    workspace: str = Field(
        default="derain-runs", description="ledger and cached images; a run resumes there"
    )
    cache_gb: float = Field(default=20.0, ge=0, description="room for cached images, oldest out")
    out: str | None = Field(
        default=None, description="folder for results.json, tables, plots and the page"
    )
    save: Annotated[tuple[Literal["predictions", "images"], ...], BeforeValidator(_tuple)] = Field(
        default=(),
        description="write below --out too: predictions, as COCO results and label maps; images, "
        "the derained ones as PNG, with a manifest that the derainer dir:FOLDER reads",
    )
    images: bool = Field(
        default=True,
        description="show some of the images on the page; --no-images for data that may not be",
    )
    max_errors: float = Field(
        default=0,
        ge=0,
        description="images that may fail before the exit status is 1: how many, or below 1 which "
        "share of all",
    )

    @model_validator(mode="before")
    @classmethod
    def _named_by_what_else_is_given(cls, fields: Any) -> Any:
        fields = _with_text(fields)
        if not isinstance(fields, dict):
            return fields
        networks = fields.get("model")
        if isinstance(networks, dict) and networks and "task" not in fields:
            fields = {**fields, "task": tuple(networks)}
        if fields.get("dataset") is not None:
            return fields
        labels = fields.get("annotations")
        if isinstance(labels, str):  # which only these two take
            is_yaml = labels.lower().endswith((".yaml", ".yml"))
            return {**fields, "dataset": "yolo" if is_yaml else "coco"}
        is_somewhere = fields.get("data_root") is not None
        return fields if is_somewhere else {**fields, "dataset": "streetsim"}

    def public(self) -> dict[str, Any]:
        """The words as JSON, without folders: no path of this machine leaves in a result."""
        from datasets.attributes import is_table  # --help must answer before data sets are imported

        here = {"workspace", "out", "save", "model_dir", "workers", "images", "engine", "address"}
        words = self.model_dump(mode="json", exclude=here)
        if self.data_root is not None:
            words["data_root"] = _last(self.data_root)
        if self.pair is not None and Path(self.pair).is_absolute():
            words["pair"] = _last(self.pair)
        words |= {k: _last(words[k]) for k in ("annotations", "depth") if words[k] is not None}
        words["attributes"] = [_last(w) if is_table(w) else w for w in self.attributes]
        words["model"] = {task: _one_or_all(map(bare, named)) for task, named in self.model.items()}
        words["derainer"] = [bare(word) for word in self.derainer]
        return words


_FOLDERS = re.compile(r"(?<![^:@+=])[^:@+=]*[/\\](?=[^/\\])")
"""The folders of a path inside a derainer's or a network's word."""
_ADDRESS = re.compile(r"((?:hf|https?)://\S+?@[0-9a-f]{64})")
"""Of a file elsewhere, which is no place on this machine."""


def bare(word: str) -> str:
    """A derainer's or a network's word without the folders of this machine."""
    kept = _ADDRESS.split(word.rstrip("/\\"))
    return _text("".join(p if i % 2 else _FOLDERS.sub("", p) for i, p in enumerate(kept)))


def _one_or_all(words: Iterable[str]) -> str | list[str]:
    """One word as itself, as version 0.1 wrote it."""
    found = list(words)
    return found[0] if len(found) == 1 else found


def _last(path: str) -> str:
    return _text(path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1])


def _text(name: str) -> str:
    """The name of a file or folder as text."""
    from datasets.names import text_of  # not before --help was answered

    return text_of(name)


def known(name: str, table: Iterable[str], what: str, *also: str) -> str:
    """The name, if the table has it.

    Raises:
        UsageError: Listing the known names, the most similar one first named.
    """
    names = [*table, *also]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        if any(part.strip() in names for part in name.split(",")):
            hint = " (several are a list of words, [a, b])"
        raise UsageError(f"unknown {what} '{name}'{hint}: known are {', '.join(names) or 'none'}")
    return name


def checked(**fields: Any) -> RunSpec:
    """Build a RunSpec.

    Raises:
        UsageError: One line naming the field, what it allows and what it got.
    """
    try:
        return RunSpec(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":
            known(str(first["loc"][0]), RunSpec.model_fields, "field")
        name = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
        raise UsageError(f"{name}: {first['msg']}, got {first['input']!r}") from error
