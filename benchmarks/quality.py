"""Image quality metrics beside public packages: values first, then milliseconds of a core.

    python benchmarks/quality.py [--json FILE] [--rounds 5]

Peers that cannot be imported are told as absent. Every candidate gets the same pair of 1280x720;
peers that take luma get it ready made. A candidate whose value is off is not timed, and the exit
status is 1. Ours is timed as runs use it, where the clean image is known from what was compared
with it before, and at a first look. Times are the processor's, of one image on one thread, which
other work on the machine moves least; candidates take turns, the best round counts. The limit is
what one core would take at least: the operations of a metric's filters at the speed of this
machine's matrix product in single precision, or its bytes at the speed of a copy.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.data import coffee

from datasets.image import NDArrayByte, decode, encode_png
from tasks import quality
from tasks.quality.luma import gray, studio_luma
from tasks.quality.niqe import niqe_of_luma

OURS = "derain-harness"
SIZE_PX = 1280, 720
YRGB = "psnr and ssim, Y and RGB"
FOUR = ("psnr_y_db", "psnr_rgb_db", "ssim_y", "ssim_rgb")
OPERATIONS = {
    "psnr_y_db": 5 + 3,
    "ssim_y": 5 + 3 * 44 + 20,
    YRGB: 5 + 4 * (3 * 44 + 20 + 3),
    "fsimc": 2 * 5 + (17 * 5 * 17 + 16 * 12 + 80) / 9,
    "niqe": 5 + (2 * 28 + 8 + 5 * 8) * 1.25,
    "uqi": 5 + 2 * 4 + 12,
}
"""Of each pixel of the restored image, the clean one known: luma, then two for each tap of both
passes of a filter (SSIM has three of 11 taps, NIQE two of 7 at two sizes), 5 log2(n) for each of
the 17 Fourier transforms of FSIM, on a ninth of the pixels, and the formula's own."""
BYTES = 2 * 3
"""Of each pixel of both images."""


@dataclass(frozen=True)
class Candidate:
    """One implementation of one metric."""

    metric: str
    package: str
    call: Callable[[], float]
    tolerance: float = 0.0
    """Difference to our value that its own number format and constants explain."""


def pair() -> tuple[NDArrayByte, NDArrayByte]:
    """A photograph that scikit-image ships, enlarged, and the same with noise."""
    clean = np.asarray(cv2.resize(coffee(), SIZE_PX, interpolation=cv2.INTER_CUBIC), np.uint8)
    noise = np.random.default_rng(0).normal(0, 8, clean.shape)
    return clean, np.clip(clean + noise, 0, 255).astype(np.uint8)


