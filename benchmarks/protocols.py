"""What packages give for one set of pairs under one metric's name: the table of docs/metrics.md.

    python benchmarks/protocols.py --data-root RAIN100L [--limit N] [--json FILE]

The folders `input` and `target` are paired by stem. Every package is called as its documentation
shows first; where an option matters, the row names it. Packages that cannot be imported are absent.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datasets.folder import by_stem
from datasets.image import NDArrayByte, decode
from tasks import quality
from tasks.quality.luma import gray, studio_luma, studio_luma_unrounded
from tasks.quality.niqe import niqe_of_luma
from tasks.quality.uqi import uqi_of_luma

Pair = tuple[NDArrayByte, NDArrayByte]


def mean(values: Sequence[float]) -> float:
    """Per image, then the mean."""
    return math.fsum(values) / len(values)


def pooled_psnr(values: Sequence[float]) -> float:
    """From one mean squared error over the set, for images of one size."""
    return -10 * math.log10(mean([10 ** (-v / 10) for v in values]))


@dataclass(frozen=True)
class Row:
    """One way to compute a metric."""

    metric: str
    name: str
    call: Callable[[NDArrayByte, NDArrayByte], float]
    """Function of (reference, restored)."""
    reduce: Callable[[Sequence[float]], float] = mean


def measured(name: str, a: NDArrayByte, b: NDArrayByte) -> float:
    """A metric of this package."""
    return float(quality.evidence(a, b, (name,))[name])


def ours() -> Iterator[Row]:
    """Our protocols; the first of each metric is what the others are compared with."""
    names = {
        "PSNR": ["psnr_y_db", "psnr_y_db@matlab-y:border_px=4", "psnr_y_db@prenet"],
        "SSIM": ["ssim_y", "ssim_y@matlab-y:border_px=4", "ssim_y@prenet", "ssim_y@pil-y"],
        "FSIM": ["fsimc", "fsim"],
        "UQI": ["uqi"],
        "NIQE": ["niqe"],
        "SSEQ": ["sseq"],
    }
    names["PSNR"] += ["psnr_y_db@pil-y", "psnr_rgb_db", "psnr_rgb_db@dcsfn", "psnr_rgb_db@hrrsr"]
    names["SSIM"] += ["ssim_rgb", "ssim_rgb@dcsfn", "ssim_rgb@hrrsr"]
    for metric, rows in names.items():
        for name in rows:
            yield Row(metric, f"`{name}`", partial(measured, name))
    yield Row(
        "PSNR", "`psnr_y_db`, one MSE over the set", partial(measured, "psnr_y_db"), pooled_psnr
    )
    yield Row("UQI", "`uqi` of rgb2gray", lambda a, b: uqi_of_luma(gray(a), gray(b)))
    yield Row("UQI", "`uqi` of each RGB channel, mean", _uqi_rgb)
    for word, luma in (("studio luma, rounded", studio_luma), ("unrounded", studio_luma_unrounded)):
        yield Row("NIQE", f"`niqe_of_luma`, {word}", partial(_niqe, luma))


def _niqe(luma: Callable[[NDArrayByte], Any], _: NDArrayByte, b: NDArrayByte) -> float:
    return niqe_of_luma(luma(b).astype(float))


def _uqi_rgb(a: NDArrayByte, b: NDArrayByte) -> float:
    return mean([uqi_of_luma(a[..., c], b[..., c]) for c in range(3)])


def scikit_image() -> Iterator[Row]:
    """Rows of scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    gaussian = {"gaussian_weights": True, "sigma": 1.5}
    yield Row("PSNR", "RGB, default", peak_signal_noise_ratio)
    yield Row(
        "SSIM", "RGB, `channel_axis=2`", lambda a, b: structural_similarity(a, b, channel_axis=2)
    )
    yield Row(
        "SSIM",
        "RGB, `gaussian_weights=True, sigma=1.5`",
        lambda a, b: structural_similarity(a, b, channel_axis=2, **gaussian),
    )
    for word, options in (
        ("default", {}),
        ("`gaussian_weights=True, sigma=1.5`", gaussian),
        (
            "`gaussian_weights=True, sigma=1.5, use_sample_covariance=False`",
            {**gaussian, "use_sample_covariance": False},
        ),
    ):
        yield Row("SSIM", f"studio luma, {word}", partial(_ssim_y, options))


def _ssim_y(options: dict[str, Any], a: NDArrayByte, b: NDArrayByte) -> Any:
    from skimage.metrics import structural_similarity

    return structural_similarity(studio_luma(a), studio_luma(b), **options)


def tensor(image: NDArrayByte) -> Any:
    """``float32 (1, C, H, W)`` in [0, 1]."""
    import torch

    planes = image if image.ndim == 3 else image[..., None]
    return torch.from_numpy(np.ascontiguousarray(planes)).permute(2, 0, 1)[None].float() / 255


