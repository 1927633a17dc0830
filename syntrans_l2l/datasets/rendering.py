"""Draws the generated world: whole batches of small pictures, each with attributes of its own.

Each layer of a picture has one flat colour per image, so a layer is a map of coverage
[n, S, S] and a row of a palette [n, layers, 3]; the objects are drawn at twice the size and
averaged. n images of S x S pixels; coordinates run from -1 to 1, y downwards.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.datasets.attributes import (
    ARRANGEMENTS,
    COLOURS,
    OUTLINE,
    PARTS,
    PATTERNS,
    SHAPES,
    VALUES,
    Plane,
)

_CHUNK = 64  # images drawn at once: its planes stay in the processor's cache
_SUPERSAMPLE = 2
_COPIES = 3  # the most objects of an arrangement, and the number of distractors
_BLACK, _WHITE = (0.05, 0.05, 0.05), (0.95, 0.95, 0.95)


class _Dice(NamedTuple):
    """Random numbers for n images."""

    n: int
    generator: torch.Generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.n, *shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(self.n, *shape, generator=self.generator)

    def pick(self, count: int, *shape: int) -> Tensor:
        return torch.randint(0, count, (self.n, *shape), generator=self.generator)


def render(
    attributes: Tensor, generator: torch.Generator, *, size: int = 32, nuisance: float = 1.0
) -> Tensor:
    """Draw one picture for each row of attributes, any combination of them.

    The random numbers drawn do not depend on the attributes: the same seed and another
    colour give the same picture but for the object's colour.

    Args:
        attributes: [n, 5] int64, positions in `VALUES`, in its order.
        generator: on the CPU; the same state gives the same bits.
        size: S, the pixels of a side.
        nuisance: strength of all that hides the attributes: jitter of pose and colour,
            clutter, distractors, occlusion, lighting and noise. 0 shows each object alone,
            centred, on grey; 1 is the benchmark. Tilt and hue stop growing at 1.5, before
            a stack could pass for a pair or red for orange.

    Shapes: [n, 5] -> [n, 3, S, S] uint8.

    Raises:
        ValueError: attributes of another shape, or a value that is none.
    """
    limits = torch.tensor([len(values) for values in VALUES.values()])
    if attributes.ndim != 2 or attributes.shape[1] != len(limits):
        raise ValueError(
            f"attributes must be [n, {len(limits)}] ({', '.join(VALUES)}), "
            f"got {tuple(attributes.shape)}"
        )
    if bool(((attributes < 0) | (attributes >= limits)).any()):
        raise ValueError(f"attributes must be below {limits.tolist()}, got {attributes.tolist()}")
    images = torch.empty(len(attributes), 3, size, size, dtype=torch.uint8)
    for first in range(0, len(attributes), _CHUNK):
        chunk = attributes[first : first + _CHUNK]
        dice = _Dice(len(chunk), generator)
        picture = _background(dice, size, nuisance)
        picture = _paint(picture, *_specks(dice, size, 3, nuisance))
        picture = _paint(picture, *_distractors(dice, size, nuisance))
        picture = _paint(picture, *_objects(chunk, dice, size, nuisance))
        picture = _paint(picture, *_specks(dice, size, 1, nuisance))
        picture = picture * _light(dice, size, nuisance)
        picture += 0.04 * nuisance * dice.normal(3, size, size)
        images[first : first + _CHUNK] = picture.mul_(255).round_().clamp_(0, 255)
    return images


def _paint(picture: Tensor, coverage: Tensor, palette: Tensor) -> Tensor:
    """Layers that do not overlap, over a picture.

    Shapes: picture [n, 3, S, S], coverage [n, L, S, S], palette [n, L, 3] -> [n, 3, S, S].
    """
    ink = torch.einsum("nlyx,nlc->ncyx", coverage, palette)
    return picture * (1 - coverage.sum(1, keepdim=True)) + ink


def _background(dice: _Dice, size: int, nuisance: float) -> Tensor:
    """Noise of three grains, more grey than coloured, [n, 3, S, S]."""
    picture = torch.full((dice.n, 3, size, size), 0.45)
    for cells, grey, tint in ((1, 0.12, 0.08), (4, 0.09, 0.08), (11, 0.06, 0.05)):
        noise = grey * dice.normal(1, cells, cells) + tint * dice.normal(3, cells, cells)
        picture += nuisance * F.interpolate(noise, (size, size), mode="bicubic")
    return picture.clamp_(0, 1)


def _specks(dice: _Dice, size: int, count: int, nuisance: float) -> tuple[Tensor, Tensor]:
    """`count` lines and as many discs of any colour: clutter behind, occlusion before."""
    x, y = _grid(size)
    angle = dice.uniform(0, math.pi, count, 1, 1)
    line = x * angle.cos() + y * angle.sin() - dice.uniform(-0.9, 0.9, count, 1, 1)
    line = line.abs() - dice.uniform(0.03, 0.08, count, 1, 1)  # [n, count, S, S]
    disc = torch.hypot(
        x - dice.uniform(-1, 1, count, 1, 1), y - dice.uniform(-1, 1, count, 1, 1)
    ) - dice.uniform(0.1, 0.22, count, 1, 1)
    present = (dice.uniform(0, 1, 2 * count, 1, 1) < 0.6 * nuisance).float()
    coverage = present * _cover(torch.cat([line, disc], 1), size / 2)
    over = torch.cumprod(1 - coverage, 1)[:, :-1]  # what the layers above let through
    coverage[:, 1:] *= over
    return coverage, dice.uniform(0.05, 0.95, 2 * count, 3)


def _distractors(dice: _Dice, size: int, nuisance: float) -> tuple[Tensor, Tensor]:
    """Up to three small plain objects of one shape about the edges, cut where they meet."""
    angle, reach = dice.uniform(0, 2 * math.pi, _COPIES), dice.uniform(0.6, 1.05, _COPIES)
    centres = torch.stack([reach * angle.cos(), reach * angle.sin()], -1)  # [n, 3, 2]
    radius = dice.uniform(0.15, 0.3, 1, 1)
    x, y, nearest = _nearest(*_grid(size), centres)
    x, y = _turn(x / radius, y / radius, dice.uniform(0, 2 * math.pi, 1, 1))
    distance = radius * _choose(SHAPES, dice.pick(len(SHAPES)), x, y)
    present = dice.uniform(0, 1, _COPIES, 1, 1) < 0.7 * nuisance
    copies = torch.arange(_COPIES).view(1, -1, 1, 1)
    coverage = _cover(distance, size / 2)[:, None] * (present & (nearest[:, None] == copies))
    return coverage, _colour(dice.pick(len(COLOURS), _COPIES), dice, nuisance)


def _objects(attributes: Tensor, dice: _Dice, size: int, nuisance: float) -> tuple[Tensor, Tensor]:
    """What the attributes say: first and second colour, black and white layers."""
    shape, pattern, colour, arrangement, part = attributes.unbind(1)
    layouts = tuple(ARRANGEMENTS.values())
    centres = torch.tensor([layout.centres for layout in layouts])[arrangement]  # [n, 3, 2]
    sizes = torch.tensor([layout[1:] for layout in layouts])[arrangement]
    radius, width, height = sizes[:, :, None, None].unbind(1)  # [n, 1, 1] each
    shift = 0.17 * min(nuisance, 1.5) * dice.uniform(-1, 1, 2, 1, 1)
    scale = (1 + nuisance * dice.uniform(-0.25, 0.15, 1, 1)).clamp_(min=0.45)
    fine = size * _SUPERSAMPLE
    pixels = scale * fine / 2  # fine pixels a unit

    x, y = _grid(fine)
    x, y = (x - shift[:, 0]) / scale, (y - shift[:, 1]) / scale  # [n, 2S, 2S]
    x, y = _turn(x, y, 0.25 * min(nuisance, 1.5) * dice.uniform(-1, 1, 1, 1))
    mark = _choose(PARTS, part, x, y, width, height)
    x, y, _ = _nearest(x, y, centres)
    x, y = _turn(x, y, 0.8 * nuisance * dice.uniform(-1, 1, 1, 1))
    distance = radius * _choose(SHAPES, shape, x / radius, y / radius)
    second = _choose(PATTERNS, pattern, x, y, radius)

    outline = OUTLINE * (part == tuple(PARTS).index("outline"))[:, None, None]
    fill, outlined = _cover(distance, pixels), _cover(distance - outline, pixels)
    white, rimmed = _cover(mark, pixels), _cover(mark - 0.05, pixels)
    behind = 1 - rimmed
    layers = [
        behind * fill * (1 - second),
        behind * fill * second,
        behind * (outlined - fill) + rimmed - white,
        white,
    ]
    haze = (nuisance * dice.uniform(0, 0.3, 1, 1, 1)).clamp_(max=0.7)
    coverage = F.avg_pool2d(torch.stack(layers, 1), _SUPERSAMPLE) * (1 - haze)
    black, bright = torch.tensor([_BLACK, _WHITE])[:, None].expand(-1, dice.n, -1)
    other = torch.where(dice.uniform(0, 1, 1) < 0.5, black, bright)  # the pattern's second
    return coverage, torch.stack([_colour(colour, dice, nuisance), other, black, bright], 1)


def _light(dice: _Dice, size: int, nuisance: float) -> Tensor:
    """A gain, a slope and a cast of colour, [n, 3, S, S]."""
    x, y = _grid(size)
    slope = dice.uniform(-0.3, 0.3, 2, 1, 1, 1)
    gain = dice.uniform(-0.3, 0.15, 1, 1, 1) + dice.uniform(-0.12, 0.12, 3, 1, 1)
    return (1 + nuisance * (gain + slope[:, 0] * x + slope[:, 1] * y)).clamp_(min=0.2)


def _colour(index: Tensor, dice: _Dice, nuisance: float) -> Tensor:
    """Named colours with jitter, from HSV to RGB: [...] -> [..., 3]."""
    hue, saturation, value = torch.tensor(list(COLOURS.values()))[index].unbind(-1)
    shape = index.shape[1:]
    hue = hue + min(nuisance, 1.5) * dice.uniform(-8, 8, *shape)
    saturation = (saturation + nuisance * dice.uniform(-0.1, 0.05, *shape)).clamp(0, 1)
    value = (value + nuisance * dice.uniform(-0.12, 0.05, *shape)).clamp(0, 1)
    k = torch.remainder(hue[..., None] / 60 + torch.tensor([5.0, 3.0, 1.0]), 6)
    wave = torch.minimum(k, 4 - k).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * wave)


def _choose(functions: Mapping[str, Plane], index: Tensor, *planes: Tensor) -> Tensor:
    """For each image the function that `index` [n] names, of planes [n, ...] -> [n, S, S]."""
    result = torch.empty_like(planes[0])
    for number, function in enumerate(functions.values()):
        rows = torch.where(index == number)[0]
        if len(rows):
            result[rows] = function(*(plane[rows] for plane in planes))
    return result


def _grid(size: int) -> tuple[Tensor, Tensor]:
    """x [1, 1, S] and y [1, S, 1] of the pixels' centres."""
    line = (torch.arange(size) + 0.5) * (2 / size) - 1
    return line.view(1, 1, size), line.view(1, size, 1)


