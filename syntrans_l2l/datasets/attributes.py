"""The attributes of the generated world: their values and how each of them is drawn.

Shapes and marks are signed distances, negative inside (after Quilez' "2D distance
functions"). Coordinates run from -1 to 1, y downwards.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

_NEVER = 1e3  # a distance that no pixel is within


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(y, 0.866 * x.abs() - 0.5 * y) - 0.55


def _star(x: Tensor, y: Tensor, outer: float = 1.1, inner: float = 0.45) -> Tensor:
    half = math.pi / 5
    angle = torch.remainder(torch.atan2(x, -y) + half, 2 * half) - half  # 0 along a point
    radius = torch.hypot(x, y)
    edge = (inner * math.cos(half) - outer, inner * math.sin(half))  # from point to notch
    along, across = radius * angle.cos() - outer, radius * angle.sin().abs()
    return (edge[1] * along - edge[0] * across) / math.hypot(*edge)


def _cross(x: Tensor, y: Tensor) -> Tensor:
    x, y = x.abs(), y.abs()
    return torch.maximum(torch.maximum(x, y) - 1.0, torch.minimum(x, y) - 0.32)


def _heart(x: Tensor, y: Tensor) -> Tensor:
    x = x.abs()
    lobe = torch.hypot(x - 0.42, y + 0.33) - 0.5
    tip = torch.maximum(0.77 * x + 0.64 * y - 0.612, -y - 0.1)
    return torch.minimum(lobe, tip)


def _arrow(x: Tensor, y: Tensor) -> Tensor:
    head = torch.maximum(y, 0.765 * x.abs() - 0.644 * (y + 1.05))
    shaft = torch.maximum(x.abs() - 0.26, (y - 0.45).abs() - 0.55)
    return torch.minimum(head, shaft)


Plane = Callable[..., Tensor]

# shape -> signed distance of (x, y), for an object of radius 1
SHAPES: Mapping[str, Plane] = {
    "disc": lambda x, y: torch.hypot(x, y) - 0.9,
    "square": lambda x, y: torch.maximum(x.abs(), y.abs()) - 0.78,
    "triangle": _triangle,
    "star": _star,
    "ring": lambda x, y: (torch.hypot(x, y) - 0.7).abs() - 0.26,
    "cross": _cross,
    "crescent": lambda x, y: torch.maximum(
        torch.hypot(x, y) - 1.0, 0.74 - torch.hypot(x - 0.55, y)
    ),
    "heart": _heart,
    "arrow": _arrow,
    "leaf": lambda x, y: torch.hypot(x.abs() + 0.72, y) - 1.25,
}

_WAVE = 2 * math.pi / 0.29  # stripes: 0.29 of the half-width of the picture, 4.6 px of 32


def _edge(wave: Tensor, sharpness: float = 2.5) -> Tensor:
    return (0.5 + sharpness * wave).clamp_(0, 1)


# pattern -> share of the second colour at (x, y) of an object of this radius
PATTERNS: Mapping[str, Plane] = {
    "plain": lambda x, y, radius: torch.zeros_like(x),
    "striped": lambda x, y, radius: _edge((_WAVE * y).sin()),
    "checked": lambda x, y, radius: _edge((0.72 * _WAVE * x).sin() * (0.72 * _WAVE * y).sin(), 4),
    "dotted": lambda x, y, radius: _edge((_WAVE * x).cos() + (_WAVE * y).cos() - 0.7),
    "rippled": lambda x, y, radius: _edge((3 * math.pi * torch.hypot(x, y) / radius).cos() - 0.4),
    "faded": lambda x, y, radius: (0.5 + 0.7 * y / radius).clamp(0, 1),
    "halved": lambda x, y, radius: _edge(x, 20),
}

# hue in degrees, saturation, value
COLOURS: Mapping[str, tuple[float, float, float]] = {
    "red": (0, 0.9, 0.85),
    "orange": (27, 0.95, 1.0),
    "yellow": (55, 0.9, 0.95),
    "green": (120, 0.8, 0.65),
    "cyan": (182, 0.75, 0.9),
    "blue": (226, 0.85, 0.9),
    "purple": (275, 0.75, 0.75),
    "pink": (328, 0.5, 1.0),
}


class Arrangement(NamedTuple):
    """Where the copies of an object stand, their radius and half the size of the whole."""

    centres: tuple[tuple[float, float], ...]
    radius: float
    width: float
    height: float


ARRANGEMENTS: Mapping[str, Arrangement] = {
    "single": Arrangement(((0, 0),) * 3, 0.54, 0.54, 0.54),
    "pair": Arrangement(((-0.37, 0), (0.37, 0), (0.37, 0)), 0.34, 0.71, 0.34),
    "stack": Arrangement(((0, -0.37), (0, 0.37), (0, 0.37)), 0.34, 0.34, 0.71),
    "trio": Arrangement(((0, -0.36), (-0.39, 0.33), (0.39, 0.33)), 0.33, 0.72, 0.68),
}


def _no_mark(x: Tensor, y: Tensor, width: Tensor, height: Tensor) -> Tensor:
    return torch.full_like(x, _NEVER)


# part -> signed distance of a white mark about an arrangement of this half-size
PARTS: Mapping[str, Plane] = {
    "bare": _no_mark,
    "outline": _no_mark,  # drawn along the object itself
    "frame": lambda x, y, width, height: (
        (torch.maximum(x.abs() - width, y.abs() - height) - 0.13).abs() - 0.04
    ),
    "bar": lambda x, y, width, height: torch.maximum(
        x.abs() - width, (y - height - 0.13).abs() - 0.07
    ),
    "ball": lambda x, y, width, height: torch.hypot(x - width, y + height) - 0.17,
}
OUTLINE = 0.09  # width of the black outline

VALUES: Mapping[str, tuple[str, ...]] = {
    "shape": tuple(SHAPES),
    "pattern": tuple(PATTERNS),
    "colour": tuple(COLOURS),
    "arrangement": tuple(ARRANGEMENTS),
    "part": tuple(PARTS),
}
