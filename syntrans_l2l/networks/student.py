"""The student: an encoder with its own input normalisation."""

from typing import cast

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.pixels import unit_images


class Student(nn.Module):
    """An encoder f that takes images in [0, 1] or uint8 and normalises them itself.

    Args:
        encoder: images [n, 3, H, W] -> features [n, D].
        out_features: D.
        name: what the records call it.
        pretrained: whether stage 0 is behind it already.
        advice: what to do where pictures do not fit.
        views: 2 gives the mean of the features of an image and of its mirror image, which costs
            twice the time of 1.

    Attributes:
        curve: how stage 0 went, a number for each epoch: "loss", and "validation", the accuracy on
            validation classes. Empty where it was not trained here.

    Shapes: images [n, 3, H, W], uint8 or float in [0, 1] -> features [n, D].

    Raises:
        ValueError: views are neither 1 nor 2.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        out_features: int,
        name: str,
        pretrained: bool = False,
        advice: str = "take larger pictures or another student",
        views: int = 1,
    ) -> None:
        super().__init__()
        if views not in (1, 2):
            raise ValueError(f"views must be 1 or 2 (an image and its mirror image), got {views}")
        self.encoder = encoder
        self.out_features = out_features
        self.name = name
        self.pretrained = pretrained
        self.advice = advice
        self.views = views
        self.curve: dict[str, list[float]] = {}
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((3, 1, 1), 0.25))

    def forward(self, images: Tensor) -> Tensor:
        """f(x), of images that anybody may bring, over all views.

        Raises:
            ValueError: images of another shape or range, such as floats of 0 to 255.
        """
        images = unit_images(images)
        if self.views == 1:
            return self.embed(images)
        return (self.embed(images) + self.embed(images.flip(-1))) / 2

    def embed(self, images: Tensor) -> Tensor:
        """f(x), of one view in [0, 1]: the training's, where looking at each batch costs time."""
        return cast(Tensor, self.encoder((images - self.mean) / self.std))

    def extra_repr(self) -> str:
        return f"views={self.views}"
