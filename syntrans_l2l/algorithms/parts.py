"""What fitting on base classes adds to a classifier."""

from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.networks.whitening import WhitenedView


@dataclass(frozen=True, kw_only=True)
class FittedParts:
    """All that SynTrans answers with besides its classifier, alpha and the semantic weight.

    Args:
        mean: of the base classes' normalised vectors, [M], taken off all vectors; zero for None.
        left_out: for each base class, the bridge that has not seen it, [B]; the first for None.
        view: the whitened view of features and text; None where it has no weight.
        whitened_weight: k, the weight of the cosine in that view.
        aligned_weight: c, the weight of the cosine of image and text in a space that they share.
    """

    mean: Tensor | None = None
    left_out: Tensor | None = None
    view: WhitenedView | None = None
    whitened_weight: float = 0.0
    aligned_weight: float = 0.0
