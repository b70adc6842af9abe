"""Every metric of image quality, with its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from datasets.installed import Table
from tasks.quality import pyiqa
from tasks.quality.fsim import fsim, fsimc
from tasks.quality.niqe import niqe
from tasks.quality.psnr import (
    psnr_rgb_db,
    psnr_rgb_db_dcsfn,
    psnr_y_db,
    psnr_y_db_pil,
    psnr_y_db_prenet,
)
from tasks.quality.sseq import missing as sseq_missing
from tasks.quality.sseq import sseq
from tasks.quality.ssim import (
    ssim_rgb,
    ssim_rgb_dcsfn,
    ssim_rgb_hrrsr,
    ssim_y,
    ssim_y_pil,
    ssim_y_prenet,
)
from tasks.quality.uqi import uqi
from tasks.task import MetricRow, Unit

Quantise = Literal["round", "truncate", "none"]


@dataclass(frozen=True)
class Metric:
    """One number of one image, with its protocol."""

    function: Callable[..., float]
    """Takes (reference, restored), or (restored) alone; NaN where it is undefined. `OfPlanes` share
    what several metrics make of an image."""
    title: str
    """Heading in tables, without unit and protocol."""
    version: int = 1
    """Raised whenever the same images give another number."""
    quantise: Quantise = "round"
    """How the restored image becomes bytes before it is judged; ``none`` hands over the float."""
    unit: Unit = "fraction"
    reference: bool = True
    """Whether it compares with a clean image."""
    higher_is_better: bool = True
    undefined: str = "images too small"
    """Which images have no such number."""
    caption: str | None = None
    """What it computes, where it has one protocol alone; the others' captions are `PROTOCOLS`."""
    missing: Callable[[], str | None] = lambda: None
    """What it needs and does not find here, with the remedy; None if nothing."""
    border_px: int = 0
    """Rows and columns cut off at each side of both images."""
    is_column: bool = True
    """Whether the main table shows it; else it stands there only where no other metric does."""
    is_judged: bool = False
    """Whether ``regress OLD NEW`` judges it unasked."""
    origin: str | None = None
    """The installed package that adds the row, see `datasets.installed`; None = ours."""


METRICS: Table[Metric] = Table(
    "metrics",
    Metric,
    {
        "psnr_y_db": Metric(psnr_y_db, "PSNR-Y", unit="dB", is_judged=True),
        "psnr_rgb_db": Metric(psnr_rgb_db, "PSNR-RGB", unit="dB", is_column=False),
        "ssim_y": Metric(ssim_y, "SSIM-Y", version=3, is_judged=True),
        "ssim_rgb": Metric(ssim_rgb, "SSIM-RGB", version=3, is_column=False),
        "psnr_y_db@prenet": Metric(
            psnr_y_db_prenet, "PSNR-Y", version=2, quantise="truncate", unit="dB", is_judged=True
        ),
        "ssim_y@prenet": Metric(
            ssim_y_prenet, "SSIM-Y", version=3, quantise="truncate", is_judged=True
        ),
        "psnr_y_db@pil-y": Metric(
            psnr_y_db_pil, "PSNR-Y", quantise="truncate", unit="dB", is_judged=True
        ),
        "ssim_y@pil-y": Metric(
            ssim_y_pil, "SSIM-Y", version=3, quantise="truncate", is_judged=True
        ),
        "psnr_rgb_db@dcsfn": Metric(psnr_rgb_db_dcsfn, "PSNR-RGB", quantise="none", unit="dB"),
        "ssim_rgb@dcsfn": Metric(ssim_rgb_dcsfn, "SSIM-RGB", version=2, quantise="none"),
        "psnr_rgb_db@hrrsr": Metric(psnr_rgb_db, "PSNR-RGB", quantise="truncate", unit="dB"),
        "ssim_rgb@hrrsr": Metric(ssim_rgb_hrrsr, "SSIM-RGB", version=2, quantise="truncate"),
        "fsim": Metric(
            fsim,
            "FSIM",
            version=2,
            is_column=False,
            undefined="images with a constant luma, or smaller than 6 px",
            caption="luma alone, automatic down-sampling, as the authors' FeatureSIM.m",
        ),
        "fsimc": Metric(
            fsimc,
            "FSIMc",
            version=2,
            undefined="images with a constant luma, or smaller than 6 px",
            caption="luma and colour, automatic down-sampling, as the authors' FeatureSIM.m",
        ),
        "uqi": Metric(uqi, "UQI", caption="studio luma rounded to bytes, uniform 8x8 window"),
        "niqe": Metric(
            niqe,
            "NIQE",
            unit="score",
            reference=False,
            higher_is_better=False,
            undefined="images with fewer than two 96x96 blocks that have structure",
            caption="lower is better; model of the LIVE release, rgb2gray, 96x96 blocks",
        ),
        "sseq": Metric(
            sseq,
            "SSEQ",
            unit="score",
            reference=False,
            higher_is_better=False,
            undefined="images whose 8x8 blocks are all alike",
            caption="lower is better; model of the LIVE release, rgb2gray",
            missing=sseq_missing,
        ),
    },
)
"""Every metric, literally, and those of installed packages; another protocol than ``matlab-y`` is
a suffix."""

