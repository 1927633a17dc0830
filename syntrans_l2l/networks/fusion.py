"""The multimodal classifier: visual and semantic weights mixed by alpha."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F


def fuse(visual: Tensor, semantic: Tensor | None, alpha: Tensor | float) -> Tensor:
    """w = n(alpha n(w_v) + (1 - alpha) n(w_s)): [..., D] and [..., D] -> [..., D].

    Without w_s, and at a fixed alpha of 1, it is n(w_v) bit for bit.

    Source: the mixing by a coefficient alpha is in SynTrans' Figure 4; that both sides are
    normalised is our reconstruction.
    """
    if semantic is None or (isinstance(alpha, float) and alpha == 1.0):
        return F.normalize(visual, dim=-1)
    mixed = alpha * F.normalize(visual, dim=-1) + (1 - alpha) * F.normalize(semantic, dim=-1)
    return F.normalize(mixed, dim=-1)


@dataclass(frozen=True)
class Scores:
    """Inner products from which the logits of every alpha and semantic weight follow at once.

    Shapes: visual, semantic and bridged [E, N * Q, N]: cosines of queries with w_v, with w_s, and
    of bridged queries with class vectors; agreement [E, N]: the cosine of w_v with w_s.
    """

    visual: Tensor
    semantic: Tensor
    bridged: Tensor
    agreement: Tensor

    def logits(self, alpha: Tensor | float, semantic_weight: float) -> Tensor:
        """cos(query, fuse(w_v, w_s, alpha)) + b cos(G_vs(query), s): [E, N * Q, N].

        b is the semantic weight. w need not be formed: |alpha w_v + (1 - alpha) w_s|^2 =
        alpha^2 + (1 - alpha)^2 + 2 alpha (1 - alpha) cos(w_v, w_s). At alpha = 1 and b = 0 the
        visual cosine comes back bit for bit.
        """
        if alpha == 1.0 and semantic_weight == 0.0:
            return self.visual
        squared = alpha**2 + (1 - alpha) ** 2 + 2 * alpha * (1 - alpha) * self.agreement
        norm = squared.clamp_min(1e-12).sqrt()[:, None]  # [E, 1, N]
        mixed = (alpha * self.visual + (1 - alpha) * self.semantic) / norm
        return mixed + semantic_weight * self.bridged

    @staticmethod
    def concatenate(parts: Sequence["Scores"]) -> "Scores":
        """Scores of batches, put together along E."""
        return Scores(
            *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Scores))
        )


def score(
    query: Tensor, visual: Tensor, semantic: Tensor | None = None, bridged: Tensor | None = None
) -> Scores:
    """Scores of normalised queries [E, N * Q, D] for weights w_v, w_s [E, N, D].

    Without w_s, the visual weight stands on both sides and alpha changes nothing.
    """
    visual = F.normalize(visual, dim=-1)
    semantic = visual if semantic is None else F.normalize(semantic, dim=-1)
    cosine = torch.einsum("eqd,end->eqn", query, visual)
    return Scores(
        visual=cosine,
        semantic=torch.einsum("eqd,end->eqn", query, semantic),
        bridged=torch.zeros_like(cosine) if bridged is None else bridged,
        agreement=(visual * semantic).sum(-1),
    )
