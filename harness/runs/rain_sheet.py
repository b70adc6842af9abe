"""Every rain on one photograph, with what it does to PSNR and SSIM."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

from datasets.image import NDArrayByte, decode, shrink
from datasets.rain import RAINS, generator, parse
from harness.runs.sheet_file import require_sheet, write_sheet
from harness.spec import UsageError
from reports.pages.contact_sheet import contact_sheet
from tasks.quality import METRICS

ADDED = (
    "physical:rate_mm_h=5/50/200",
    "physical:rate_mm_h=50+overcast",
    "physical:rate_mm_h=50+overcast+lens",
)
"""Shown beside the table of rains."""
LONGEST_PX = 480
"""The photograph is shrunk to this first, so that every pixel of rain is seen."""


def write_rain_sheet(file: Path, photograph: Path | None) -> None:
    """Write `rain_sheet` as PNG.

    Raises:
        UsageError: If there is no such folder or photograph, or another file in the sheet's place.
        UnreadableImageError: If the photograph is no image.
    """
    require_sheet(file)
    write_sheet(file, rain_sheet(photograph))


def rain_sheet(photograph: Path | None) -> NDArrayByte:
    """The photograph clean, under every row of the table, more rates and layers.

    Args:
        photograph: An image file; None = the street that ultralytics ships, or, without it,
            scikit-image's rocket.

    Raises:
        UsageError: If there is no such file.
        UnreadableImageError: If it is no image.
    """
    file = photograph or _street()
    if not file.is_file():
        raise UsageError(f"--image {file}: no such file")
    clean = shrink(decode(file.read_bytes(), file.name), LONGEST_PX)
    pictures = [(clean, "clean")]
    for name, rain in [*RAINS.items(), *(pair for word in ADDED for pair in parse(word))]:
        rainy = rain.render(clean, generator(0, rain, "sheet"))
        dry = rainy.truth(clean)
        psnr, ssim = (METRICS[m].function(dry, rainy.image) for m in ("psnr_y_db", "ssim_y"))
        pictures.append((rainy.image, f"{name}\nPSNR-Y {psnr:.2f} dB   SSIM-Y {ssim:.3f}"))
    return contact_sheet(pictures)


def _street() -> Path:
    """A photograph that a dependency brings along: no street where ultralytics is absent."""
    with contextlib.suppress(ImportError, ValueError):
        found = importlib.util.find_spec("ultralytics")
        if found is not None and found.origin is not None:
            return Path(found.origin).parent / "assets" / "bus.jpg"
    import skimage

    return Path(skimage.__file__).parent / "data" / "rocket.jpg"
