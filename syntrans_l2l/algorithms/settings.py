"""What SynTrans is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from syntrans_l2l.algorithms.mixing import Rule
from syntrans_l2l.training.bridge import BridgeTraining, make_folds
from syntrans_l2l.training.meta import MetaTraining, check_meta_training


@dataclass(frozen=True, kw_only=True)
class SynTransSettings:
    """The parts of SynTrans and their sizes, each a switch.

    Args:
        bridge: stage 3.
        meta: stage 4; its `iterations = 0` leaves generator and reconstructor as they start.
        folds: of cross-fitting the bridge over base classes.
        attention: whether the visual weight generator attends to base classes.
        residual: whether the reconstructor learns a correction to what the bridge makes.
        shrinkage: of the covariance that whitens the second view; 1 only centres it.
        penalty: of the ridge from class vectors to class centres in that view.
        alphas: the grid of alpha, picked on validation episodes.
        semantic_weights: the grid of b, the weight of `cos(G_vs(query), s)`.
        whitened_weights: the grid of k, the weight of the whitened view; (0,) leaves it out.
        aligned_weights: the grid of c, the weight of the cosine of image and text in a space
            that they share, where there is one.
        selection: the rule by which validation chooses; see `mixing.select`.

    Raises:
        ValueError: unknown selection, shrinkage or penalty out of range, or an empty grid.
    """

    bridge: BridgeTraining = field(default_factory=BridgeTraining)
    meta: MetaTraining = field(default_factory=MetaTraining)
    folds: int = 4
    attention: bool = True
    residual: bool = True
    shrinkage: float = 0.3
    penalty: float = 0.3
    alphas: Sequence[float] = tuple(step / 20 for step in range(21))
    semantic_weights: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
    whitened_weights: Sequence[float] = (0.0, 0.2, 0.4, 0.8, 1.6, 5.0, 20.0)
    aligned_weights: Sequence[float] = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    selection: Rule = "soft"

    def __post_init__(self) -> None:
        if self.selection not in get_args(Rule):
            raise ValueError(
                f"SynTransSettings.selection must be one of {get_args(Rule)}, got "
                f"{self.selection!r}"
            )
        if not 0 < self.shrinkage <= 1:
            raise ValueError(
                f"SynTransSettings.shrinkage must lie above 0 and at most at 1, got "
                f"{self.shrinkage}"
            )
        if self.penalty <= 0:
            raise ValueError(f"SynTransSettings.penalty must be above 0, got {self.penalty}")
        for name in ("alphas", "semantic_weights", "whitened_weights", "aligned_weights"):
            if len(getattr(self, name)) == 0:
                raise ValueError(f"SynTransSettings.{name} must hold a value")

    @property
    def whitens(self) -> bool:
        """Whether the whitened view can be chosen."""
        return any(weight != 0 for weight in self.whitened_weights)

    @property
    def reads_class_vectors(self) -> bool:
        """Whether the bridge's text can have a part in a logit."""
        return any(alpha != 1 for alpha in self.alphas) or any(self.semantic_weights)

    def check(self, base: Sequence[int], *, ways: int, shots: int) -> None:
        """Find out before any training whether stages 3 and 4 fit base classes of these sizes.

        Args:
            base: the images of each base class.
            ways: N.
            shots: K.

        Raises:
            ValueError: too many folds, too few base classes, or too few images.
        """
        folds = make_folds(len(base), self.folds, seed=0)
        if not self.meta.iterations:
            return
        check_meta_training(base, folds, self.meta, ways=ways, shots=shots)
        if self.attention and len(base) <= ways:
            raise ValueError(
                f"{ways}-way meta-training with attention needs more than {ways} base classes, "
                f"got {len(base)}; add base classes, lower the ways, or set "
                "SynTransSettings.attention = False"
            )
