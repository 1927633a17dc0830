"""What a student is shown: augmented images in batches, and what each batch is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.augment import (
    colour_jitter,
    crop,
    cutout,
    draw_crops,
    draw_holes,
    draw_jitter,
    to_float,
    turned,
)
from syntrans_l2l.training.precision import Precision
from syntrans_l2l.training.workers import Workers, share


@dataclass(frozen=True, kw_only=True)
class ImageTraining:
    """How the student is shown images.

    Args:
        epochs: passes over the images.
        batch_size: images a step.
        learning_rate: peak of the one-cycle schedule.
        momentum: of SGD with Nesterov's correction.
        weight_decay: on all weights but those of BatchNorm and other vectors.
        jitter: strength of the colour jitter.
        hole: side of a grey square in each image, as a part of the image's; 0 is none.
        average: decay, a step, of the moving average of the weights that is kept in their place;
            0 keeps the last ones.
        precision: "auto" takes bfloat16 where the device computes it natively.
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    jitter: float = 0.4
    hole: float = 0.0
    average: float = 0.0
    precision: Precision = "auto"


class Batch(NamedTuple):
    """Which images were shown, of all processes' shares.

    Shapes: places, in all images, [n]; partners, the places of the images that were mixed in, [n];
    own_part, what is left of the image itself, []; turns, quarters that it was turned by, [n].
    """

    places: Tensor
    partners: Tensor
    own_part: Tensor
    turns: Tensor


class BatchesOf:
    """The batches of an epoch: what this process sees of each, and what all of it is.

    Shapes: views [m, 3, H, W] in [0, 1], m this process' share of the batch.
    """

    def __init__(
        self,
        images: Tensor,
        settings: ImageTraining,
        workers: Workers,
        mixup: float,
        turning: bool,
        seed: int,
    ) -> None:
        self.images, self.settings, self.workers = images, settings, workers
        self.mixup, self.turning, self.seed = mixup, turning, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Batch]]:
        images, settings, device = self.images, self.settings, self.images.device
        generator = torch.Generator().manual_seed(self.seed)
        height, width = images.shape[-2:]
        padding = max(4, width // 10)  # 4 px at 32, 8 px at 84
        order = torch.randperm(len(images), generator=generator)
        sizes = batch_sizes(len(images), settings.batch_size)
        parts = self._own_parts(len(sizes))
        for places, own_part in zip(order.split(sizes), parts, strict=True):
            count = len(places)
            crops = draw_crops(count, padding, generator)
            factors = draw_jitter(count, settings.jitter, generator)
            partners, turns = places, torch.zeros_like(places)
            if self.mixup:
                partners = places[torch.randperm(count, generator=generator)]
            if self.turning:
                turns = torch.randint(0, 4, (count,), generator=generator)
            batch = Batch(*(each.to(device) for each in (places, partners, own_part, turns)))
            own = share(count, self.workers.rank, self.workers.count)
            seen = images[batch.places[own]]
            if self.mixup:
                mixed = torch.lerp(
                    images[batch.partners[own]].float(), seen.float(), batch.own_part
                )
                seen = mixed.round_().to(torch.uint8)
            views = colour_jitter(to_float(crop(seen, padding, crops[:, own])), factors[:, own])
            if settings.hole:
                middles = draw_holes(count, height, width, generator)[:, own]
                views = cutout(views, round(settings.hole * width), middles)
            if self.turning:
                views = turned(views, batch.turns[own])
            yield views, batch

    def _own_parts(self, batches: int) -> Tensor:
        """Of each batch, what mixing leaves of the image itself: [batches]."""
        if not self.mixup:
            return torch.ones(batches)
        with seeded(self.seed):
            strength = torch.tensor(self.mixup)
            return torch.distributions.Beta(strength, strength).sample((batches,))


def batch_sizes(images: int, most: int) -> list[int]:
    """How many images each batch of an epoch has: `most`, and the rest in the last one.

    One image alone joins the batch before it: there are no statistics of one for BatchNorm.
    """
    count = max(1, math.ceil((images - 1) / most))
    return [most] * (count - 1) + [images - most * (count - 1)]
