"""The student: an encoder with its own input normalisation."""

from typing import cast

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.pixels import unit_images
from syntrans_l2l.networks.resnet12 import ResNet12


class Student(nn.Module):
    """An encoder f that takes images in [0, 1] or uint8 and normalises them itself.

    Args:
        encoder: images [n, 3, H, W] -> features [n, D].
        out_features: D.
        name: what the records call it.
        pretrained: whether stage 0 is behind it already.

    Shapes: images [n, 3, H, W], uint8 or float in [0, 1] -> features [n, D].
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, encoder: nn.Module, out_features: int, name: str, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.out_features = out_features
        self.name = name
        self.pretrained = pretrained
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((3, 1, 1), 0.25))

    def forward(self, images: Tensor) -> Tensor:
        """f(x), of images that anybody may bring.

        Raises:
            ValueError: images of another shape or range, such as floats of 0 to 255.
        """
        return self.embed(unit_images(images))

    def embed(self, images: Tensor) -> Tensor:
        """f(x), of floats in [0, 1]: the training's, where looking at each batch costs time."""
        return cast(Tensor, self.encoder((images - self.mean) / self.std))


def resnet12(width: int = 64) -> Student:
    """ResNet-12 for 32 and 84 px; width 64 is the literature's 64-160-320-640 (D = 640)."""
    encoder = ResNet12(width)
    return Student(encoder, encoder.out_features, f"resnet12, width {width}")


def cnn4(hidden_size: int = 64, layers: int = 4) -> Student:
    """learn2learn's four-layer convolutional encoder with global average pooling.

    Raises:
        ImportError: learn2learn is not installed.
    """
    from syntrans_l2l._learn2learn import learn2learn

    base = learn2learn().vision.models.ConvBase(hidden=hidden_size, channels=3, layers=layers)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Student(nn.Sequential(base, pool), hidden_size, f"cnn{layers}, width {hidden_size}")


def timm_encoder(name: str, pretrained: bool = False, image_size: int | None = None) -> Student:
    """Any timm model by name, without its head.

    Args:
        name: for instance "resnet18" or "vit_small_patch16_224".
        pretrained: load timm's weights, which is extra data to be declared.
        image_size: pixels to resize images to; None leaves them as they are.

    Raises:
        ValueError: timm does not know `name`.
    """
    import timm

    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:5])
        raise ValueError(f"timm has no model {name!r}; near ones: {close or 'none'}")
    encoder: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0)
    out_features = cast(int, encoder.num_features)
    if image_size is not None:
        resize = nn.Upsample(size=(image_size, image_size), mode="bilinear")
        encoder = nn.Sequential(resize, encoder)
    size = "" if image_size is None else f"{image_size} px, "
    origin = "timm weights" if pretrained else "from scratch"
    return Student(encoder, out_features, f"{name}, {size}{origin}")
