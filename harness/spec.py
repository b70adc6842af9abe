"""What a run is: one frozen, strict description, as JSON in and out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


class UsageError(ValueError):
    """A user's mistake: one line that says what is wrong, what is known and what to do."""


def _tuple(value: Any) -> Any:
    """A single word or a list, where several are allowed."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_tuple), Field(min_length=1)]


class RunSpec(BaseModel):
    """Conditions x tasks on one data set; every field is a flag of ``run``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str | None = Field(default=None, description="data set: coco, folder, pairs")
    data_root: str | None = Field(default=None, description="where the data set lies")
    split: str | None = Field(default=None, description="part of the data set, e.g. val2017")
    pair: str | None = Field(
        default=None, description="names of the folders of rainy and clean images, RAINY:CLEAN"
    )
    rain: Words | None = Field(
        default=None,
        description="rains, each NAME or NAME:KEY=VALUE with slashes for a sweep, "
        "physical:rate_mm_h=1/5/25; 'none' among them derains clean images too, 'given' is the "
        "data set's own (default: photoshop-heavy, or given for pairs)",
    )
    derainer: Words = Field(
        default=("identity", "median", "granet"), description="derainers, each NAME or NAME@WEIGHTS"
    )
    task: Words = Field(
        default=("detection",), description="tasks: detection, or none for quality alone"
    )
    model: dict[str, str] = Field(
        default_factory=dict, description="network of a task: TASK=NAME_OR_PATH"
    )
    model_dir: str | None = Field(
        default=None, description="folder in which networks are found by name"
    )
    quality: Words = Field(
        default=("psnr", "ssim"), description="image quality metrics or families"
    )
    protocol: Words = Field(
        default=("matlab-y",), description="protocols of PSNR-Y and SSIM-Y, or all"
    )
    limit: int | None = Field(
        default=None, ge=1, description="only the N images with the smallest sha256(id)"
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of the rain")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto = cuda, else cpu"
    )
    dtype: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32", description="number format of derainers"
    )
    workers: int | None = Field(
        default=None, ge=1, description="images at a time; default: one per core"
    )
    workspace: str = Field(
        default="derain-runs", description="ledger and cached images; a run resumes there"
    )
    cache_gb: float = Field(default=20.0, ge=0, description="room for cached images, oldest out")
    out: str | None = Field(
        default=None, description="folder for results.json, tables, plots and the page"
    )
    max_errors: int = Field(
        default=0, ge=0, description="images that may fail before the exit status is 1"
    )

    def public(self) -> dict[str, Any]:
        """The words as JSON, without folders: no path of this machine leaves in a result."""
        words = self.model_dump(mode="json", exclude={"workspace", "out", "model_dir", "workers"})
        if self.data_root is not None:
            words["data_root"] = _last(self.data_root)
        words["model"] = {task: _last(name) for task, name in self.model.items()}
        words["derainer"] = ["@".join(_last(p) for p in d.split("@", 1)) for d in self.derainer]
        return words


def _last(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def checked(**fields: Any) -> RunSpec:
    """Build a RunSpec.

    Raises:
        UsageError: One line naming the field, what it allows and what it got.
    """
    try:
        return RunSpec(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
        raise UsageError(f"{name}: {first['msg']}, got {first['input']!r}") from error
