"""Architectures that ``spandrel:FILE`` knows by their weights, with their licences.

Needs no torch.
"""

from __future__ import annotations

from importlib.util import find_spec

from datasets.installed import installing

EXTRA = "spandrel_extra_arches"
"""Package of architectures whose licences forbid some uses: no extra but its own brings it."""
EXTRA_LICENCES = {
    "Restormer": "Academic Public License: not commercial",
    "MPRNet": "Academic Public License: not commercial",
    "MIRNet2": "Academic Public License: not commercial",
    "M3SNet": "Academic Public License: not commercial",
    "SRFormer": "CC BY-NC 4.0: not commercial",
    "MAT": "CC BY-NC 4.0: not commercial",
    "AdaCode": "CC BY-NC-SA 4.0: not commercial",
    "FeMaSR": "CC BY-NC-SA 4.0: not commercial",
    "CodeFormer": "S-Lab License 1.0: not commercial",
    "DDColor": "Alibaba's: academic, not commercial",
}
"""Of the code, as the LICENSE file beside each in spandrel's repository; weights have their own."""
MAIN_LICENCE = "free (MIT, BSD, Apache-2.0); spandrel's repository has each"
"""Of the architectures of spandrel itself, which takes in none that forbids commercial use."""


def has_extra() -> bool:
    """Whether the other package is installed."""
    return find_spec(EXTRA) is not None


def table() -> list[list[str]]:
    """Architecture, package, licence of its code, and whether it runs here, as text."""
    rows = [["others", "spandrel", MAIN_LICENCE, "yes" if find_spec("spandrel") else "no"]]
    here = "yes" if has_extra() else f"no: {installing('derain-harness[spandrel-extra]')}"
    return [[name, EXTRA, licence, here] for name, licence in EXTRA_LICENCES.items()] + rows
