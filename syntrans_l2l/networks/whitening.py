"""The whitened view: features in which images of one class vary alike in all directions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class WhitenedView(nn.Module):
    """z_w = n((n(z) - mean) S^-1/2), and class weights w_s' = n(centre + s mapping) in it.

    S is the covariance of n(z) within the base classes, shrunk; so directions in which images of
    one class differ count less. `training.whitening` fits it in closed form.

    Source: our reconstruction. Whitening by the covariance within classes is Fisher's (1936);
    centring on the base classes is SimpleShot's (2019).

    Args:
        visual_dim: D.
        semantic_dim: M; 0 where there is no text.
    """

    mean: Tensor  # [D]
    whitening: Tensor  # S^-1/2, [D, D]
    centre: Tensor  # [D]
    mapping: Tensor  # [M, D]

    def __init__(self, visual_dim: int, semantic_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(visual_dim))
        self.register_buffer("whitening", torch.eye(visual_dim))
        self.register_buffer("centre", torch.zeros(visual_dim))
        self.register_buffer("mapping", torch.zeros(semantic_dim, visual_dim))

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features n(z) [..., D] in the view: [..., D], normalised."""
        return F.normalize((features - self.mean) @ self.whitening, dim=-1)

    def of_text(self, vectors: Tensor) -> Tensor:
        """w_s' [..., D], normalised, of class vectors [..., M], centred and normalised."""
        return F.normalize(self.centre + vectors @ self.mapping, dim=-1)
