"""A network of your own beside others, on a folder of photographs.

python examples/own_network.py PHOTOGRAPHS
"""

import sys

import torch
from torch import Tensor, nn

from harness import report, run


class Mine(nn.Module):
    """Stands for your network: a batch of RGB images in [0, 1] in, the same out."""

    def forward(self, rainy: Tensor) -> Tensor:
        """``(B, 3, H, W)``: here a mean of 3x3 pixels."""
        return torch.nn.functional.avg_pool2d(rainy, 3, stride=1, padding=1)


if __name__ == "__main__":
    results = run(
        data_root=sys.argv[1],
        dataset="folder",
        derainer=("identity", "median"),
        derainers={"mine": Mine().eval()},
        task="none",
        workspace="own-network",
    )
    print(results)
    rainy, mine = (
        results.value("real-like", name, "quality", "psnr_y_db") for name in ("identity", "mine")
    )
    print(f"mine against rainy: {results.compare(rainy, mine)}")
    report(results, "own-network/report")
