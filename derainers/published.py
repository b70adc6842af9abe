"""What the authors of networks publish: each weight file, where it lies and what it learned from.

Needs no torch. `harness.machine.sources` fetches these files, and a fetched one is a derainer by
its name here: ``vrgnet-rain100l``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_GITHUB = "https://raw.githubusercontent.com"
_NONE = "none stated"


@dataclass(frozen=True)
class Published:
    """One weight file of a network's authors."""

    derainer: str
    """The row of `DERAINERS` that loads it."""
    url: str
    """Of one commit of the authors' repository."""
    sha256: str
    licence: str
    trained_on: Mapping[str, Any]
    """As in the cards of our own weights: data sets by the names of their folders, their split, and
    families of rain. ``given`` is the rain that the data set itself brings."""


def _pairs(dataset: str, *families: str) -> dict[str, Any]:
    """Training on the pairs of a data set, whose rain is of these families of ours too."""
    return {"datasets": [dataset], "split": "train", "rain_families": [*families, "given"]}


RAIN100L = _pairs("rain100l", "additive")
RAIN100H = _pairs("rain100h", "additive")
RAIN1400 = _pairs("rain1400", "photoshop")
RAIN1200 = _pairs("rain1200", "photoshop")
RAIN800 = _pairs("rain800", "photoshop")
SPA_DATA = _pairs("spa-data")
IMAGENET_C = {"datasets": ["imagenet"], "split": "train", "rain_families": []}
"""ImageNet-C's first fifteen corruptions: noise, blur, snow, frost, fog and others, no rain."""
UNKNOWN: dict[str, Any] = {}


def _prenet(derainer: str, path: str, sha256: str, trained_on: dict[str, Any]) -> Published:
    commit = "csdwren/PReNet/6d908d1e3c7ff5c26fee624112297ad1c8603ca7"
    url = f"{_GITHUB}/{commit}/logs/{path}/net_latest.pth"
    return Published(derainer, url, sha256, _NONE, trained_on)


def _nledn(path: str, sha256: str, trained_on: dict[str, Any]) -> Published:
    commit = "AlexHex7/NLEDN/c5b2a8e292776154170bb3b09452c71a9943e9ab"
    return Published("nledn", f"{_GITHUB}/{commit}/weights/{path}", sha256, _NONE, trained_on)


def _vrgnet(path: str, sha256: str, trained_on: dict[str, Any]) -> Published:
    commit = "hongwang01/VRGNet/036d7a9757abcefde89abadce6a706ec9d1ce15e"
    return Published("vrgnet", f"{_GITHUB}/{commit}/{path}", sha256, _NONE, trained_on)


def _umrl(path: str, sha256: str, trained_on: dict[str, Any]) -> Published:
    commit = "rajeevyasarla/UMRL--using-Cycle-Spinning/f64fd3f2d4f75339136bbc6ff3a705a72abe3e2a"
    url = f"{_GITHUB}/{commit}/pre_trained/{path}"
    return Published("umrl", url, sha256, "MIT", trained_on)


