"""Class vectors as methods use them: centred on the base classes, of unit length."""

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.semantics.bank import SemanticBank


def required_bank(arena: Arena, name: str) -> SemanticBank:
    """The arena's semantics, for the method called `name`.

    Raises:
        ValueError: there are none.
    """
    if arena.semantics is None:
        raise ValueError(f"{name} needs class vectors, and the arena has no semantics")
    return arena.semantics


def base_mean(data: FewShotData, bank: SemanticBank) -> Tensor:
    """The mean of the base classes' normalised vectors, [M]."""
    return F.normalize(bank.select(data.train.class_names), dim=-1).mean(0)


def centre(vectors: Tensor, mean: Tensor) -> Tensor:
    """n(n(s) - mean): [C, M] and [M] -> [C, M]."""
    return F.normalize(F.normalize(vectors, dim=-1) - mean, dim=-1)


def centred_vectors(
    data: FewShotData, bank: SemanticBank, device: torch.device
) -> dict[str, Tensor]:
    """The vectors of each split's classes, [C, M], centred with the mean of the base classes."""
    mean = base_mean(data, bank)
    return {
        split: centre(bank.select(getattr(data, split).class_names), mean).to(device)
        for split in SPLITS
    }
