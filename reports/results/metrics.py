"""What tables must know of a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.results.results import Results

FEW_FOR_AP = 1000
"""Below as many images, AP over many classes is biased when resampled; pooled AP is not."""


def primary(results: Results, task: str) -> str | None:
    """The metric on which a task's verdicts are given; None if the run does not hold it."""
    have = [r.metric for r in results.records if r.task == task]
    n = max((r.n for r in results.records), default=0)
    name = {
        "detection": "ap_pooled" if n < FEW_FOR_AP else "ap",
        "instance": "mask_ap",
        "semantic": "miou",
        "quality": "psnr_y_db",
    }.get(task)
    return next((m for m in have if m.partition("@")[0] == name), None)


COLUMNS = {
    "detection": ("ap", "ap50", "ap_pooled"),
    "instance": ("mask_ap", "mask_ap50", "mask_ap_pooled", "box_ap"),
    "semantic": ("miou", "mpa", "pixel_accuracy"),
    "quality": ("psnr_y_db", "ssim_y", "fsimc", "uqi", "niqe", "sseq"),
}
"""Metrics of the summary, by task; other protocols of them, or what else there is, follow."""
TITLES = {
    "ap": "AP",
    "ap50": "AP50",
    "ap_pooled": "AP pooled",
    "mask_ap": "mask AP",
    "mask_ap50": "mask AP50",
    "mask_ap_pooled": "mask AP pooled",
    "box_ap": "box AP",
    "miou": "mIoU",
    "mpa": "mPA",
    "pixel_accuracy": "pixel accuracy",
    "f1": "F1",
    "psnr_y_db": "PSNR-Y [dB]",
    "psnr_rgb_db": "PSNR-RGB [dB]",
    "ssim_y": "SSIM-Y",
    "ssim_rgb": "SSIM-RGB",
    "fsim": "FSIM",
    "fsimc": "FSIMc",
    "uqi": "UQI",
    "niqe": "NIQE",
    "sseq": "SSEQ",
}
LOWER_IS_BETTER = ("niqe", "sseq")
PRIMARY = ("ap_pooled", "mask_ap_pooled", "miou", "psnr_y_db")
"""Metrics whose paired difference to the rainy input is shown."""


def metrics(results: Results) -> list[tuple[str, str]]:
    """(task, metric) of the summary that the run holds."""
    have = list(dict.fromkeys((r.task, r.metric) for r in results.records))
    held = set(have)
    shown = [(t, m) for t, names in COLUMNS.items() for m in names if (t, m) in held]
    alone = {t for t, _ in have} - {t for t, _ in shown}
    others = [(t, m) for t, m in have if base(m) in TITLES and ("@" in m or t in alone)]
    return shown + others


def base(metric: str) -> str:
    """A metric's name without its protocol."""
    return metric.partition("@")[0]


def title(metric: str) -> str:
    """Heading of a metric."""
    protocol = metric.partition("@")[2]
    return TITLES[base(metric)] + (f" {protocol}" if protocol else "")
