"""ResNet-12, the customary few-shot student, for 32 px and 84 px images alike."""

from itertools import pairwise

import torch
from torch import Tensor, nn

BLOCK_FACTORS = (1.0, 2.5, 5.0, 10.0)  # 64-160-320-640 at width 64


class ResidualBlock(nn.Module):
    """Three 3x3 convolutions with a 1x1 shortcut, then 2x2 max pooling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels, out_channels):
            layers += [
                nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.LeakyReLU(0.1, inplace=True),
            ]
        self.body = nn.Sequential(*layers[:-1])  # the last activation follows the sum
        self.shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.activation = nn.LeakyReLU(0.1, inplace=True)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.pool(self.activation(self.body(images) + self.shortcut(images)))
        return out


class ResNet12(nn.Module):
    """ResNet-12 with global average pooling, so that any image of 16 px or more fits.

    Source: Oreshkin et al., TADAM (NeurIPS 2018), with the wide channels of Lee et al.,
    MetaOptNet (CVPR 2019); DropBlock is left out, because it needs 84 px.

    Args:
        width: channels of the first block; 64 gives 64-160-320-640.

    Shapes: images [n, 3, H, W] -> features [n, 10 * width].

    Raises:
        ValueError: `width` is not a positive even number.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"ResNet12.width must be a positive even number, got {width}")
        channels = [3, *(int(width * factor) for factor in BLOCK_FACTORS)]
        self.blocks = nn.Sequential(*(ResidualBlock(a, b) for a, b in pairwise(channels)))
        self.out_features = channels[-1]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.1, nonlinearity="leaky_relu")

    def forward(self, images: Tensor) -> Tensor:
        return torch.flatten(nn.functional.adaptive_avg_pool2d(self.blocks(images), 1), 1)
