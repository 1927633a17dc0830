"""What fitting on base classes adds to a classifier."""

from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.networks.whitening import WhitenedView


@dataclass(frozen=True, kw_only=True)
class FittedParts:
    """All that SynTrans answers with besides its classifier and the weights of its parts.

    Args:
        mean: of the base classes' normalised vectors, [M], taken off all vectors; zero for None.
        left_out: for each base class, the bridge that has not seen it, [B]; the first for None.
        view: the whitened view of features and text; None where it has no weight.
    """

    mean: Tensor | None = None
    left_out: Tensor | None = None
    view: WhitenedView | None = None