def _turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    cosine, sine = angle.cos(), angle.sin()
    return cosine * x + sine * y, cosine * y - sine * x


def _nearest(x: Tensor, y: Tensor, centres: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates about the nearest of the centres [n, 3, 2], and which it is, [n, S, S]."""
    across, down = centres[..., None, None].unbind(2)  # [n, 3, 1, 1]
    nearest = _first_least((x[:, None] - across).square() + (y[:, None] - down).square())
    flat = nearest.flatten(1)
    across, down = (c.flatten(1).gather(1, flat).view_as(nearest) for c in (across, down))
    return x - across, y - down, nearest


def _first_least(planes: Tensor) -> Tensor:
    """`planes.argmin(1)`, [n, L, S, S] -> [n, S, S], which is ten times slower for a small L."""
    least, place = planes[:, 0], torch.zeros_like(planes[:, 0], dtype=torch.int64)
    for number in range(1, planes.shape[1]):
        less = planes[:, number] < least
        least, place = torch.where(less, planes[:, number], least), place.masked_fill_(less, number)
    return place


def _cover(distance: Tensor, pixels: Tensor | float) -> Tensor:
    """Share of a pixel within a signed distance, at so many pixels a unit."""
    return (0.5 - distance * pixels).clamp_(0, 1)
