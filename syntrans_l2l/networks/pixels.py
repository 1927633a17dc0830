"""Images as encoders take them: [n, 3, H, W] in [0, 1], or refused."""

import torch
from torch import Tensor

_SLACK = 1e-3  # what interpolation and float16 may add


def check_images(images: Tensor) -> None:
    """Raise ValueError where images are not [n, 3, H, W], uint8 or float in [0, 1]."""
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(f"images must be [n, 3, H, W], got {list(images.shape)}")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise ValueError(f"images must be uint8 or float in [0, 1], got {images.dtype}")
    low, high = (float(each) for each in images.detach().aminmax())
    if not (low >= -_SLACK and high <= 1 + _SLACK):
        raise ValueError(
            f"float images must lie in [0, 1], got values from {low:.3g} to {high:.3g}; "
            "divide by 255, clamp what resizing adds, and leave the normalisation to the model"
        )


def unit_images(images: Tensor) -> Tensor:
    """Checked images as floats in [0, 1]; uint8 is divided by 255.

    Raises:
        ValueError: as `check_images`.
    """
    check_images(images)
    return images.float().div_(255.0) if images.dtype == torch.uint8 else images
