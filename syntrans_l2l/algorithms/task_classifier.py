"""The classifier of one task."""

from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.algorithms.scoring import Given
from syntrans_l2l.networks.fusion import Mix


@dataclass(frozen=True)
class TaskClassifier:
    """What adapting makes: normalised weights w [N, D], and what further logits need.

    Shapes: vectors s [N, M]; whitened w' [N, D]; aligned t [N, A]; None where they have no weight.
    """

    weight: Tensor
    vectors: Tensor | None
    whitened: Tensor | None
    aligned: Tensor | None

    def logits(self, query: Given, mix: Mix) -> Tensor:
        """cos(z, w) + b cos(g, s) + k cos(z_w, w') + c cos(a, t): [n, N].

        Args:
            query: n images as the parts see them.
            mix: b, k and c.
        """
        logits = query.features @ self.weight.T
        if query.bridged is not None and self.vectors is not None:
            logits = logits + mix.semantic_weight * query.bridged @ self.vectors.T
        if query.whitened is not None and self.whitened is not None:
            logits = logits + mix.whitened_weight * query.whitened.features @ self.whitened.T
        if query.aligned is not None and self.aligned is not None:
            logits = logits + mix.aligned_weight * query.aligned.features @ self.aligned.T
        return logits
