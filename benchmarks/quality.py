"""Image quality metrics beside public packages: values first, then images per second.

    python benchmarks/quality.py [--json FILE] [--rounds 3]

Peers that cannot be imported are told as absent. Every candidate gets the same pair of 1280x720;
peers that take luma get it ready made. A candidate whose value is off is not timed, and the exit
status is 1. Throughput is the better of two ways: images on as many threads as there are cores, and
one image at a time with the package's own threads. Candidates take turns, the best round counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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

CORES = os.cpu_count() or 1
SIZE_PX = 1280, 720
ROUND_S = 0.4
"""Time of one measurement, unless an image alone takes longer."""


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
    files = [encode_png(image) for image in (a, b)]

    def metric(name: str) -> Callable[[], float]:
        return lambda: float(quality.evidence(a, b, (name,))[name])

    for name in ("psnr_y_db", "ssim_y", "fsimc", "niqe", "uqi"):
        yield Candidate(name, "derain-harness", metric(name))
    yield Candidate(
        "psnr_y_db",
        "reading both PNG files",
        lambda: [decode(file, "") for file in files] and metric("psnr_y_db")(),
    )


def scikit_image(a: NDArrayByte, b: NDArrayByte) -> Iterator[Candidate]:
    """PSNR and SSIM of our luma with the same options."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    x, y = studio_luma(a), studio_luma(b)
    same = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    yield Candidate(
        "ssim_y",
        "scikit-image",
        lambda: float(structural_similarity(x, y, data_range=255, **same)),
        1e-9,
    )
    yield Candidate(
        "psnr_y_db",
        "scikit-image",
        lambda: float(peak_signal_noise_ratio(x, y, data_range=255)),
        1e-9,
    )


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


def seconds(call: Callable[[], float], images: int, *, pooled: bool) -> float:
    """Per image, of several images: on all cores at once, or one after the other."""
    _threads(1 if pooled else CORES)
    start = time.perf_counter()
    if pooled:
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda _: call(), range(images)))
    else:
        for _ in range(images):
            call()
    return (time.perf_counter() - start) / images


def _threads(n: int) -> None:
    cv2.setNumThreads(n)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each candidate and each absent peer."""
    clean, noisy = pair()
    candidates, rows = list(ours(clean, noisy)), []
    for peer in (scikit_image, piq, torchmetrics, pyiqa, basicsr):
        try:
            candidates += peer(clean, noisy)
        except ImportError as error:
            rows.append({"package": peer.__name__, "absent": str(error)})
    wanted = {c.metric: c.call() for c in reversed(candidates) if c.package == "derain-harness"}
    good = []
    for candidate in candidates:
        start = time.perf_counter()
        value = candidate.call()
        images = CORES * max(1, round(ROUND_S / (time.perf_counter() - start) / CORES))
        difference = value - wanted[candidate.metric]
        row = {"metric": candidate.metric, "package": candidate.package, "value": value}
        row |= {"difference": difference, "equal": abs(difference) <= candidate.tolerance}
        rows.append(row)
        if row["equal"]:
            good.append((candidate, images, row))
    for _ in range(rounds):
        for candidate, images, row in good:
            best = min(seconds(candidate.call, images, pooled=pooled) for pooled in (True, False))
            row["images_per_s"] = max(row.get("images_per_s", 0), 1 / best)
    mine = {r["metric"]: r["images_per_s"] for _, _, r in good if r["package"] == "derain-harness"}
    for _, _, row in good:
        row["ours_times_as_fast"] = mine[row["metric"]] / row["images_per_s"]
    return sorted(rows, key=lambda r: (r.get("metric", "~"), -r.get("images_per_s", 0)))


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = measure(arguments.rounds)
    print(f"{SIZE_PX[0]}x{SIZE_PX[1]}, {CORES} cores, {platform.machine()}\n")
    print("| metric | package | value | difference | images/s | ours is × as fast |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        if "absent" in row:
            print(f"| – | {row['package']} | absent: {row['absent']} | – | – | – |")
        elif "images_per_s" not in row:
            print(
                f"| {row['metric']} | {row['package']} | {row['value']:.6f} | "
                f"{row['difference']:+.1e} | values differ: not timed | – |"
            )
        else:
            print(
                f"| {row['metric']} | {row['package']} | {row['value']:.6f} | "
                f"{row['difference']:+.1e} | {row['images_per_s']:.1f} | "
                f"{row['ours_times_as_fast']:.1f} |"
            )
    if arguments.json:
        content = {"size_px": SIZE_PX, "cores": CORES, "rows": rows}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(row.get("equal", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
