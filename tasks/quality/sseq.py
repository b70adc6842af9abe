"""Spatial-spectral entropy of one image without a reference; lower is better. A set's is the mean.

In 8x8 blocks at three sizes, each half of the one before, the entropy of the 64 values and that of
the powers of their cosine transform (without the mean) are taken. Of each kind, the mean of the
middle 60 % of blocks and the skewness of all are features: twelve in all. A support vector machine
gives the probabilities p of five distortions and the score q under each; SSEQ = 50 + 50 sum(p q).

The machine is the authors', trained on the LIVE database; its file is not part of this package.

Reference:
    Liu, Liu, Huang, Bovik, "No-reference image quality assessment based on spatial and spectral
    entropies", Signal Processing: Image Communication 29(8), 2014,
    doi:10.1016/j.image.2014.06.006; constants as in the authors' MATLAB release. Probabilities of
    several classes: Wu, Lin, Weng, "Probability Estimates for Multi-class Classification by
    Pairwise Coupling", JMLR 5, 2004, algorithm 2, with the limits of LIBSVM, which the release
    calls: Chang, Lin, ACM TIST 2(3), 2011, doi:10.1145/1961189.1961199.
"""

from __future__ import annotations

import hashlib
import math
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.halve import halve_bytes
from tasks.quality.luma import gray
from tasks.quality.planes import OfPlanes, Planes

MODEL_SHA256 = "69c1472fbabb10714ecea21cebbf84c08580cacb4bb9858a8a231aabf124561e"
"""Digest of ``model.mat`` in the release."""
SIDE_PX = 8
SIZES = 3
_NOTHING = 1e-8
"""What the release puts in place of a vanishing share, and of the transform's mean."""


@OfPlanes
def sseq(restored: Planes) -> float:
    """SSEQ with the machine of `model_file`.

    Args:
        restored: ``uint8 (H, W, 3) RGB``.

    Returns:
        About 0 (best) to 100; NaN where the entropies have no skewness (all blocks alike, or a
        single one), and where no machine is there.
    """
    file = model_file()
    if file is None:
        return math.nan
    found = features(restored.image)
    return score(found, file) if np.isfinite(found).all() else math.nan


def model_file() -> Path | None:
    """``model.mat`` of the authors' release, None where it is not found.

    ``DERAIN_HARNESS_SSEQ_MODEL`` names the file; without it, it is looked for in
    ``reference/sseq`` of ``DERAIN_HARNESS_DATA``. A file of another content is not taken, since the
    same image would score otherwise under the same name.
    """
    named, data = (os.environ.get(f"DERAIN_HARNESS_{k}") for k in ("SSEQ_MODEL", "DATA"))
    if not named and not data:
        return None
    file = Path(named) if named else Path(data or "", "reference", "sseq", "model.mat")
    return file if _is_release(file) else None


def missing() -> str | None:
    """What to do where there is no machine."""
    if model_file() is not None:
        return None
    return (
        "no model here: python -m harness fetch sseq-model, or set DERAIN_HARNESS_SSEQ_MODEL to "
        "model.mat of SSEQ_release.zip (live.ece.utexas.edu/research/quality)"
    )


@lru_cache(maxsize=4)
def _is_release(file: Path) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == MODEL_SHA256


def features(image: NDArrayByte) -> NDArray[np.float64]:
    """``(12,)``: mean and skewness of spatial, then of spectral entropies, size by size."""
    luma, found = gray(image), []
    for _ in range(SIZES):
        blocks = _blocks(luma)
        for entropies in (_spatial_entropies(blocks), _spectral_entropies(blocks)):
            found += [_middle_mean(entropies), _skewness(entropies)]
        luma = halve_bytes(luma)
    return np.array(found)


def _blocks(luma: NDArrayByte) -> NDArrayByte:
    """``(blocks, 64)``; zeros fill the last blocks."""
    more = [(0, -n % SIDE_PX) for n in luma.shape]
    full = np.pad(luma, more)
    rows, columns = full.shape[0] // SIDE_PX, full.shape[1] // SIDE_PX
    split = full.reshape(rows, SIDE_PX, columns, SIDE_PX).swapaxes(1, 2)
    return np.ascontiguousarray(split).reshape(-1, SIDE_PX**2)


def _spatial_entropies(blocks: NDArrayByte) -> NDArray[np.float64]:
    """Bits of each block's histogram."""
    n = blocks.shape[1]
    level = blocks + 256 * np.arange(len(blocks))[:, None]
    counts = np.bincount(level.ravel(), minlength=256 * len(blocks)).reshape(len(blocks), 256)
    share = np.arange(1, n + 1) / n
    bits = np.concatenate([[0.0], -share * np.log2(share)])
    return np.asarray(bits[counts].sum(1), np.float64)


