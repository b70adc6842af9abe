"""VRGNet's derainer: PReNet whose last run gives a mean image and a variance.

Paper: Hong Wang, Zongsheng Yue, Qi Xie, Qian Zhao, Yefeng Zheng, Deyu Meng, "From Rain Generation
to Rain Removal", CVPR 2021, arXiv:2008.03580. There it is BNet, q(b|o): the
posterior of the clean image is normal with a mean and a log-variance at each pixel, and is trained
together with a generator of rain, which is not built here. Table 3 calls it PReNet-. Names and
shapes of the weights are those of the authors' release (hongwang01/VRGNet), below ``derainet.``
there. Input and output are RGB in [0, 1]; the output is not clamped.

Choice: the restored image is the mean, as in the authors' ``test_syn_joint.py``; the variance is
left.
"""

from __future__ import annotations

from torch import Tensor, nn

from derainers.networks.prenet import PReNet


class VRGNet(PReNet):
    """The derainer of VRGNet with 170,697 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.convfinal = nn.Sequential(nn.Conv2d(32, 6, 3, padding=1))

    def _residual(self, features: Tensor, stage: int) -> Tensor:
        """What a stage adds; the last three of the final layer's channels are the log-variance."""
        if stage < self.stages - 1:
            return super()._residual(features, stage)
        mean: Tensor = self.convfinal(features)[:, :3]
        return mean
