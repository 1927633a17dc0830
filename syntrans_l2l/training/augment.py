"""Batched augmentation of uint8 images on the device that holds them."""

import torch
from torch import Tensor
from torch.nn import functional as F

# Rec. 601 luma, as torchvision's grayscale
LUMA = (0.299, 0.587, 0.114)


def to_float(images: Tensor) -> Tensor:
    """[n, 3, H, W] uint8 -> the same in [0, 1]."""
    return images.to(torch.float32).div_(255.0)


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `padding` pixels, with reflected borders, and flip half of them.

    Shapes: images [n, 3, H, W] -> [n, 3, H, W] of the same type.
    """
    n, _, height, width = images.shape
    device = images.device
    padded = F.pad(images.to(torch.float32), (padding,) * 4, mode="reflect").to(images.dtype)
    top, left = torch.randint(0, 2 * padding + 1, (2, n, 1), generator=generator).to(device)
    flip = (torch.rand(n, 1, generator=generator) < 0.5).to(device)
    rows = top + torch.arange(height, device=device)  # [n, H]
    columns = torch.arange(width, device=device).expand(n, -1)
    columns = left + torch.where(flip, width - 1 - columns, columns)  # [n, W]
    batch = torch.arange(n, device=device)[:, None, None]
    # advanced indices around a slice come first: [n, H, W, 3]
    return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def colour_jitter(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Scale brightness, contrast and saturation by factors in [1 - strength, 1 + strength].

    Shapes: images [n, 3, H, W] in [0, 1] -> the same.
    """
    n = images.shape[0]
    factors = 1 + strength * (2 * torch.rand(3, n, 1, 1, 1, generator=generator) - 1)
    brightness, contrast, saturation = factors.to(images.device)
    luma = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    images = (images * brightness).clamp_(0, 1)
    grey_level = (images * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    images = torch.lerp(grey_level, images, contrast).clamp_(0, 1)
    grey = (images * luma).sum(1, keepdim=True)
    return torch.lerp(grey, images, saturation).clamp_(0, 1)
