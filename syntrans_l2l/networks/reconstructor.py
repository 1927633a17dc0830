"""The semantic weight reconstructor: classifier weights from class vectors."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.bridge import Bridge, Perceptron


class SemanticWeightReconstructor(nn.Module):
    """w_s = n(g + R([g; u; s])), where g = n(G_sv([s; u])) and u = n(mean_k n(z_k)).

    The mean of the shots is scaled to unit length, because the bridge was fitted on single
    images of unit length; measured, it makes no difference (5 shots: 78.52 against 78.53).

    Source: our reconstruction. R starts at zero. The bridges are those of the folds of
    cross-fitting; a novel class gets the mean of all, a base class the one that has not seen it.

    Args:
        bridges: one per fold, frozen.
        visual_dim: D.
        semantic_dim: M.
        hidden: width of R.
        residual: without it, w_s = g.
    """

    def __init__(
        self,
        bridges: Sequence[Bridge],
        visual_dim: int,
        semantic_dim: int,
        hidden: int = 256,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.bridges = nn.ModuleList(bridges).requires_grad_(False).eval()
        inputs = 2 * visual_dim + semantic_dim
        self.residual = Perceptron(inputs, hidden, visual_dim, 0.0) if residual else None
        if self.residual is not None:
            last = self.residual.layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, semantic: Tensor, mean: Tensor, fold: int | None = None) -> Tensor:
        """Normalised weights [E, N, D].

        Args:
            semantic: class vectors [E, N, M].
            mean: the support's mean of n(z), of any length, [E, N, D].
            fold: the bridge to use, where the classes are base classes of that fold.
        """
        bridges, mean = cast(Sequence[Bridge], self.bridges), F.normalize(mean, dim=-1)
        used = bridges if fold is None else [bridges[fold]]
        total = torch.stack([bridge.to_visual(semantic, mean) for bridge in used]).sum(0)
        weight = F.normalize(total, dim=-1)
        if self.residual is None:
            return weight
        inputs = torch.cat([weight, mean, semantic], dim=-1)
        return F.normalize(weight + self.residual(inputs), dim=-1)