def of_tensors(call: Callable[..., Any], a: NDArrayByte, b: NDArrayByte, **options: Any) -> float:
    """A PyTorch metric of (restored, reference)."""
    return float(call(tensor(b), tensor(a), **options))


def torchmetrics() -> Iterator[Row]:
    """Rows of torchmetrics."""
    from torchmetrics.functional import image

    psnr = partial(of_tensors, image.peak_signal_noise_ratio, data_range=1.0)
    yield Row("PSNR", "RGB, `PeakSignalNoiseRatio`: one MSE over the set", psnr, pooled_psnr)
    ssim = image.structural_similarity_index_measure
    yield Row("SSIM", "RGB, default", partial(of_tensors, ssim, data_range=1.0))
    yield Row("UQI", "RGB, default", partial(of_tensors, image.universal_image_quality_index))


def piq() -> Iterator[Row]:
    """Rows of piq."""
    import piq

    yield Row("PSNR", "RGB, default", partial(of_tensors, piq.psnr))
    yield Row(
        "PSNR",
        "`convert_to_greyscale=True`",
        partial(of_tensors, piq.psnr, convert_to_greyscale=True),
    )
    yield Row("SSIM", "RGB, default", partial(of_tensors, piq.ssim))
    yield Row("SSIM", "RGB, `downsample=False`", partial(of_tensors, piq.ssim, downsample=False))
    yield Row("FSIM", "default", partial(of_tensors, piq.fsim))
    yield Row("FSIM", "`chromatic=False`", partial(of_tensors, piq.fsim, chromatic=False))


def pyiqa() -> Iterator[Row]:
    """Rows of pyiqa; NIQE with the model of the LIVE release, which it would download."""
    import pyiqa
    from scipy.io import savemat

    model = Path(tempfile.mkdtemp()) / "model.mat"
    with np.load(Path(quality.__file__).with_name("niqe_pristine.npz")) as pristine:
        content = {"mu_prisparam": pristine["mean"][None], "cov_prisparam": pristine["covariance"]}
    savemat(model, content)
    create = partial(pyiqa.create_metric, device="cpu")
    for metric, name in (
        ("PSNR", "psnr"),
        ("PSNR", "psnry"),
        ("SSIM", "ssim"),
        ("SSIM", "ssimc"),
        ("FSIM", "fsim"),
    ):
        yield Row(metric, f"`{name}`", partial(of_tensors, create(name)))
    niqe = create("niqe", pretrained_model_path=str(model))
    yield Row("NIQE", "`niqe`", lambda _, b: float(niqe(tensor(b))))


def basicsr() -> Iterator[Row]:
    """Rows of BasicSR."""
    from basicsr.metrics.niqe import calculate_niqe
    from basicsr.metrics.psnr_ssim import calculate_psnr, calculate_ssim

    def of_bgr(call: Callable[..., Any], a: NDArrayByte, b: NDArrayByte, **options: Any) -> float:
        return float(call(b[..., ::-1].copy(), a[..., ::-1].copy(), 0, **options))

    for metric, call in (("PSNR", calculate_psnr), ("SSIM", calculate_ssim)):
        yield Row(metric, "RGB, default", partial(of_bgr, call))
        yield Row(metric, "`test_y_channel=True`", partial(of_bgr, call, test_y_channel=True))
    yield Row(
        "NIQE",
        "default",
        lambda _, b: float(np.squeeze(calculate_niqe(b[..., ::-1].copy(), 0))),
    )


def score(row: Row, pairs: Sequence[Pair]) -> float:
    """The set's value, by several images at once."""
    with ThreadPoolExecutor() as pool:
        return row.reduce(list(pool.map(lambda pair: float(row.call(*pair)), pairs)))


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-root", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N pairs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    rainy, clean = (by_stem(arguments.data_root / name) for name in ("input", "target"))
    pairs = [
        (decode(clean[stem].read_bytes(), stem), decode(file.read_bytes(), stem))
        for stem, file in list(rainy.items())[: arguments.limit]
    ]
    rows = [("derain-harness", row) for row in ours()]
    for peer in (scikit_image, torchmetrics, piq, pyiqa, basicsr):
        try:
            rows += [(peer.__name__.replace("_", "-"), row) for row in peer()]
        except ImportError as error:
            print(f"{peer.__name__} absent: {error}", file=sys.stderr)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    found: list[dict[str, Any]] = []
    print("| metric | package | as called | value | against ours |\n|" + " --- |" * 5)
    for metric in dict.fromkeys(row.metric for _, row in rows):
        first = math.nan
        for package, row in rows:
            if row.metric == metric:
                value = score(row, pairs)
                first = value if math.isnan(first) else first
                found.append({"metric": metric, "package": package, "call": row.name})
                found[-1] |= {"value": value, "difference": value - first}
                digits = 3 if metric in ("PSNR", "NIQE", "SSEQ") else 4
                cells = f"{value:.{digits}f} | {value - first:+.{digits}f}"
                print(f"| {metric} | {package} | {row.name} | {cells} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"n": len(pairs), "rows": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
