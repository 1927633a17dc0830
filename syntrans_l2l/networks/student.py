"""The student: an encoder with its own input normalisation."""

import pickle
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.resnet12 import ResNet12


class Student(nn.Module):
    """An encoder f that takes images in [0, 1] and normalises them itself.

    Args:
        encoder: images [n, 3, H, W] -> features [n, D].
        out_features: D.
        name: what the records call it.
        pretrained: whether stage 0 is behind it already.

    Shapes: images [n, 3, H, W] in [0, 1] -> features [n, D].
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


def learn2learn_resnet12(
    weights: str = "~/data/pretrained_models/mini-imagenet/resnet12.pth", pixel_scale: float = 255.0
) -> Student:
    """learn2learn's ResNet-12 with the weights that it publishes, in the place of stage 0.

    Its global average is taken over any map, where learn2learn's wants 84 px and its loader
    leaves it out; DropBlock, which has no weights, is off, because it fails below 84 px.

    Source: Zenodo record 5651278, `25u1gtp5.pth` for miniImageNet and `126od68s.pth` for
    tieredImageNet; the default is where learn2learn's `get_pretrained_backbone` puts the first.

    Args:
        weights: the file.
        pixel_scale: what images in [0, 1] are multiplied by. learn2learn's pretraining script
            trains on pixels from 0 to 255 without further normalisation; 1 leaves [0, 1].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds other weights.
        ImportError: learn2learn is not installed.
    """
    from syntrans_l2l._learn2learn import learn2learn

    path = Path(weights).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights of learn2learn's ResNet-12 at {path}: put 25u1gtp5.pth (miniImageNet) or "
            "126od68s.pth (tieredImageNet) of Zenodo record 5651278 there, or train the student "
            "here with Experiment.student = @resnet12"
        )
    encoder = learn2learn().vision.models.ResNet12Backbone(avg_pool=False, dropblock_dropout=0.0)
    try:
        encoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} does not hold learn2learn's ResNet-12 ({reason})") from error
    encoder.avgpool = nn.AdaptiveAvgPool2d(1)
    student = Student(encoder, 640, "resnet12, learn2learn weights", pretrained=True)
    student.mean.zero_()
    student.std.fill_(1 / pixel_scale)
    return student


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
    origin = "timm weights" if pretrained else "from scratch"
    return Student(encoder, out_features, f"{name}, {origin}")
