"""Every architecture of spandrel and spandrel_extra_arches that gives an image of the input's size.

Each gets random weights, saved in the layout of its authors' repository, is loaded by the word
``spandrel:FILE``, restores an image of 161x107 px, and is held against the package's own call.

    python benchmarks/architectures.py --keep architectures.jsonl
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets import Dataset
from datasets.image import to_tensor
from derainers.derainer import Derainer
from harness.machine.device import Placement
from harness.plan.derainers import derainer_plan

SIZE_PX = (107, 161)
LAYOUTS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "bare": lambda state: state,
    "params": lambda state: {"params": state},
    "params_ema": lambda state: {"params": state, "params_ema": state},
    "state_dict": lambda state: {"epoch": 1, "state_dict": state},
    "state_dict, module.": lambda state: {
        "epoch": 1,
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "optimizer": {"state": {}, "param_groups": []},
    },
}
SPANDREL, EXTRA = "spandrel", "spandrel_extra_arches"
FEW: dict[str, Any] = {"depths": [2, 2], "num_heads": [2, 2], "embed_dim": 32, "window_size": 8}
ARCHITECTURES: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    (SPANDREL, "NAFNet", "NAFNet", "params", {"enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]}),
    (SPANDREL, "Uformer", "Uformer", "state_dict, module.", {"embed_dim": 16}),
    (SPANDREL, "FFTformer", "FFTformer", "params", {"dim": 16, "num_blocks": [1, 1, 2]}),
    (SPANDREL, "KBNet", "KBNet_s", "params", {"width": 16, "middle_blk_num": 1}),
    (SPANDREL, "KBNet", "KBNet_l", "params", {"num_blocks": [1, 1, 1, 1]}),
    (SPANDREL, "MixDehazeNet", "MixDehazeNet", "state_dict, module.", {}),
    (SPANDREL, "RetinexFormer", "RetinexFormer", "params", {"stage": 1}),
    (SPANDREL, "HVICIDNet", "HVICIDNet", "bare", {}),
    (SPANDREL, "SCUNet", "SCUNet", "bare", {"config": [2] * 7}),
    (SPANDREL, "FBCNN", "FBCNN", "bare", {"nb": 2}),
    (SPANDREL, "DRUNet", "DRUNet", "bare", {"in_nc": 4, "out_nc": 3, "nc": [16, 32, 64, 128]}),
    (SPANDREL, "DnCNN", "DnCNN", "bare", {"in_nc": 3, "out_nc": 3}),
    (SPANDREL, "IPT", "IPT", "bare", {"num_layers": 1, "scale": [1]}),
    (SPANDREL, "SwinIR", "SwinIR", "params", FEW),
    (SPANDREL, "Swin2SR", "Swin2SR", "params", FEW | {"upscale": 1}),
    (SPANDREL, "GRL", "GRL", "params", {"embed_dim": 36, "depths": [2, 2]}),
    (SPANDREL, "Compact", "Compact", "params", {"upscale": 1, "num_feat": 16, "num_conv": 4}),
    (SPANDREL, "SwiftSRGAN", "SwiftSRGAN", "state_dict", {"upscale_factor": 1, "num_blocks": 2}),
    (SPANDREL, "HAT", "HAT", "params_ema", FEW | {"window_size": 16, "upscale": 1}),
    (SPANDREL, "OmniSR", "OmniSR", "bare", {"up_scale": 1, "num_feat": 32}),
    (SPANDREL, "RGT", "RGT", "params", {"upscale": 1, "embed_dim": 48, "depth": [2, 2]}),
    (SPANDREL, "DAT", "DAT", "params", {"upscale": 1, "embed_dim": 48, "depth": [2, 2]}),
    (SPANDREL, "CRAFT", "CRAFT", "params", {"upscale": 1, "depths": [2, 2], "num_heads": [6, 6]}),
    (SPANDREL, "DITN", "DITN", "params", {"upscale": 1, "UFONE_blocks": 1}),
    (SPANDREL, "SPAN", "SPAN", "params_ema", {"num_in_ch": 3, "num_out_ch": 3, "upscale": 1}),
    (SPANDREL, "SAFMN", "SAFMN", "params", {"dim": 36, "upscaling_factor": 1}),
    (SPANDREL, "SAFMNBCIE", "SAFMNBCIE", "params", {"dim": 36, "upscaling_factor": 1}),
    (SPANDREL, "DCTLSA", "DCTLSA", "bare", {"upscale": 1}),
    (SPANDREL, "ATD", "ATD", "params", FEW | {"embed_dim": 48, "upscale": 1}),
    (
        SPANDREL,
        "DRCT",
        "DRCT",
        "params",
        FEW | {"window_size": 16, "upscale": 1, "upsampler": "pixelshuffle"},
    ),
    (SPANDREL, "ESRGAN", "ESRGAN", "params_ema", {"scale": 1, "num_blocks": 2, "plus": False}),
    (SPANDREL, "PLKSR", "PLKSR", "params", {"upscaling_factor": 1, "n_blocks": 2}),
    (SPANDREL, "PLKSR", "RealPLKSR", "params_ema", {"upscaling_factor": 1, "n_blocks": 2}),
    (SPANDREL, "SeemoRe", "SeemoRe", "params", {"scale": 1, "num_layers": 2}),
    (SPANDREL, "MoSR", "MoSR", "params_ema", {"upscale": 1, "n_block": 2}),
    (SPANDREL, "MoESR", "MoESR", "params_ema", {"scale": 1, "n_blocks": 2, "n_block": 2}),
    (SPANDREL, "RCAN", "RCAN", "bare", {"scale": 1, "n_resgroups": 2, "n_resblocks": 2}),
    (SPANDREL, "FDAT", "FDAT", "params_ema", {"scale": 1, "embed_dim": 48, "num_groups": 2}),
    (EXTRA, "Restormer", "Restormer", "params", {"dim": 16, "num_blocks": [1, 1, 1, 1]}),
    (EXTRA, "MPRNet", "MPRNet", "state_dict, module.", {"n_feat": 16, "num_cab": 2}),
    (EXTRA, "MIRNet2", "MIRNet2", "params", {"n_feat": 16}),
    (EXTRA, "M3SNet", "M3SNet", "state_dict", {"enc_blk_nums": [1] * 4}),
    (EXTRA, "SRFormer", "SRFormer", "params", FEW | {"upscale": 1}),
    (EXTRA, "AdaCode", "AdaCode", "params", {"LQ_stage": True}),
    (EXTRA, "FeMaSR", "FeMaSR", "params", {"LQ_stage": True}),
)
"""Package, architecture, class, layout of the weights, and arguments that make it small."""
OTHERS = {
    "MMRealSR": "the package's own call fails where it does not enlarge",
    "RealCUGAN": "enlarges 2 to 4 times alone",
    "AuraSR": "enlarges 4 times alone",
    "GFPGAN": "faces of 512x512 px",
    "RestoreFormer": "faces of 512x512 px",
    "CodeFormer": "faces of 512x512 px",
    "LaMa": "takes a mask beside the image",
    "MAT": "takes a mask beside the image",
    "DDColor": "gives two channels of colour",
}
"""Architectures that map no image to one of its size."""


def tried(package: str, name: str, kind: str, layout: str, arguments: Any) -> dict[str, Any]:
    """Make, save, load by the word, run, and compare."""
    module = importlib.import_module(f"{package}.architectures.{name}")
    torch.manual_seed(0)
    network = getattr(module, kind)(**arguments).eval()
    with torch.no_grad():
        for value in network.parameters():  # some begin as the identity
            value.add_(torch.randn_like(value), alpha=0.02)
    state = network.state_dict()
    image = np.random.default_rng(0).integers(0, 256, (*SIZE_PX, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{kind.lower()}.pth"
        torch.save(LAYOUTS[layout](state), file)
        plan = derainer_plan(f"spandrel:{file}", {}, Dataset("none", "none", ()))
        derainer = plan.load(Placement("cpu", "fp32"))
        since = time.monotonic()
        made = derainer.restore(image, "")
        seconds = time.monotonic() - since
    assert isinstance(derainer, Derainer)
    padding = [(0, -side % derainer.multiple_of) for side in SIZE_PX]
    padded = np.pad(image, [*padding, (0, 0)], "reflect")
    with torch.inference_mode():
        own = _own_call(state)(to_tensor([padded]))[0].permute(1, 2, 0).numpy()
    own = own[: SIZE_PX[0], : SIZE_PX[1]]
    largest = float(np.abs(made - own.clip(0, 1)).max() * 255)
    changed = float(np.abs(made * 255 - image).max())
    sides = {"size": list(made.shape), "multiple_of": derainer.multiple_of}
    return {**sides, "levels": largest, "changed": changed, "seconds": seconds}


def _own_call(state: dict[str, Any]) -> Any:
    """What the package itself makes of the weights."""
    import spandrel

    found = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(state))
    return found.eval()


def main() -> int:
    """Try all, or those that were not tried yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True, help="results, a line each; resumes")
    parser.add_argument("--only", default="", help="architectures whose class begins so")
    arguments = parser.parse_args()
    import spandrel_extra_arches

    spandrel_extra_arches.install(ignore_duplicates=True)
    torch.set_num_threads(1)
    lines = arguments.keep.read_text().splitlines() if arguments.keep.is_file() else []
    known = {(each["package"], each["class"]): each for each in map(json.loads, lines)}
    for row in ARCHITECTURES:
        package, name, kind, layout, _ = row
        if (package, kind) in known or not kind.startswith(arguments.only):
            continue
        found: dict[str, Any] = {"package": package, "class": kind, "layout": layout}
        try:
            found |= tried(*row)
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        known[package, kind] = found
        with arguments.keep.open("a") as file:
            file.write(json.dumps(found) + "\n")
        sys.stderr.write(f"{found}\n")
    sys.stdout.write("| architecture | package | weights under | loads | runs on 161x107 | ")
    sys.stdout.write("from the image [levels] | from the package's own call [levels] |\n")
    sys.stdout.write("|" + " --- |" * 7 + "\n")
    for found in known.values():
        ok = found.get("error") is None
        runs = "yes" if ok and found["size"] == [*SIZE_PX, 3] else found.get("error", "no")
        runs += (
            f", padded to multiples of {found['multiple_of']}"
            if ok and found["multiple_of"] > 1
            else ""
        )
        levels = [f"{found['changed']:.0f}", f"{found['levels']:.1g}"] if ok else ["", ""]
        cells = [found["class"], found["package"], found["layout"], "yes" if ok else "no", runs]
        sys.stdout.write(f"| {' | '.join([*cells, *levels])} |\n")
    for name, why in OTHERS.items():
        sys.stdout.write(f"| {name} | | | | no: {why} | | |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
