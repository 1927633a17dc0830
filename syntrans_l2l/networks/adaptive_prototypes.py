"""AM3's prototypes: visual and semantic, mixed by a gate that reads the semantic one."""

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.bridge import Perceptron


class AdaptivePrototypes(nn.Module):
    """p' = lambda p + (1 - lambda) w, where w = g(s) and lambda = sigmoid(h(w)).

    Source: Xing et al., "Adaptive cross-modal few-shot learning", NeurIPS 2019; the learned
    scale of the distances is TADAM's, which the paper builds on too.

    Args:
        visual: D.
        semantic: M.
        hidden: width of g and h.
        dropout: in both.
    """

    def __init__(self, visual: int, semantic: int, hidden: int = 300, dropout: float = 0.5) -> None:
        super().__init__()
        self.transform = Perceptron(semantic, hidden, visual, dropout)
        self.gate = Perceptron(visual, hidden, 1, dropout)
        self.scale = nn.Parameter(torch.tensor(16.0))

    def prototypes(self, support: Tensor, semantic: Tensor) -> Tensor:
        """Support features [E, N, K, D] and class vectors [E, N, M] -> [E, N, D]."""
        made = self.transform(semantic)
        share = self.gate(made).sigmoid()  # lambda, [E, N, 1]
        mixed: Tensor = share * support.mean(2) + (1 - share) * made
        return mixed

    def forward(self, support: Tensor, query: Tensor, semantic: Tensor) -> Tensor:
        """Minus the scaled squared distances of queries [E, N * Q, D]: [E, N * Q, N]."""
        distance = torch.cdist(query, self.prototypes(support, semantic)).square()
        return -self.scale * distance