PROTOCOLS: dict[str, str] = {
    "matlab-y": "BT.601 studio luma rounded to bytes, Gaussian 11x11 window, restored image "
    "rounded to bytes",
    "prenet": "unrounded studio luma, Wang's automatic down-sampling, restored image truncated",
    "pil-y": "full-range 8-bit luma, uniform 7x7 window, restored image truncated",
    "dcsfn": "RGB, restored image as floats, Gaussian 11x11 window with zeros around the image",
    "hrrsr": "RGB, uniform 7x7 window, restored image truncated",
}
"""Every protocol of PSNR and SSIM, literally, with what it does: the only captions there are."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr_y_db", "psnr_rgb_db"),
    "ssim": ("ssim_y", "ssim_rgb"),
    "fsim": ("fsim", "fsimc"),
    "none": (),
}
"""Words for several metrics; ``all`` are those without a suffix."""

_BORDER = ":border_px="


def metric(name: str) -> Metric:
    """The metric of a name that `chosen` gave."""
    if name.startswith(pyiqa.PREFIX):
        return _of_pyiqa(name.removeprefix(pyiqa.PREFIX))
    border = name.partition(_BORDER)[2]
    found = METRICS[literal(name)]
    return replace(found, border_px=int(border), is_column=True) if border else found


def _of_pyiqa(name: str) -> Metric:
    """A metric of pyiqa's, with the direction that pyiqa says."""
    told = pyiqa.told(name)
    kind = "against the clean image" if told.reference else "without a clean image"
    better = "higher" if told.higher_is_better else "lower"
    weights = f", weights {told.weights[:12]}" if told.weights else ""
    return Metric(
        partial(pyiqa.judge, name),
        f"pyiqa {name}",
        unit="fraction" if told.is_fraction else "score",
        reference=told.reference,
        higher_is_better=told.higher_is_better,
        undefined="images of which pyiqa makes no number",
        caption=f"{kind}, pyiqa {told.version}{weights}, {better} is better",
        origin=told.origin,
    )


def literal(name: str) -> str:
    """The row of a metric that `chosen` gave: its name without a border."""
    return name.partition("/")[0].partition(_BORDER)[0].removesuffix("@matlab-y")


def metric_row(name: str) -> MetricRow:
    """What tables must know of a metric that `chosen` gave."""
    found, protocol = metric(name), name.partition("@")[2]
    return MetricRow(
        title=f"{found.title} {protocol}" if protocol else found.title,
        unit=found.unit,
        higher_is_better=found.higher_is_better,
        caption="; ".join(f"{about}: {text}" for about, text in captions([name]).items()),
        is_column=found.is_column,
        is_judged=found.is_judged,
    )


