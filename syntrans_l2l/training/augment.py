"""Batched augmentation of uint8 images on the device that holds them."""

import torch
from torch import Tensor
from torch.nn import functional as F

# Rec. 601 luma, as torchvision's grayscale
LUMA = (0.299, 0.587, 0.114)


def to_float(images: Tensor) -> Tensor:
    """[n, 3, H, W] uint8 -> the same in [0, 1]."""
    return images.to(torch.float32).div_(255.0)


def draw_crops(count: int, padding: int, generator: torch.Generator) -> Tensor:
    """For `crop`: of each image, how far from the top and the left, and whether it is flipped.

    Returns:
        [3, n] int64.
    """
    shifts = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
    flips = torch.rand(count, generator=generator) < 0.5
    return torch.cat([shifts, flips[None].long()])


def crop(images: Tensor, padding: int, draws: Tensor) -> Tensor:
    """Shift each image by up to `padding` pixels, with reflected borders, and flip some.

    Shapes: images [n, 3, H, W] -> [n, 3, H, W] of the same type; draws [3, n].
    """
    n, _, height, width = images.shape
    device = images.device
    padded = F.pad(images.to(torch.float32), (padding,) * 4, mode="reflect").to(images.dtype)
    top, left, flip = draws.to(device)[:, :, None]
    rows = top + torch.arange(height, device=device)  # [n, H]
    columns = torch.arange(width, device=device).expand(n, -1)
    columns = left + torch.where(flip.bool(), width - 1 - columns, columns)  # [n, W]
    batch = torch.arange(n, device=device)[:, None, None]
    # advanced indices around a slice come first: [n, H, W, 3]
    return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """`crop` by what is drawn for all images at once."""
    return crop(images, padding, draw_crops(len(images), padding, generator))


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Each image turned by its number of quarter turns: [n, 3, H, H], [n] -> [n, 3, H, H]."""
    result = images
    for quarters in (1, 2, 3):
        chosen = (turns == quarters)[:, None, None, None]
        result = torch.where(chosen, images.rot90(quarters, (2, 3)), result)
    return result


def draw_holes(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """For `cutout`: the middle of each image's hole, row and column, [2, n] int64."""
    rows = torch.randint(0, height, (count,), generator=generator)
    return torch.stack([rows, torch.randint(0, width, (count,), generator=generator)])


def cutout(images: Tensor, side: int, middles: Tensor) -> Tensor:
    """Grey squares of `side` pixels, cut off at the border.

    Shapes: images [n, 3, H, W] in [0, 1] -> the same; middles [2, n].

    Source: DeVries & Taylor, arXiv 1708.04552.
    """
    _, _, height, width = images.shape
    row, column = middles.to(images.device)[:, :, None]  # [n, 1] each
    first = -(side // 2)
    in_rows = _within(torch.arange(height, device=images.device) - row, first, side)  # [n, H]
    in_columns = _within(torch.arange(width, device=images.device) - column, first, side)
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]  # [n, 1, H, W]
    return images.masked_fill(hole, 0.5)


def _within(offsets: Tensor, first: int, side: int) -> Tensor:
    return (offsets >= first) & (offsets < first + side)


def draw_jitter(count: int, strength: float, generator: torch.Generator) -> Tensor:
    """For `colour_jitter`: factors in [1 - strength, 1 + strength], [3, n]."""
    return 1 + strength * (2 * torch.rand(3, count, generator=generator) - 1)


def colour_jitter(images: Tensor, factors: Tensor) -> Tensor:
    """Scale brightness, contrast and saturation by the three factors of each image.

    Shapes: images [n, 3, H, W] in [0, 1] -> the same; factors [3, n].
    """
    brightness, contrast, saturation = factors.to(images.device)[:, :, None, None, None]
    luma = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    images = (images * brightness).clamp_(0, 1)
    grey_level = (images * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    images = torch.lerp(grey_level, images, contrast).clamp_(0, 1)
    grey = (images * luma).sum(1, keepdim=True)
    return torch.lerp(grey, images, saturation).clamp_(0, 1)
