"""The multimodal classifier: weight generator and reconstructor side by side."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.fusion import fuse
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator


class MultimodalClassifier(nn.Module):
    """Makes w_v and w_s for the classes of episodes.

    Args:
        generator: makes w_v.
        reconstructor: makes w_s; None leaves the classifier visual.
        temperature: the start of the learned tau of meta-training.
    """

    def __init__(
        self,
        generator: VisualWeightGenerator,
        reconstructor: SemanticWeightReconstructor | None,
        temperature: float = 16.0,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.reconstructor = reconstructor
        self.temperature = nn.Parameter(torch.tensor(temperature))
        self.alpha_logit = nn.Parameter(torch.zeros(()))  # alpha = 1/2 to begin with

    @property
    def bridges(self) -> list[Bridge]:
        """The bridges of all folds; none in a visual classifier."""
        if self.reconstructor is None:
            return []
        return list(cast(Sequence[Bridge], self.reconstructor.bridges))

    def weights(
        self,
        support: Tensor,
        semantic: Tensor | None = None,
        own: Tensor | None = None,
        fold: int | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """w_v and w_s, [E, N, D] each.

        Args:
            support: n(z) of the shots, [E, N, K, D].
            semantic: normalised class vectors [E, N, M].
            own: the episode's base classes [E, N], in meta-training.
            fold: the bridge that has not seen them, in meta-training.
        """
        visual = self.generator(support, own)
        if self.reconstructor is None or semantic is None:
            return visual, None
        return visual, self.reconstructor(semantic, support.mean(2), fold)

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        semantic: Tensor | None = None,
        own: Tensor | None = None,
        fold: int | None = None,
    ) -> Tensor:
        """tau * cos(query, w) with the alpha of meta-training: [E, N * Q, N]."""
        visual, reconstructed = self.weights(support, semantic, own, fold)
        weight = fuse(visual, reconstructed, self.alpha_logit.sigmoid())
        return self.temperature * torch.einsum("eqd,end->eqn", query, weight)


def untrained_classifier(
    visual_dim: int, semantic_dim: int, hidden: int = 1024
) -> MultimodalClassifier:
    """One bridge (D, M, h) and no base classes, all of it to be trained on tasks."""
    bridge = Bridge(visual_dim, semantic_dim, hidden)
    reconstructor = SemanticWeightReconstructor([bridge], visual_dim, semantic_dim)
    generator = VisualWeightGenerator(torch.zeros(0, visual_dim), attention=False)
    return MultimodalClassifier(generator, reconstructor).requires_grad_(True).train()
