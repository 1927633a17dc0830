"""VSBird: the bridge between the visual and the semantic space, both ways."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Perceptron(nn.Module):
    """Linear, LeakyReLU 0.2, dropout, linear: [..., inputs] -> [..., outputs]."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out.to(next(self.parameters()).dtype)  # in autocast too, for norms and losses


class Bridge(nn.Module):
    """G_vs: D -> h -> M and G_sv: [M + D] -> h -> D, both with normalised output.

    Source: that SynTrans bridges both ways is in its abstract; the form is our reconstruction
    after KTN (AAAI 2020) and SemFew (CVPR 2024).

    Args:
        visual_dim: D.
        semantic_dim: M.
        hidden: h.
        dropout: probability.
        condition_on_visual: give G_sv the support's mean beside the class vector; without it,
            what it makes is a zero-shot weight.
    """

    def __init__(
        self,
        visual_dim: int,
        semantic_dim: int,
        hidden: int = 1024,
        dropout: float = 0.0,
        condition_on_visual: bool = True,
    ) -> None:
        super().__init__()
        self.semantic_dim = semantic_dim
        self.condition_on_visual = condition_on_visual
        inputs = semantic_dim + visual_dim if condition_on_visual else semantic_dim
        self.visual_to_semantic = Perceptron(visual_dim, hidden, semantic_dim, dropout)
        self.semantic_to_visual = Perceptron(inputs, hidden, visual_dim, dropout)

    def to_semantic(self, visual: Tensor) -> Tensor:
        """n(G_vs(n(z))): normalised features [..., D] -> [..., M]."""
        return F.normalize(self.visual_to_semantic(visual), dim=-1)

    def to_visual(self, semantic: Tensor, visual: Tensor) -> Tensor:
        """n(G_sv([s; z])): class vectors [..., M] and support means [..., D] -> [..., D]."""
        if self.condition_on_visual:
            semantic = torch.cat([semantic, visual], dim=-1)
        return F.normalize(self.semantic_to_visual(semantic), dim=-1)