def version(name: str) -> int:
    """Version for keys: negative where what the metric needs is missing, so that it is not kept."""
    found = metric(name)
    return found.version if found.missing() is None else -found.version


def chosen(words: Sequence[str], protocols: Sequence[str] = ("matlab-y",)) -> tuple[str, ...]:
    """Metrics that the words name under the protocols, in the table's order.

    Args:
        words: Names of `METRICS` without a suffix, of `FAMILIES`, ``all``, or ``pyiqa:NAME``.
        protocols: Of `PROTOCOLS`, or ``all``; each may carry ``:border_px=N``. Metrics that have
            one protocol alone come along under any, and no border is cut off for them.

    Raises:
        ValueError: For an unknown word or protocol; known ones are listed.
        TaskError: Where pyiqa is not there or does not know its metric.
    """
    foreign = tuple(dict.fromkeys(w for w in words if w.startswith(pyiqa.PREFIX)))
    if foreign:
        pyiqa.renew()
    for word in foreign:
        metric(word)  # what cannot be used is told before any work
    return (*_of_ours([w for w in words if w not in foreign], protocols), *foreign)


def _of_ours(words: Sequence[str], protocols: Sequence[str]) -> tuple[str, ...]:
    """The metrics of the table that words name."""
    wanted: set[str] = set()
    single = tuple(name for name in METRICS if "@" not in name)
    families = FAMILIES | {"all": single}
    for word in words:
        if word not in single and word not in families:
            known = ", ".join([*families, *single, f"{pyiqa.PREFIX}NAME"])
            raise ValueError(f"unknown quality metric '{word}': choose among {known}")
        wanted.update(families.get(word, (word,)))
    borders = [pair for word in protocols for pair in _protocols(word)]
    names = []
    for row, found in METRICS.items():
        base, _, protocol = row.partition("@")
        if base not in wanted:
            continue
        if found.caption is not None:
            names.append(row)
            continue
        for border in dict.fromkeys(b for p, b in borders if p == (protocol or "matlab-y")):
            suffix = f"@{protocol or 'matlab-y'}{_BORDER}{border}"
            names.append(base + suffix if border else row)
    if wanted and not names:
        raise ValueError(
            f"the protocols {', '.join(protocols)} have no {', '.join(sorted(wanted))}"
        )
    return tuple(names)


def _protocols(word: str) -> list[tuple[str, int]]:
    """Protocols and the border that a word names."""
    name, colon, options = word.partition(":")
    if name not in PROTOCOLS and name != "all":
        known = ", ".join([*PROTOCOLS, "all"])
        raise ValueError(f"unknown protocol '{name}': choose among {known}")
    key, _, border = options.partition("=")
    if colon and (key != "border_px" or not border.isdecimal()):
        raise ValueError(f"protocol '{word}': expected {name}:border_px=N, N pixels to cut off")
    return [(each, int(border or 0)) for each in (PROTOCOLS if name == "all" else (name,))]


def captions(names: Iterable[str]) -> dict[str, str]:
    """What the protocols of metrics are, by protocol, or by metric where it has one alone."""
    said = {}
    rows = {name: metric(name) for name in names}
    whole = ", of the whole image" if any(row.border_px for row in rows.values()) else ""
    for name, found in rows.items():
        protocol = name.partition("@")[2] or "matlab-y"
        if found.caption is not None:
            said[name] = found.caption + whole
        else:
            cut = f", {found.border_px} px cut off at each side" if found.border_px else ""
            said[protocol] = PROTOCOLS[protocol.partition(":")[0]] + cut
    return said


def needs_float(names: Iterable[str]) -> bool:
    """Whether a metric judges other values than a saved file would hold."""
    return any(metric(m).quantise != "round" for m in names)
