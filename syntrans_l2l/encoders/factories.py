"""Students by name: ResNet-12, learn2learn's CNN4 and any timm model."""

from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.encoders.weights import load_weights, read_weights
from syntrans_l2l.networks.resnet12 import ResNet12
from syntrans_l2l.networks.student import Student


def resnet12(width: int = 64, views: int = 1) -> Student:
    """ResNet-12 for 32 and 84 px; width 64 is the literature's 64-160-320-640 (D = 640).

    Args:
        width: channels of the first block.
        views: see `Student`.
    """
    encoder = ResNet12(width)
    name, advice = f"resnet12, width {width}", "ResNet-12 needs 16 px or more"
    return Student(encoder, encoder.out_features, _viewed(name, views), advice=advice, views=views)


def cnn4(hidden_size: int = 64, layers: int = 4, views: int = 1) -> Student:
    """learn2learn's four-layer convolutional encoder with global average pooling.

    Args:
        hidden_size: channels of each layer.
        layers: how many.
        views: see `Student`.

    Raises:
        ImportError: learn2learn is not installed.
    """
    base = learn2learn().vision.models.ConvBase(hidden=hidden_size, channels=3, layers=layers)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    name = _viewed(f"cnn{layers}, width {hidden_size}", views)
    return Student(nn.Sequential(base, pool), hidden_size, name, views=views)


def timm_encoder(
    name: str,
    pretrained: bool = False,
    image_size: int | None = None,
    weights: str | None = None,
    fine_tune: bool = False,
    views: int = 1,
) -> Student:
    """Any timm model by name, without its head.

    Pretrained weights see pixels normalised as timm's recipe says, and skip stage 0.

    Args:
        name: for instance "resnet18" or "vit_small_patch16_224".
        pretrained: load timm's weights, which is extra data to be declared.
        image_size: pixels to resize images to; None leaves them as they are.
        weights: a local file with such weights, in the place of the hub's.
        fine_tune: whether stage 0 trains pretrained weights further, on pixels normalised by
            the base images' own mean and standard deviation.
        views: see `Student`.

    Raises:
        FileNotFoundError: the weights are not there and cannot be fetched; the message names
            the model, and it comes at once.
        ValueError: timm does not know `name`, or its weights do not fit.
    """
    import timm

    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:5])
        raise ValueError(f"timm has no model {name!r}; near ones: {close or 'none'}")
    state = read_weights(Path(weights).expanduser()) if weights is not None else None
    overlay = _weights(name) if pretrained and weights is None else None
    try:
        encoder: nn.Module = timm.create_model(
            name, pretrained=overlay is not None, num_classes=0, pretrained_cfg_overlay=overlay
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"timm's {name} cannot be made with its weights: {reason}") from error
    if state is not None and weights is not None:
        load_weights(encoder, state, Path(weights))
    pretrained = pretrained or state is not None
    recipe = cast(dict[str, Any], encoder.pretrained_cfg)
    out_features = cast(int, encoder.num_features)
    if image_size is not None:
        resize = nn.Upsample(size=(image_size, image_size), mode="bilinear")
        encoder = nn.Sequential(resize, encoder)
    size = "" if image_size is None else f"{image_size} px, "
    origin = "timm weights" if pretrained else "from scratch"
    if weights is not None:
        origin = f"weights {Path(weights).name}"
    student = Student(
        encoder,
        out_features,
        _viewed(f"{name}, {size}{origin}", views),
        pretrained=pretrained and not fine_tune,
        advice=f"set timm_encoder.image_size = {recipe['input_size'][-1]}",
        views=views,
    )
    if pretrained:
        student.mean.copy_(torch.tensor(recipe["mean"]).view(3, 1, 1))
        student.std.copy_(torch.tensor(recipe["std"]).view(3, 1, 1))
    return student


def _viewed(name: str, views: int) -> str:
    """A student's name, with its views where they are more than one."""
    return name if views == 1 else f"{name}, {views} views"


def _weights(name: str) -> dict[str, object]:
    """What timm is told of the place of its weights; nothing lets it download them.

    timm tries for a minute where there is no network, so that is found out here.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError
    from timm.models import get_pretrained_cfg

    recipe = get_pretrained_cfg(name)
    if recipe is None or not recipe.has_weights:
        raise ValueError(f"timm has no weights of {name}; leave out timm_encoder.pretrained")
    model = recipe.hf_hub_id
    if not model:
        return {}
    files = [recipe.hf_hub_filename] if recipe.hf_hub_filename else []
    for file in (*files, "model.safetensors", "pytorch_model.bin"):
        if isinstance(found := try_to_load_from_cache(model, file), str):
            return {"file": found, "custom_load": False}
    try:
        get_hf_file_metadata(hf_hub_url(model, "model.safetensors"), timeout=10)
    except HfHubHTTPError:
        return {}  # the hub answers: timm knows which of the model's files to take
    except Exception as error:  # each release of the hub's client has its own errors for this
        raise FileNotFoundError(
            f"no weights of timm's {name}: {model} is not in {constants.HF_HUB_CACHE}, and the "
            "hub cannot be reached (or HF_HUB_OFFLINE is set); download it there on a machine "
            "with a network, or name a file with timm_encoder.weights "
            f"({' '.join(str(error).split())[:80]})"
        ) from error
    return {}