def _spectral_entropies(blocks: NDArrayByte) -> NDArray[np.float64]:
    """Bits of each block's power spectrum."""
    from scipy.fft import dctn

    squares = blocks.reshape(-1, SIDE_PX, SIDE_PX).astype(np.float64)
    spectrum = dctn(squares, axes=(1, 2), norm="ortho").reshape(len(blocks), -1)
    spectrum[np.abs(spectrum) < 1e-9] = 0  # rounding, where a block has nothing of a frequency
    spectrum[:, 0] = _NOTHING
    power = spectrum * spectrum
    share = power / power.sum(1, keepdims=True)
    share[share == 0] = _NOTHING
    return np.asarray(-(share * np.log2(share)).sum(1), np.float64)


def _middle_mean(values: NDArray[np.float64]) -> float:
    """Mean of the values between the fifths at either end, both bounds included."""
    n = len(values)
    return float(np.sort(values)[math.ceil(n * 0.2) - 1 : math.ceil(n * 0.8)].mean())


def _skewness(values: NDArray[np.float64]) -> float:
    """Third moment over the deviation cubed; NaN where nothing deviates."""
    away = values - values.mean()
    power = float((away**2).mean())
    # Equal values have a mean that rounding sets apart from them.
    return float((away**3).mean()) / power**1.5 if power > 1e-20 else math.nan


def score(found: NDArray[np.float64], file: Path) -> float:
    """SSEQ of the twelve features."""
    model = _model(file)
    scaled = 2 * (found - model.low) / (model.high - model.low) - 1
    qualities = [_decide(machine, scaled) for machine in model.regressors]
    return 50 + 50 * float(_probabilities(model.classifier, scaled) @ np.array(qualities))


class _Machine(NamedTuple):
    """A support vector machine with a Gaussian kernel."""

    vectors: NDArray[np.float64]
    """``(n, 12)``."""
    weights: NDArray[np.float64]
    """``(n,)``, or ``(n, classes - 1)`` as LIBSVM packs pairs of classes."""
    rho: NDArray[np.float64]
    gamma: float
    sizes: NDArray[np.int64]
    """Vectors of each class."""
    sigmoid: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Slope and offset of each pair's probability."""


class _Model(NamedTuple):
    classifier: _Machine
    regressors: tuple[_Machine, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@lru_cache(maxsize=1)
def _model(file: Path) -> _Model:
    from scipy.io import loadmat

    content = loadmat(file, squeeze_me=True)
    regressors = tuple(_machine(row) for row in content["svrmodel"])
    return _Model(_machine(content["svmmodel"]), regressors, content["fmin"], content["fmax"])


def _machine(row: Any) -> _Machine:
    """A machine as LIBSVM's MATLAB interface writes it."""
    field = {name: row[name].item() for name in row.dtype.names}
    slope, offset = (np.atleast_1d(field[name]).astype(np.float64) for name in ("ProbA", "ProbB"))
    return _Machine(
        vectors=np.asarray(field["SVs"].todense(), np.float64),
        weights=np.asarray(field["sv_coef"], np.float64),
        rho=np.atleast_1d(field["rho"]).astype(np.float64),
        gamma=float(field["Parameters"][3]),
        sizes=np.atleast_1d(field["nSV"]).astype(np.int64),
        sigmoid=(slope, offset),
    )


def _kernel(machine: _Machine, point: NDArray[np.float64]) -> NDArray[np.float64]:
    away = np.square(machine.vectors - point).sum(1)
    return np.asarray(np.exp(-machine.gamma * away), np.float64)


def _decide(machine: _Machine, point: NDArray[np.float64]) -> float:
    """Value of a regression."""
    return float(machine.weights @ _kernel(machine, point) - machine.rho[0])


def _probabilities(machine: _Machine, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(classes,)`` probabilities from those of each pair of classes."""
    near = _kernel(machine, point)
    ends = np.cumsum(machine.sizes)
    members = [slice(end - size, end) for size, end in zip(machine.sizes, ends, strict=True)]
    classes = len(members)
    pairwise = np.zeros((classes, classes))
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    for (i, j), rho, a, b in zip(pairs, machine.rho, *machine.sigmoid, strict=True):
        # The weights of class i against j stand in column j - 1, those of j against i in column i.
        value = machine.weights[members[i], j - 1] @ near[members[i]]
        value += machine.weights[members[j], i] @ near[members[j]] - rho
        pairwise[i, j] = np.clip(1 / (1 + np.exp(a * value + b)), 1e-7, 1 - 1e-7)
        pairwise[j, i] = 1 - pairwise[i, j]
    return _coupled(pairwise)


def _coupled(pairwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities p that minimise sum over pairs of (r_ji p_i - r_ij p_j)², by iteration."""
    classes = len(pairwise)
    q = -pairwise.T * pairwise
    np.fill_diagonal(q, np.square(pairwise).sum(0))
    p = np.full(classes, 1 / classes)
    for _ in range(max(100, classes)):
        slope = q @ p
        if np.abs(slope - p @ slope).max() < 0.005 / classes:
            break
        for t in range(classes):
            p[t] += (p @ q @ p - q[t] @ p) / q[t, t]
            p /= p.sum()
    return p
