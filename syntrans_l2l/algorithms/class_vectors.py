"""Class vectors as SynTrans uses them: centred on the base classes, of unit length."""

from torch import Tensor
from torch.nn import functional as F


def base_mean(vectors: Tensor) -> Tensor:
    """The mean of the base classes' normalised vectors: [B, M] -> [M]."""
    return F.normalize(vectors, dim=-1).mean(0)


def centre(vectors: Tensor, mean: Tensor) -> Tensor:
    """n(n(s) - mean): [C, M] and [M] -> [C, M]."""
    return F.normalize(F.normalize(vectors, dim=-1) - mean, dim=-1)