def ours(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """What this package does, from RGB; and what reading the two files costs."""
    files, known = [encode_png(image) for image in (a, b)], quality.Planes(a)

    def metric(clean: quality.Image, *names: str) -> Callable[[], float]:
        return lambda: sum(float(v) for v in quality.evidence(clean, b, names).values())

    for name in ("psnr_y_db", "ssim_y", YRGB, "fsimc", "niqe", "uqi"):
        names = FOUR if name == YRGB else (name,)
        yield Candidate(name, OURS, metric(known, *names))
        yield Candidate(name, f"{OURS}, at first", metric(a, *names), 1e-12)

    def read_first() -> float:
        for file in files:
            decode(file, "")
        return metric(a, "psnr_y_db")()

    yield Candidate("psnr_y_db", "reading both PNG files", read_first)


def scikit_image(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """PSNR and SSIM of our luma with the same options."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    x, y = studio_luma(a), studio_luma(b)
    same = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    yield Candidate(
        "ssim_y",
        "scikit-image",
        lambda: float(structural_similarity(x, y, data_range=255, **same)),
        1e-6,
    )
    yield Candidate(
        "psnr_y_db",
        "scikit-image",
        lambda: float(peak_signal_noise_ratio(x, y, data_range=255)),
        1e-9,
    )

    def four() -> float:
        return float(
            sum(
                peak_signal_noise_ratio(*pair, data_range=255)
                + structural_similarity(*pair, data_range=255, channel_axis=axis, **same)
                for pair, axis in (((x, y), None), ((a, b), 2))
            )
        )

    yield Candidate(YRGB, "scikit-image", four, 4e-6)


def tensors(*images: NDArrayByte) -> list[Any]:
    """Images as ``float32 (1, C, H, W)`` in [0, 1]."""
    import torch

    planes = [image if image.ndim == 3 else image[..., None] for image in images]
    return [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in planes]


def piq(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """SSIM of our luma without its down-sampling, FSIMc; float32."""
    import piq

    x, y = tensors(studio_luma(a), studio_luma(b))
    u, v = tensors(a, b)
    yield Candidate("ssim_y", "piq", lambda: float(piq.ssim(x, y, downsample=False)), 1e-4)
    yield Candidate("fsimc", "piq", lambda: float(piq.fsim(u, v)), 5e-3)


def torchmetrics(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """SSIM of our luma; its border is mirrored and then cut."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, y = tensors(studio_luma(a), studio_luma(b))
    yield Candidate(
        "ssim_y",
        "torchmetrics",
        lambda: float(structural_similarity_index_measure(x, y, data_range=1.0)),
        1e-3,
    )


def pyiqa(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """SSIM of our luma, FSIMc, and NIQE of rgb2gray with the same pristine model."""
    import pyiqa
    from scipy.io import savemat

    model = Path(tempfile.mkdtemp()) / "model.mat"
    with np.load(Path(quality.__file__).with_name("niqe_pristine.npz")) as pristine:
        content = {"mu_prisparam": pristine["mean"][None], "cov_prisparam": pristine["covariance"]}
    savemat(model, content)
    as_rgb = [
        np.repeat(luma[..., None], 3, 2) for luma in (studio_luma(a), studio_luma(b), gray(b))
    ]
    x, y, z = tensors(*as_rgb)
    u, v = tensors(a, b)
    ssim, fsim = (pyiqa.create_metric(name, device="cpu") for name in ("ssim", "fsim"))
    niqe = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(model))
    yield Candidate("ssim_y", "pyiqa", lambda: float(ssim(y, x)), 1e-4)
    yield Candidate("fsimc", "pyiqa", lambda: float(fsim(v, u)), 5e-3)
    yield Candidate("niqe", "pyiqa", lambda: float(niqe(z)), 0.05)


def basicsr(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """SSIM of luma that it makes itself and does not round; NIQE of ours."""
    from basicsr.metrics.niqe import calculate_niqe
    from basicsr.metrics.psnr_ssim import calculate_ssim

    z = gray(b).astype(np.float32)
    bgr = [np.ascontiguousarray(image[..., ::-1]) for image in (a, b)]
    yield Candidate(
        "ssim_y", "basicsr", lambda: float(calculate_ssim(*bgr, 0, test_y_channel=True)), 2e-3
    )
    yield Candidate(
        "niqe", "basicsr", lambda: float(np.squeeze(calculate_niqe(z, 0, input_order="HW"))), 0.05
    )
    assert abs(niqe_of_luma(z.astype(np.float64)) - quality.METRICS["niqe"].function(b)) < 1e-9


def milliseconds(call: Callable[[], Any]) -> float:
    """The processor's, of one call."""
    begun = time.process_time()
    call()
    return 1000 * (time.process_time() - begun)


def limits() -> dict[str, float]:
    """Milliseconds that a core takes at least for each metric."""
    side, mib = 1024, 2**20
    a, source, target = np.ones((side, side), np.float32), np.ones(64 * mib), np.empty(64 * mib)
    operations_per_ms = 2 * side**3 / min(milliseconds(lambda: a @ a) for _ in range(5))
    copy_ms = min(milliseconds(lambda: np.copyto(target, source)) for _ in range(3))
    pixels = SIZE_PX[0] * SIZE_PX[1]
    return {
        name: pixels * max(each / operations_per_ms, BYTES * copy_ms / source.nbytes)
        for name, each in OPERATIONS.items()
    }


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each candidate and each absent peer."""
    clean, noisy = pair()
    rows: list[dict[str, Any]] = []
    candidates = list(ours(clean, noisy))
    for peer in (scikit_image, piq, torchmetrics, pyiqa, basicsr):
        try:
            candidates += peer(clean, noisy)
        except ImportError as error:
            rows.append({"package": peer.__name__, "absent": str(error)})
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    wanted = {c.metric: c.call() for c in candidates if c.package == OURS}
    good = []
    for candidate in candidates:
        value = candidate.call()
        difference = value - wanted[candidate.metric]
        row: dict[str, Any] = {
            "metric": candidate.metric,
            "package": candidate.package,
            "value": value,
        }
        row |= {"difference": difference, "equal": abs(difference) <= candidate.tolerance}
        rows.append(row)
        if row["equal"]:
            good.append((candidate, row))
    for _ in range(rounds):
        for candidate, row in good:
            row["ms"] = min(row.get("ms", math.inf), milliseconds(candidate.call))
    mine = {row["metric"]: row["ms"] for _, row in good if row["package"] == OURS}
    least = limits()
    for _, row in good:
        row["ours_times_as_fast"] = row["ms"] / mine[row["metric"]]
        row["of_limit"] = row["ms"] / least[row["metric"]]
    return sorted(rows, key=lambda r: (r.get("metric", "~"), r.get("ms", 0)))


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    rows = measure(arguments.rounds)
    print(f"{SIZE_PX[0]}x{SIZE_PX[1]}, one thread, {platform.machine()}\n")
    print("| metric | package | value | difference | ms | ours is × as fast | × the limit |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        if "absent" in row:
            print(f"| – | {row['package']} | absent: {row['absent']} | – | – | – | – |")
            continue
        start = (
            f"| {row['metric']} | {row['package']} | {row['value']:.6f} | {row['difference']:+.1e} "
        )
        if "ms" in row:
            factors = f"{row['ours_times_as_fast']:.1f} | {row['of_limit']:.0f}"
            print(f"{start}| {row['ms']:.1f} | {factors} |")
        else:
            print(f"{start}| values differ: not timed | – | – |")
    if arguments.json:
        content = {"size_px": SIZE_PX, "rows": rows}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(row.get("equal", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