PUBLISHED: dict[str, Published] = {
    "prenet-rain100l": _prenet(
        "prenet",
        "Rain100L/PReNet6",
        "cb9b743bb33cf6e5c56ba45f8ade93add46266dea9fa582e1934dc5eed942333",
        RAIN100L,
    ),
    "prenet-r-rain100l": _prenet(
        "prenet-r",
        "Rain100L/PReNet6_r",
        "31dd4419cdb0f4da623d974747113d60e2c22803598c39dcf03d789f86a7f62b",
        RAIN100L,
    ),
    "prn-rain100l": _prenet(
        "prn",
        "Rain100L/PRN6",
        "ed4be5b78f76dcec5c781e1655dee48c2a90b56993de555945d72e31848aea99",
        RAIN100L,
    ),
    "prn-r-rain100l": _prenet(
        "prn-r",
        "Rain100L/PRN6_r",
        "87ee3b1c027b33e7e532a4881c3b077d100cf40c65dd2843690600e3023acee0",
        RAIN100L,
    ),
    "prenet-rain100h": _prenet(
        "prenet",
        "Rain100H/PReNet6",
        "127c0098787c5272f1f8583f6c5202e7ef674f750cd145a1691912a6d9e96210",
        RAIN100H,
    ),
    "prenet-r-rain100h": _prenet(
        "prenet-r",
        "Rain100H/PReNet6_r",
        "ece8127c651cf49026d998fa36857cb9d462c92cf535b640a377fc025f765b5f",
        RAIN100H,
    ),
    "prn-rain100h": _prenet(
        "prn",
        "Rain100H/PRN6",
        "f1d56a7df0851eb087652663781d3f34c4c37a4c7ddd9a3f0802abbede1a06c2",
        RAIN100H,
    ),
    "prn-r-rain100h": _prenet(
        "prn-r",
        "Rain100H/PRN6_r",
        "99242ce096c9c617bd529a5e189797e8955a4b8611d355974c7c1c64a18b9074",
        RAIN100H,
    ),
    "prenet-rain1400": _prenet(
        "prenet",
        "Rain1400/PReNet6",
        "d5744dc2e35d73187a3f34936b3413884d293277073ffb78b961a78e65337879",
        RAIN1400,
    ),
    "prenet-r-rain1400": _prenet(
        "prenet-r",
        "Rain1400/PReNet6_r",
        "c639c19b342d6ae977b7ff8a4b2fbeb24179510a6e57b8bf5ef32d6b071fc8d5",
        RAIN1400,
    ),
    "prn-rain1400": _prenet(
        "prn",
        "Rain1400/PRN6",
        "c6620860a51b54afec0c1eebe412f0f1ca00128100f5b23c13758605206a0bf2",
        RAIN1400,
    ),
    "prn-r-rain1400": _prenet(
        "prn-r",
        "Rain1400/PRN6_r",
        "c0f7f18f3d33e26f50af8c693494a03c2776c627140a1d8e0514edd53e9398fb",
        RAIN1400,
    ),
    "nledn-rain100l": _nledn(
        "net_Rain100L.pth",
        "aa95a3d628917a56fda29d21871f8d929ed11d05283a19e698df31bc051b9daf",
        RAIN100L,
    ),
    "nledn-rain100h": _nledn(
        "net_Rain100H.pth",
        "76e3242194c7319bde7b8c7656729e4fbed5c102e7245667f4328e376f49e30b",
        RAIN100H,
    ),
    # DDN-Dataset is Rain1400's 14,000 pairs, DID-Dataset is Rain1200's: docs/papers.md.
    "nledn-rain1400": _nledn(
        "net_DDN.pth",
        "7d19219a8bce57ec6d43fcf75b898a357dc094e502537c3ee4bea0e5e9e2fa14",
        RAIN1400,
    ),
    "nledn-rain1200": _nledn(
        "net_DID.pth",
        "625c01ac8a0baf5956c771f428c569d3c4166dafd99e4186dc67b4a8b6bb8476",
        RAIN1200,
    ),
    "vrgnet-rain100l": _vrgnet(
        "for_syn/syn100lmodels/DerainNet_state_700.pt",
        "767bf9c96a755a0eb1a6bea4713ba3555134e8e0ee8f4681d80f89f870286837",
        RAIN100L,
    ),
    "vrgnet-rain100h": _vrgnet(
        "for_syn/syn100hmodels/DerainNet_state_700.pt",
        "444da542538a6667f2a3f834ba9d91e1de8e1a1e47e0ec98657270ba0dff6a9a",
        RAIN100H,
    ),
    "vrgnet-rain1400": _vrgnet(
        "for_syn/syn1400models/DerainNet_state_700.pt",
        "0e6235c59e8afa1996e9dd1858a1a8995af8e36754e3d42a712ced01201ea5b8",
        RAIN1400,
    ),
    "vrgnet-spa": _vrgnet(
        "for_spa/spamodels/DerainNet_state_800.pt",
        "d571fdafb796cc90e9f9a18e380c449d1e66f537e066e498ba63f83e6079594c",
        SPA_DATA,
    ),
    "sapnet-rain100h": Published(
        "sapnet",
        f"{_GITHUB}/ShenZheng2000/SAPNet-for-image-deraining/"
        "47215120e902b02fecd50f7e13309a8e34904bd1/logs/SAPNet/Model11/net_latest.pth",
        "807bb16685280a493236f3e5fa804274198044ad838b5cc060bf66af03a259cb",
        "MIT",
        RAIN100H,
    ),
    "spanet-spa": Published(
        "spanet",
        f"{_GITHUB}/stevewongv/SPANet/82d28899c1793170335fdf2527eb365444533c8b/model/latest",
        "3b5d58d0f4569004a0d2dc6f4373463bd60991fc8a04c061361357cf012e5eb0",
        "BSD-3-Clause",
        SPA_DATA,
    ),
    "umrl-rain1200": _umrl(
        "Net_DIDMDN.pth",
        "7e985ef46c20ca261cd1a0503c2c038af397d01217069ed905e57cb22c29c6d7",
        RAIN1200,
    ),
    "umrl-rain800": _umrl(
        "Net_Rain800.pth",
        "59f7dd2a608ea6c7313563bd0d262841b8923087fdec2348c7a0d556696d2e54",
        RAIN800,
    ),
    "umrl-jorder": _umrl(
        "Net_JORDER.pth",
        "4bde66db92364e14f4e33e13924f4f46df422638ddfa4f9f5879565aed47cae9",
        UNKNOWN,
    ),
    "urie-imagenet": Published(
        "urie",
        f"{_GITHUB}/taeyoungson/urie/8d806bc670726783f891b3ee84372c1171f0f642/"
        "ECCV_MODELS/ECCV_SKUNET_OURS.ckpt.pt",
        "e6fdba3a6cfb470f61511031134736c29d3d79e5c442b277d1c531891b3b2f38",
        _NONE,
        IMAGENET_C,
    ),
}
"""Every weight file of others that a row loads, literally, by row and what it was trained on."""


def names_for(derainer: str) -> list[str]:
    """Names of the weights that a row's authors publish."""
    return [name for name, published in PUBLISHED.items() if published.derainer == derainer]


def card_of(sha256: str | None) -> dict[str, Any]:
    """What is known of a published weight file by its digest, as a card; empty of any other."""
    for published in PUBLISHED.values():
        if published.sha256 == sha256:
            return {"trained_on": published.trained_on}
    return {}
