"""A student that others have trained: learn2learn's published ResNet-12."""

import pickle
from pathlib import Path

import torch
from torch import nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.networks.student import Student


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
    student = Student(
        encoder,
        640,
        f"resnet12, learn2learn weights {path.parent.name}/{path.name}",
        pretrained=True,
    )
    student.mean.zero_()
    student.std.fill_(1 / pixel_scale)
    return student
